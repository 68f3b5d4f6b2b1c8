"""Calendars: when a machine was planned to be busy.

A calendar cuts time into spans that are BUSY, PLANNED_DOWN or NON_SCHEDULED; planned down time beats
busy time, and what nobody planned is not scheduled (domain 2.3). `Calendar` follows shift rules in
local wall-clock time (domain 2.8), `FixedCalendar` is a list of instants.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.core import wall
from edge_agent.core.rota import CACHED_DAYS, OFF, ONE_DAY, Break, Instance, Rota, Shift, ShiftRule
from edge_agent.core.tiles import BUSY, CalendarKind, CalendarSpan, PlannedDown, clip, extend, tile
from edge_agent.core.wall import DAY, Stretch, wall_to_ns

__all__ = ["Break", "Calendar", "CalendarKind", "CalendarSpan", "FixedCalendar", "PlannedDown",
           "Shift", "ShiftRule", "Stretch", "wall_to_ns"]

ALWAYS: Final = (date.min, date.max)
FAR: Final = 7 * DAY            # how far beyond the known events an endless state is judged


class _Base:
    """What all calendars can do once they can cut time into spans."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._place = ZoneInfo(zone)

    def spans(self, start: int, end: int) -> list[CalendarSpan]:
        """Spans that tile [start, end) exactly, in order; none if it is empty."""
        raise NotImplementedError

    def shifts(self, start: int, end: int) -> list[Shift]:
        """The shift instances that overlap [start, end), whole, in order of their start."""
        raise NotImplementedError

    def extent(self, first: int, last: int) -> tuple[int, int]:
        """Where an endless state begins and ends to be judged, given the first and last known event."""
        raise NotImplementedError

    def busy(self, start: int, end: int) -> int:
        """Busy ns within [start, end)."""
        return sum(span.end - span.start for span in self.spans(start, end) if span.kind is BUSY)

    def busy_exceeds(self, start: int, end: int, limit: int) -> bool:
        """Whether [start, end) holds more than `limit` busy ns; looks no further than it must."""
        if end - start <= limit:
            return False
        found, at = 0, start
        while at < end and found <= limit:
            found += self.busy(at, min(at + DAY, end))
            at += DAY
        return found > limit

    def first_busy(self, start: int, end: int) -> int | None:
        """The first busy instant of [start, end)."""
        at = start
        while at < end:
            for span in self.spans(at, min(at + DAY, end)):
                if span.kind is BUSY:
                    return span.start
            at += DAY
        return None

    def days(self, start: int, end: int) -> list[Stretch]:
        """The local calendar days that overlap [start, end)."""
        return wall.days(start, end, self._place)

    def hours(self, start: int, end: int) -> list[Stretch]:
        """The local clock hours that overlap [start, end)."""
        return wall.hours(start, end, self._place)


class FixedCalendar(_Base):
    """Busy and planned-down spans as given, in any order, overlapping or not; the rest is not scheduled."""

    def __init__(self, spans: Iterable[CalendarSpan], zone: str = "UTC") -> None:
        super().__init__(zone)
        given = list(spans)
        busy = [(s.start, s.end, s.label) for s in given if s.kind is BUSY]
        down = [PlannedDown(s.start, s.end, s.label) for s in given if s.kind is CalendarKind.PLANNED_DOWN]
        bounds = [s.start for s in given] + [s.end for s in given]
        self._extent = (min(bounds), max(bounds)) if bounds else (0, 0)
        self._tiles = tile(*self._extent, busy, down)
        self._starts = [span.start for span in self._tiles]

    def spans(self, start: int, end: int) -> list[CalendarSpan]:
        if start >= end:
            return []
        found: list[CalendarSpan] = []
        low, high = self._extent
        if start < low:
            extend(found, CalendarSpan(start, min(low, end), CalendarKind.NON_SCHEDULED))
        at = max(0, bisect_right(self._starts, start) - 1)
        while at < len(self._tiles) and self._tiles[at].start < end:
            if self._tiles[at].end > start:
                extend(found, clip(self._tiles[at], start, end))
            at += 1
        if end > high:
            extend(found, CalendarSpan(max(start, high), end, CalendarKind.NON_SCHEDULED))
        return found

    def shifts(self, start: int, end: int) -> list[Shift]:
        return []

    def extent(self, first: int, last: int) -> tuple[int, int]:
        return self._extent


