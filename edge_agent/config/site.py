"""The site file as a whole: what `load` returns, and the only truth for schema, samples and docs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import AfterValidator, Field, SerializeAsAny, field_validator, model_validator

from edge_agent.api import DeviceConfig, Duration, PublishConfig, ServeConfig, StrictModel, Tag, TagConfig
from edge_agent.config.asset import AssetModel
from edge_agent.config.calendar import CalendarModel, PlannedDownModel
from edge_agent.config.carbon import CarbonModel
from edge_agent.config.fingerprint import config_hash
from edge_agent.config.http_api import ApiModel
from edge_agent.config.line import AreaModel, LineModel
from edge_agent.config.lineup import line_of
from edge_agent.config.machine import MachineModel
from edge_agent.config.names import CalendarRefs, Id, Level, Zone
from edge_agent.config.pages import PagesModel
from edge_agent.config.plan import Chain, calendar_of, chain
from edge_agent.config.positive import PositiveDuration, PositiveSize
from edge_agent.core.calendar import Calendar
from edge_agent.core.counters import Counter
from edge_agent.core.pulses import PulseCounter
from edge_agent.core.tags import VACANT, TagTable, places_for

# Fewer than three missed polls are a hiccup, not a silence; and no device is silent after less than
# ten seconds, the time a field network takes to settle (domain 2.6).
STALE_POLLS: Final = 3
STALE_LEAST: Final = 10_000_000_000

# Where neither the machine nor its tag says how wide a counter is.
BITS: Final = 32


def _once_each(kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(kinds))


WindowKind = Literal["shift", "hour", "day", "production_day", "job"]


class PlaceModel(StrictModel):
    """Where the agent stands (ISA-95); default topics use it, missing levels are left out."""

    enterprise: Level | None = None
    """enterprise"""
    site: Level | None = None
    """site"""
    area: Level | None = None
    """area"""


class AgentModel(StrictModel):
    """The agent itself."""

    id: Id
    """its id, part of every topic; a second agent needs another one"""
    place: PlaceModel = PlaceModel()
    """where it stands"""
    timezone: Zone = "UTC"
    """IANA zone of shifts, days and hours"""
    calendar: CalendarRefs | None = None
    """a key of `calendars`, or a list, for machines that name none; default planned busy all the time"""
    data_dir: Path = Path("data")
    """folder of the journal and the audit log; relative to the site file"""
    language: Literal["en", "zh"] = "en"
    """language of pages and reports"""
    wait_for_clock: Literal["auto"] | Duration = "auto"
    """how long samples are held until the clock is synchronised, to be re-stamped then; auto: 5min on boards without a
    battery clock, else 0s"""


_FILES: Final = 4

# A page: smaller files cost as much. Each begins with a checkpoint, and costs a sync of its folder.
LEAST_SEGMENT: Final = 4096


class JournalModel(StrictModel):
    """The durable log: store-and-forward, restart and history live on it."""

    max_size: PositiveSize = 2_000_000_000
    """oldest records go first past this size; default 2GB"""
    max_age: PositiveDuration = 30 * 86_400_000_000_000
    """oldest records go first past this age; default 30d"""
    reserve: PositiveSize | None = None
    """stays free on the file system: before it is used, the oldest samples go; default 200MB, or 5 % if that is less"""
    flush: PositiveDuration = 1_000_000_000
    """what a power cut may cost; longer spares the flash; default 1s"""
    segment: PositiveSize = 16_000_000
    """size of one of its files, the smallest piece it can delete; default 16MB"""

    @field_validator("segment")
    @classmethod
    def _segment_holds_more_than_its_head(cls, segment: int) -> int:
        if segment < LEAST_SEGMENT:
            raise ValueError(f"is too small for a file; write at least {LEAST_SEGMENT}B")
        return segment

    @model_validator(mode="after")
    def _has_room_for_its_files(self) -> Self:
        # Two are written to at a time, and what must not go before it is delivered stands in others.
        if self.max_size < _FILES * self.segment:
            raise ValueError(
                f"max_size holds fewer than {_FILES} files of segment ({self.segment / 1e6:g} MB each); "
                "raise it, or write a smaller segment:"
            )
        return self


class KpiModel(StrictModel):
    """How KPIs are reported."""

    every: PositiveDuration = 10_000_000_000
    """how often an open window is published; default 10s"""
    windows: Annotated[tuple[WindowKind, ...], AfterValidator(_once_each)] = ("shift", "hour", "day")
    """which windows: shift, hour, day, production_day (from its first shift to the next date's), job"""
    watermark: PositiveDuration = 600_000_000_000
    """how long after its end a window waits for late data before it is final; default 10min"""
    restate: Duration = 86_400_000_000_000
    """how long a final window is revised when late data or corrections come, or the calendar changes; default 24h"""
    min_coverage: float = Field(default=0.9, ge=0, le=1)
    """below this share of time with data a KPI is flagged LOW_CONFIDENCE"""


class RingModel(StrictModel):
    """The last samples, in memory."""

    memory: PositiveSize = 64_000_000
    """memory for them; default 64MB"""


class Site(StrictModel):
    """What the agent reads, from which machines it makes KPIs, and where to it publishes them."""

    agent: AgentModel
    """the agent itself"""
    devices: Mapping[str, SerializeAsAny[DeviceConfig]] = Field(default_factory=dict)
    """id → what one driver session talks to"""
    machines: Mapping[str, MachineModel] = Field(default_factory=dict)
    """id → what gets an OEE"""
    lines: Mapping[str, LineModel] = Field(default_factory=dict)
    """id → machines that work one after the other, or side by side"""
    areas: Mapping[str, AreaModel] = Field(default_factory=dict)
    """id → lines and machines"""
    calendars: Mapping[str, CalendarModel] = Field(default_factory=dict)
    """id → when machines are planned to be busy"""
    assets: Mapping[str, AssetModel] = Field(default_factory=dict)
    """id → a piece of equipment of the plant's register, connected or not"""
    carbon: CarbonModel | None = None
    """what a kWh stands for in CO2"""
    publish: Mapping[str, SerializeAsAny[PublishConfig]] = Field(default_factory=dict)
    """id → destination"""
    serve: Mapping[str, SerializeAsAny[ServeConfig]] = Field(default_factory=dict)
    """id → server that shows values to those who ask"""
    journal: JournalModel = JournalModel()
    """the durable log"""
    kpi: KpiModel = KpiModel()
    """how KPIs are reported"""
    ring: RingModel = RingModel()
    """the last samples, in memory"""
    api: ApiModel = ApiModel()
    """the agent's own HTTP API"""
    pages: PagesModel = PagesModel()
    """the pages people look at"""

    def __repr__(self) -> str:
        """Counts only: the parts hold passwords."""
        parts = ("devices", "machines", "calendars", "publish")
        return f"Site({self.agent.id!r}, {', '.join(f'{len(getattr(self, part))} {part}' for part in parts)})"

    __str__ = __repr__

    @property
    def zone(self) -> ZoneInfo:
        """The zone of shifts, days and hours."""
        return ZoneInfo(self.agent.timezone)

    def tag_config(self, tag: str) -> TagConfig:
        """The configuration of `device.tag`; KeyError if there is none."""
        device, _, name = tag.partition(".")
        return self.devices[device].tags[name]

    def tag_table(self, before: TagTable | None = None, kept: Collection[str] = ()) -> TagTable:
        """A table of every tag, in file order; devices that are `kept` have the very tags they have in `before`, at
        the same places."""
        before = before or TagTable(())
        if kept and list(self.devices) == list(kept) == list(before.devices()):
            return before
        sizes = {device_id: len(device.tags) for device_id, device in self.devices.items()}
        tags: dict[int, Tag] = {}
        for device_id, first in places_for(before, kept, sizes).items():
            device = self.devices[device_id]
            if device_id in kept:
                tags.update((tag.position, tag) for tag in before.device_tags(device_id))
            else:
                tags.update((at, _tag(at, device_id, device, name)) for at, name in enumerate(device.tags, first))
        places = range(max(tags, default=-1) + 1)
        return TagTable([tags.get(at) or Tag(at, VACANT, str(at)) for at in places], list(self.devices))

    def counter(self, machine: str, source: str) -> Counter:
        """A fresh counter for one of the machine's counts (total, good, scrap, rework)."""
        model = self.machines[machine]
        if pulse := model.counts.pulses().get(source):
            return PulseCounter(pulse.debounce)
        tag = self.tag_config(model.counts.tags()[source])
        # A scaled counter wraps at no power of two; its wrap is then taken for a reset.
        own = None if (tag.scale, tag.offset) != (1, 0) else tag.bits() or BITS
        return Counter(model.counter.bits or own, model.max_rate(), model.counter.jitter)

    def line_of(self, machine: str) -> str:
        """The line a machine belongs to: the one it names, or whose station it is; '' if it is in none."""
        return line_of(self.lines, machine, self.machines[machine])

    def calendars_of(self, machine: str) -> Chain:
        """The calendars the machine follows, narrowest scope first: its own, then its line's, then the site's."""
        return self.chain_of(self.machines[machine].calendar, self.lines.get(self.line_of(machine)))

    def chain_of(self, own: tuple[str, ...] | None, line: LineModel | None = None) -> Chain:
        """Calendars of a narrow scope, of a line, and the site's, narrowest first."""
        return chain(self.calendars, own or (), (line.calendar if line else None) or (), self.agent.calendar or ())

    def plan(self, machine: str) -> Calendar:
        """When the machine is planned to be busy; one object for all machines of the same plan."""
        return self.plan_of(self.calendars_of(machine), self.machines[machine].planned_down)

    def plan_of(self, links: Chain, down: tuple[PlannedDownModel, ...] = ()) -> Calendar:
        """The plan of such calendars; one object for the same."""
        key = (self.agent.timezone, tuple(name for name, _ in links), down)
        if key not in self.plans_made:
            self.plans_made[key] = calendar_of(links, self.agent.timezone, down)
        return self.plans_made[key]

    @cached_property
    def plans_made(self) -> dict[Any, Calendar]:
        """Those that were asked for; no part of what makes two sites equal."""
        return {}

    def config_hash(self, machine: str) -> str:
        """12 hex digits of everything that moves the machine's KPIs; equal where they may be compared."""
        model = self.machines[machine]
        counters = {source: self.counter(machine, source) for source in model.counts.tags()}
        tags = {tag: self.tag_config(tag) for tag in model.tags()}
        return config_hash(model, self.plan(machine).identity, counters, tags, self.carbon)


def _tag(position: int, device_id: str, device: DeviceConfig, name: str) -> Tag:
    config = device.tags[name]
    low, high = config.range or (-np.inf, np.inf)
    period = device.period_ns(config)
    return Tag(
        position,
        device_id,
        name,
        kind=config.kind(),
        unit=config.unit,
        scale=config.scale,
        offset=config.offset,
        low=low,
        high=high,
        deadband=config.deadband,
        max_step=np.inf if config.max_step is None else config.max_step,
        stuck_ns=config.stuck_after or 0,
        stale_ns=config.stale or max(STALE_POLLS * period, STALE_LEAST),
        period_ns=period,
    )
