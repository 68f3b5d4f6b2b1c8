"""The whole shop at a glance, in one answer: a tile for each machine, and lines, areas and the site rolled up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import isnan
from typing import Any, Final, Literal, cast

from edge_agent.api import Clock
from edge_agent.config import Site
from edge_agent.core.behind import allowed, ideal_of, planned
from edge_agent.core.board import board
from edge_agent.core.cell import Cell
from edge_agent.core.engine import Engine
from edge_agent.core.machine import Machine
from edge_agent.core.report import OPEN, Report
from edge_agent.core.rollup import Rollup, Scope, group
from edge_agent.core.told import MACHINE
from edge_agent.encode.kpi_record import number
from edge_agent.web.answers import Answer, StateName
from edge_agent.web.kpis import KpiView
from edge_agent.web.times import Times

Number = int | float

# Many who look at once cost no more than one.
FRESH_NS: Final = 500_000_000


class Figured(Answer):
    """The figures of the open shift; where none is open, of the production day, the day or the hour."""

    window: str | None
    """its kind; null while no window is open, or nothing has been published yet"""
    name: str | None
    start: str | None
    end: str | None
    as_of: str | None
    oee: Number | None
    availability: Number | None
    performance: Number | None
    quality: Number | None
    """of a machine by time, so that the three make up the OEE; of machines together by pieces"""
    data_coverage: Number | None
    total: int | None
    good: int | None
    flags: list[str]


class Tile(Figured):
    """A machine."""

    id: str
    line: str | None
    area: str | None
    state: StateName
    reason: str | None
    since: str | None
    source: Literal["operator"] | None
    """who says so, where it is not the machine itself"""
    scrap: int | None
    rework: int | None
    target: Number | None
    """pieces that the planned busy time so far allows at the ideal cycle; null: nobody knows that"""
    target_end: Number | None
    """that the whole window allows, as it is planned"""
    ideal_cycle_s: Number | None
    product: str | None
    order: str | None


class GroupTile(Figured):
    """A line, an area or the site."""

    scope: Literal["line", "area", "site"]
    id: str
    machines: list[str]
    serial: bool
    """its machines work one after the other"""
    constraint: str | None
    """the station that limits a serial line"""
    states: dict[StateName, int]
    """how many machines are in which state"""


class OverviewAnswer(Answer):
    """The shop now."""

    agent: str
    time: str
    timezone: str
    language: Literal["en", "zh"]
    place: list[str]
    """enterprise, site, area: those that are named"""
    machines: list[Tile]
    """in the order of the site file"""
    groups: list[GroupTile]
    """the site first, then areas, then lines; none where there is one machine only"""


class OverviewView:
    """Reads what was published last, and the states as they are now; a hundred machines take some milliseconds."""

    def __init__(self, site: Site, engine: Engine, clock: Clock, times: Times, kpis: KpiView) -> None:
        self._site = site
        self._engine = engine
        self._clock = clock
        self._times = times
        self._kpis = kpis
        scopes = engine.rollups.scopes.values()
        self._made: OverviewAnswer | None = None
        self._made_ns = 0
        self._areas = {name: scope.id for scope in scopes if scope.kind == "area" for name in scope.machines}

    def overview(self) -> OverviewAnswer:
        """Everything; who asks again within half a second gets the same."""
        now = self._clock()
        if self._made is None or not 0 <= now - self._made_ns < FRESH_NS:
            self._made, self._made_ns = self._make(now), now
        return self._made

    def _make(self, now: int) -> OverviewAnswer:
        agent, place = self._site.agent, self._site.agent.place
        records = {name: self._kpis.meant(MACHINE, name) for name in self._engine.machines}
        told = {name: record for name, record in records.items() if isinstance(record, Report)}
        columns = board([record.cell for record in told.values()])
        shares = {
            name: {key: _share(columns[column][at]) for key, column in _SHARES.items()} for at, name in enumerate(told)
        }
        tiles = [
            self._tile(machine, told.get(name), shares.get(name, _NO_SHARES), now)
            for name, machine in self._engine.machines.items()
        ]
        states = {tile.id: tile.state for tile in tiles}
        scopes = sorted(self._engine.rollups.scopes.values(), key=lambda scope: _ORDER.index(scope.kind))
        return OverviewAnswer(
            agent=agent.id,
            time=self._times.iso(now),
            timezone=agent.timezone,
            language=agent.language,
            place=[level for level in (place.enterprise, place.site, place.area) if level],
            machines=tiles,
            groups=[self._group(scope, states) for scope in scopes],
        )

    def _tile(self, machine: Machine, record: Report | None, shares: Mapping[str, Any], now: int) -> Tile:
        span, name = machine.shown(now), machine.spec.id
        ideal = ideal_of(machine, Cell() if record is None else record.cell, now)
        job = machine.ledger.jobs(now, now + 1)[-1:]
        return Tile(
            **self._window(record),
            **shares,
            id=name,
            line=machine.spec.line or None,
            area=self._areas.get(name),
            state=cast(StateName, span.state.name),
            reason=span.reason or None,
            since=self._times.iso(span.start) if span.start else None,
            source="operator" if span.source else None,
            total=None if record is None else record.cell.pq,
            good=None if record is None else record.cell.gq,
            scrap=None if record is None else record.cell.sq,
            rework=None if record is None else record.cell.rq,
            target=None if record is None else number(allowed(record.cell.pbt, ideal)),
            target_end=None if record is None else number(allowed(planned(machine.ledger, record.window), ideal)),
            ideal_cycle_s=number(ideal),
            product=(job[0].product or None) if job else None,
            order=(job[0].order or None) if job else None,
        )

    def _group(self, scope: Scope, states: Mapping[str, StateName]) -> GroupTile:
        record = self._kpis.meant(scope.kind, scope.id)
        found = group(record) if isinstance(record, Rollup) else None
        return GroupTile(
            **self._window(record),
            scope=cast(Literal["line", "area", "site"], scope.kind),
            id=scope.id,
            machines=list(scope.machines),
            serial=scope.serial is not None,
            constraint=(found.constraint or None) if found else None,
            states=dict(Counter(states[name] for name in scope.machines)),
            oee=number(found.oee) if found else None,
            availability=number(found.availability) if found else None,
            performance=number(found.performance) if found else None,
            quality=number(found.quality) if found else None,
            data_coverage=number(found.coverage) if found else None,
            total=found.total if found else None,
            good=found.good if found else None,
        )

    def _window(self, record: Report | Rollup | None) -> dict[str, Any]:
        if record is None:
            return {**dict.fromkeys(("window", "name", "start", "end", "as_of")), "flags": []}
        window = record.window
        return {
            "window": window.kind,
            "name": window.name,
            "start": self._times.iso(window.start),
            "end": None if window.end >= OPEN else self._times.iso(window.end),
            "as_of": self._times.iso(record.as_of),
            "flags": list(record.flags),
        }


_ORDER: Final = ("site", "area", "line")
_SHARES: Final = {
    "oee": "oee", "availability": "availability_classic", "performance": "performance_classic",
    "quality": "quality_time", "data_coverage": "data_coverage",
}  # fmt: skip
_NO_SHARES: Final[dict[str, None]] = dict.fromkeys(_SHARES)


def _share(value: float) -> float | None:
    return None if isnan(value) else float(value)
