"""Calendars: when a machine was planned to be busy.

A calendar cuts time into spans that are BUSY, PLANNED_DOWN or NON_SCHEDULED; planned down time beats
busy time, and what nobody planned is not scheduled (domain 2.3). `Calendar` follows shift rules in
local wall-clock time (domain 2.8), `FixedCalendar` is a list of instants.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from edge_agent.core import wall
from edge_agent.core.tiles import BUSY, CalendarKind, CalendarSpan, clip, extend, tile
from edge_agent.core.wall import DAY, Stretch, wall_to_ns

__all__ = ["Break", "Calendar", "CalendarKind", "CalendarSpan", "FixedCalendar", "PlannedDown",
           "Shift", "ShiftRule", "Stretch", "wall_to_ns"]

WEEKDAYS: Final = frozenset(range(5))
CACHED_DAYS: Final = 1024       # a bit over two years of local days, a few hundred bytes each
FAR: Final = 7 * DAY            # how far beyond the known events an endless state is judged


class PlannedDown(NamedTuple):
    """Planned down time between two instants, ns UTC, such as a planned maintenance."""

    start: int
    end: int
    label: str = ""


class Break(NamedTuple):
    """A break begins by the wall clock and lasts as long as it lasts, ns elapsed."""

    start: time
    duration: int
    label: str = ""


class ShiftRule(NamedTuple):
    """A shift on some weekdays (0 = Monday), from wall time to wall time; `end <= start` is the next day."""

    name: str
    days: frozenset[int]
    start: time
    end: time
    breaks: tuple[Break, ...] = ()


class Shift(NamedTuple):
    """One instance of a rule, half-open [start, end), ns UTC; dated by the local date of its start."""

    name: str
    start: int
    end: int
    production_date: date


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
        down = [(s.start, s.end, s.label) for s in given if s.kind is CalendarKind.PLANNED_DOWN]
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
    """Shift rules of one zone; pure and cached by local day, so asking again is cheap.

    `shifts=None` is a machine without a calendar: always busy, no shifts. `exceptions` maps
    production dates to `"off"` (no shift starts) or `"workday"` (every shift runs that runs on any
    of Monday to Friday), which is how adjusted holidays (调休) are written.
    """

    def __init__(
        self,
        zone: str = "UTC",
        shifts: Sequence[ShiftRule] | None = (),
        planned_down: Sequence[PlannedDown] = (),
        exceptions: Mapping[date, str] | None = None,
    ) -> None:
        super().__init__(zone)
        self.exceptions = dict(exceptions or {})
        if wrong := sorted(set(self.exceptions.values()) - {"off", "workday"}):
            raise ValueError(f"{wrong[0]!r} is not an exception; write off or workday")
        self.rules = None if shifts is None else tuple(shifts)
        self._planned = sorted(planned_down)
        self._instances: dict[date, list[tuple[Shift, list[PlannedDown]]]] = {}
        self._days: dict[date, list[CalendarSpan]] = {}
        self._last: tuple[int, int, date] = (0, 0, date.min)     # the day last asked about

    def spans(self, start: int, end: int) -> list[CalendarSpan]:
        found: list[CalendarSpan] = []
        if start >= end:
            return found
        day, at = self._date(start), start
        while at < end:
            for span in self._day(day):
                if span.end > start and span.start < end:
                    extend(found, clip(span, start, end))
            day += timedelta(days=1)
            at = found[-1].end
        return found

    def shifts(self, start: int, end: int) -> list[Shift]:
        if start >= end:
            return []
        day, last = wall.day_at(start, self._place) - timedelta(days=1), wall.day_at(end - 1, self._place)
        found: list[Shift] = []
        while day <= last:
            found += [shift for shift, _ in self._of_date(day) if shift.end > start and shift.start < end]
            day += timedelta(days=1)
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
        start = wall.day_start(day, self._place)
        end = wall.day_start(day + timedelta(days=1), self._place)
        instances = self._of_date(day - timedelta(days=1)) + self._of_date(day)
        busy = [(shift.start, shift.end, shift.name) for shift, _ in instances]
        if self.rules is None:
            busy = [(start, end, "")]
        breaks = [pause for _, pauses in instances for pause in pauses]
        down = [pause for pause in [*self._planned, *breaks] if pause.end > start and pause.start < end]
        return tile(start, end, busy, down)

    def _of_date(self, day: date) -> list[tuple[Shift, list[PlannedDown]]]:
        """The shifts that start on a local date, each with its breaks."""
        if day not in self._instances:
            if len(self._instances) >= CACHED_DAYS:
                self._instances.clear()
            exception = self.exceptions.get(day)
            weekdays = WEEKDAYS if exception == "workday" else {day.weekday()}
            rules = () if exception == "off" else self.rules or ()
            runs = [rule for rule in rules if not weekdays.isdisjoint(rule.days)]
            self._instances[day] = [self._instance(rule, day) for rule in runs]
        return self._instances[day]

    def _instance(self, rule: ShiftRule, day: date) -> tuple[Shift, list[PlannedDown]]:
        following = day + timedelta(days=1)
        start = self._at(day, rule.start)
        end = self._at(day if rule.end > rule.start else following, rule.end)
        pauses: list[PlannedDown] = []
        for pause in rule.breaks:
            begin = self._at(day if pause.start >= rule.start else following, pause.start)
            clipped = PlannedDown(max(begin, start), min(begin + pause.duration, end), pause.label)
            if clipped.start < clipped.end:
                pauses.append(clipped)
        return Shift(rule.name, start, end, day), pauses

    def _at(self, day: date, clock: time) -> int:
        return wall_to_ns(datetime.combine(day, clock), self._place)