class Calendar(_Base):
    """Shift rules of one zone; pure and cached by local day, so asking again is cheap. Equal if all it was made of is.

    `shifts=None` is a machine that is always busy and has no shifts. `exceptions` maps dates on which shifts
    start to `"off"`, `"workday"` or a day of the week (see `core.rota.runs`); a day that is off is not scheduled
    where there are no shifts. `planned_down` is everybody's, `machine_down` this machine's own: it wins.
    The calendar holds on the dates of `valid` (first, last); on any other `instead` does, which is that of a wider
    scope or of another time (machine, line, site: domain 2.3), and where nothing holds nothing is scheduled.
    """

    def __init__(
        self,
        zone: str = "UTC",
        shifts: Sequence[ShiftRule] | None = (),
        planned_down: Sequence[PlannedDown] = (),
        exceptions: Mapping[date, str] | None = None,
        machine_down: Sequence[PlannedDown] = (),
        valid: tuple[date, date] = ALWAYS,
        instead: Calendar | None = None,
    ) -> None:
        super().__init__(zone)
        self._is_shiftless = shifts is None
        self._rota = Rota(self._place, shifts or (), exceptions or {})
        self._planned = sorted(planned_down)
        self._own = sorted(machine_down)
        self._valid = valid
        self._instead = instead
        self._days: dict[date, list[CalendarSpan]] = {}
        self._last: tuple[int, int, date] = (0, 0, date.min)     # the day last asked about

    @cached_property
    def identity(self) -> str:
        """The same for calendars that plan the same by the same rules, in any process; 16 hex digits."""
        return hashlib.sha256(repr(self._made_of).encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return self._made_of == other._made_of if isinstance(other, Calendar) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._made_of)

    @cached_property
    def _made_of(self) -> tuple[object, ...]:
        """All that makes a difference to what is planned: labels do not, names of shifts do."""
        rules = None if self._is_shiftless else tuple(sorted(map(_of_rule, self._rota.rules)))
        exceptions = tuple(sorted((day.isoformat(), kind) for day, kind in self._rota.exceptions.items()))
        downs = tuple(sorted({(d.start, d.end, d.counts_as_loss) for d in down}) for down in (self._planned, self._own))
        first, last = self._valid
        instead = None if self._instead is None else self._instead._made_of
        return (self.zone, rules, exceptions, *map(tuple, downs), first.isoformat(), last.isoformat(), instead)

    def spans(self, start: int, end: int) -> list[CalendarSpan]:
        found: list[CalendarSpan] = []
        if start >= end:
            return found
        day, at = self._date(start), start
        while at < end:
            for span in self._day(day):
                if span.end > start and span.start < end:
                    extend(found, clip(span, start, end))
            day += ONE_DAY
            at = found[-1].end
        return found

    def shifts(self, start: int, end: int) -> list[Shift]:
        if start >= end:
            return []
        day, last = wall.day_at(start, self._place) - ONE_DAY, wall.day_at(end - 1, self._place)
        found: list[Shift] = []
        while day <= last:
            found += [shift for shift, _ in self._starting(day) if shift.end > start and shift.start < end]
            day += ONE_DAY
        return sorted(found, key=lambda shift: (shift.start, shift.end))

    def extent(self, first: int, last: int) -> tuple[int, int]:
        return first - FAR, last + FAR

    def _date(self, t: int) -> date:
        start, end, day = self._last
        if not start <= t < end:
            day = wall.day_at(t, self._place)
            spans = self._day(day)
            self._last = (spans[0].start, spans[-1].end, day)
        return day

    def _day(self, day: date) -> list[CalendarSpan]:
        """The spans of one local day; shifts of the day before may reach into it."""
        if day not in self._days:
            if len(self._days) >= CACHED_DAYS:
                self._days.clear()
            self._days[day] = self._cut(day)
        return self._days[day]

    def _cut(self, day: date) -> list[CalendarSpan]:
        start, end = wall.day_start(day, self._place), wall.day_start(day + ONE_DAY, self._place)
        instances = self._starting(day - ONE_DAY) + self._starting(day)
        busy = [(shift.start, shift.end, shift.name) for shift, _ in instances]
        breaks = [pause for _, pauses in instances for pause in pauses]
        shared: list[PlannedDown] = []
        holding = self._holding(day)
        if holding is not None:
            shared = holding._planned
            if holding._is_shiftless and holding._rota.exceptions.get(day) != OFF:
                busy.append((start, end, ""))
        own, others = (
            [one for one in down if one.end > start and one.start < end] for down in (self._own, [*shared, *breaks])
        )
        return tile(start, end, busy, own, others)

    def _starting(self, day: date) -> list[Instance]:
        """The shifts that start on a local date, each with its breaks."""
        holding = self._holding(day)
        return [] if holding is None else holding._rota.of(day)

    def _holding(self, day: date) -> Calendar | None:
        """Which of the calendars holds on a local date."""
        first, last = self._valid
        if first <= day <= last:
            return self
        return None if self._instead is None else self._instead._holding(day)


def _of_rule(rule: ShiftRule) -> tuple[object, ...]:
    breaks = tuple(sorted((pause.start.isoformat(), pause.duration, pause.counts_as_loss) for pause in rule.breaks))
    times = (rule.start, rule.end, rule.valid_from, rule.valid_until)
    return (rule.name, tuple(sorted(rule.days)), *(at.isoformat() for at in times), breaks)
