"""What is shown of the agent, and what of it has changed since one last looked. No OPC UA yet, no waiting.

Every variable has a key, which is also its node id in the server's namespace:

    press-1.temp                     a tag
    device.press-1.connected         whether there is a session to the device
    machine.press-1.state            a machine's state
    machine.press-1.kpi.shift.oee    a figure of its open window
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from edge_agent.api import ConfigError, Kind, Mistake, Reason, Source, Tag, Value, bad
from edge_agent_opcua.serving.status import LAST_USABLE, NO_FIGURE, NO_SAMPLE, STATUS_GOOD, is_bad, status_of

ALL: Final = "*"
COUNTS: Final = frozenset({"pq", "gq", "sq", "rq"})
FIGURES: Final = (
    "oee", "availability_classic", "performance_classic", "quality_count", "data_coverage", "pq", "gq", "sq",
)  # fmt: skip
"""The figures of each window that are shown unless the site file says which"""

_NEVER: Final = int(np.iinfo(np.int64).min)
_STALE: Final = bad(Reason.STALE)
_NO_QUALITY: Final = 0xFF       # no quality byte: the first look finds everything changed


class Change(NamedTuple):
    """A variable's new value. `value` is None where the status is bad. `time`: ns UTC, of the value itself."""

    key: str
    value: Value | None
    status: int
    time: int


@dataclass(frozen=True, slots=True)
class Outline:
    """Everything that is shown; known before the server listens and then the same as long as the agent lives.

    kpis    figures as `window.name`, of every machine
    """

    tags: Sequence[Tag]
    machines: Sequence[str]
    kpis: Sequence[str]

    @property
    def devices(self) -> Sequence[str]:
        """The devices of the tags, each once, in their order."""
        return tuple(dict.fromkeys(tag.device for tag in self.tags))

    def variables(self) -> Iterator[str]:
        """The key of every variable."""
        yield from (tag.id for tag in self.tags)
        yield from (f"device.{device}.connected" for device in self.devices)
        for machine in self.machines:
            yield f"machine.{machine}.state"
            yield from (f"machine.{machine}.kpi.{kpi}" for kpi in self.kpis)


def outline(
    server: str, source: Source, tags: Sequence[str], machines: Sequence[str], kpis: Sequence[str] | None
) -> Outline:
    """What the site file wants shown: devices and `device.tag`s, machines, figures; `*` for all of them.

    ConfigError where the node ids of a device's tags would be those of machines.
    """
    shown = [tag for tag in source.tags() if ALL in tags or tag.device in tags or tag.id in tags]
    named = [machine for machine in source.machines() if ALL in machines or machine in machines]
    figures = [f"{window}.{name}" for window in source.windows() for name in FIGURES] if kpis is None else list(kpis)
    taken = {f"machine.{machine}" for machine in named}
    if clash := next((tag for tag in shown if tag.id in taken), None):
        text = f"would show tag {clash.id} under the node id of machine {clash.name}"
        hint = "give the device another id than machine, or leave it out of show.tags"
        raise ConfigError(Mistake(f"serve.{server}.show", text, hint=hint))
    return Outline(tuple(shown), tuple(named), tuple(figures))


class Watch:
    """Compares what the agent knows now with what it knew the last time; one for each server that listens."""

    def __init__(self, source: Source, of: Outline) -> None:
        self._source = source
        self._of = of
        n = len(of.tags)
        self._positions = np.fromiter((tag.position for tag in of.tags), np.intp, n)
        self._value = np.full(n, np.nan)
        self._usable = np.full(n, np.nan)       # the last value that was one
        self._usable_time = np.zeros(n, np.int64)
        self._quality = np.full(n, _NO_QUALITY, np.uint8)
        self._seen = np.zeros(n, bool)
        self._lines: dict[str, bool] = {}
        self._states: dict[str, int] = {}
        self._figures: dict[tuple[str, str], float | None] = {}

    def changes(self) -> list[Change]:
        """What has another value or quality than at the last call; all of it at the first. A sample that brings
        what was there already is no change: the time of a value is that of its last change (Part 4, 7.11)."""
        now = self._source.now()
        return [*self._of_tags(now), *self._of_devices(now), *self._of_machines(now)]

    def _of_tags(self, now: int) -> Iterator[Change]:
        latest = self._source.latest()
        time, value = latest.time[self._positions], latest.value[self._positions]
        quality, seen = latest.quality[self._positions], time != _NEVER
        changed = value.view(np.int64) != self._value.view(np.int64)     # as bits: one NaN is like another
        changed |= (quality != self._quality) | (seen != self._seen)
        usable = changed & ~np.isnan(value)
        self._usable[usable], self._usable_time[usable] = value[usable], time[usable]
        self._value, self._quality, self._seen = value, quality, seen
        which = np.flatnonzero(changed)
        columns = (which, seen[which], quality[which], time[which], value[which], self._usable[which],
                   self._usable_time[which])  # fmt: skip
        # as lists: numbers of arrays, one by one, cost several times more
        for n, is_seen, its_quality, at, its_value, usable_value, usable_at in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            tag = self._of.tags[n]
            if not is_seen:
                yield Change(tag.id, None, NO_SAMPLE, now)
            elif its_quality == _STALE:
                yield _change(tag, usable_value, LAST_USABLE, usable_at or at)
            else:
                yield _change(tag, its_value, status_of(its_quality), at)

    def _of_devices(self, now: int) -> Iterator[Change]:
        for device in self._of.devices:
            connected = self._source.connected(device)
            if connected != self._lines.get(device):
                self._lines[device] = connected
                yield Change(f"device.{device}.connected", connected, STATUS_GOOD, now)

    def _of_machines(self, now: int) -> Iterator[Change]:
        for machine in self._of.machines:
            state = self._source.state(machine)
            if state != self._states.get(machine):
                self._states[machine] = state
                yield Change(f"machine.{machine}.state", state, STATUS_GOOD, now)
            for kpi in self._of.kpis:
                figure = self._source.kpi(machine, *kpi.split(".", 1))
                if (machine, kpi) not in self._figures or figure != self._figures[machine, kpi]:
                    self._figures[machine, kpi] = figure
                    status = NO_FIGURE if figure is None else STATUS_GOOD
                    yield Change(f"machine.{machine}.kpi.{kpi}", figure, status, now)


def _change(tag: Tag, value: float, status: int, time: int) -> Change:
    if is_bad(status):
        return Change(tag.id, None, status, time)
    if value != value:
        return Change(tag.id, None, NO_SAMPLE, time)
    return Change(tag.id, _as_kind(tag, value), status, time)


def _as_kind(tag: Tag, value: float) -> Value:
    if tag.kind is Kind.TEXT:
        return tag.vocabulary.proper(value)
    if tag.kind is Kind.BOOL:
        return bool(value)
    return int(value) if tag.kind is Kind.INT and value.is_integer() else value


