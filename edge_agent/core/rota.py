"""Rotas: which shifts run on a local date, by rules of the wall clock (domain 2.8).

A rule is a shift on some weekdays, for as long as it is valid; an exception makes a date free, or worked
like another day of the week. What is asked of a date never depends on what was asked before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from edge_agent.core.tiles import PlannedDown
from edge_agent.core.wall import wall_to_ns

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKDAYS: Final = frozenset(range(5))
OFF, WORKDAY = "off", "workday"
EXCEPTIONS: Final = (OFF, WORKDAY, *DAYS)
ONE_DAY: Final = timedelta(days=1)
CACHED_DAYS: Final = 1024       # a bit over two years of local days, a few hundred bytes each


class Break(NamedTuple):
    """A break begins by the wall clock and lasts as long as it lasts, ns elapsed."""

    start: time
    duration: int
    label: str = ""
    counts_as_loss: bool = False


class ShiftRule(NamedTuple):
    """A shift on some weekdays (0 = Monday), from wall time to wall time; `end <= start` is the next day.

    It starts on no date before `valid_from` and on none after `valid_until`.
    """

    name: str
    days: frozenset[int]
    start: time
    end: time
    breaks: tuple[Break, ...] = ()
    valid_from: date = date.min
    valid_until: date = date.max


class Shift(NamedTuple):
    """One instance of a rule, half-open [start, end), ns UTC; dated by the local date of its start."""

    name: str
    start: int
    end: int
    production_date: date


Instance = tuple[Shift, list[PlannedDown]]
"""A shift and its breaks."""


def runs(rule: ShiftRule, day: date, exception: str) -> bool:
    """Whether a shift starts on a local date.

    `exception`: `""`, `"off"` (none starts), `"workday"` (every one that runs on any of Monday to Friday,
    which is how adjusted holidays, 调休, are worked), or the day of the week the date is worked like.
    """
    if exception == OFF or not rule.valid_from <= day <= rule.valid_until:
        return False
    if exception == WORKDAY:
        return not WORKDAYS.isdisjoint(rule.days)
    return (DAYS.index(exception) if exception else day.weekday()) in rule.days


class Rota:
    """Shift rules of one zone with exceptions by date, see `runs`; cached by date."""

    def __init__(self, place: ZoneInfo, rules: Sequence[ShiftRule], exceptions: Mapping[date, str]) -> None:
        if wrong := sorted(set(exceptions.values()) - set(EXCEPTIONS)):
            raise ValueError(f"{wrong[0]!r} is not an exception; write off, workday or a day of the week")
        self._place = place
        self.rules = tuple(rules)
        self.exceptions = dict(exceptions)
        self._found: dict[date, list[Instance]] = {}

    def of(self, day: date) -> list[Instance]:
        """The shifts that start on a local date, in the order of the rules."""
        if day not in self._found:
            if len(self._found) >= CACHED_DAYS:
                self._found.clear()
            exception = self.exceptions.get(day, "")
            started = [self._instance(rule, day) for rule in self.rules if runs(rule, day, exception)]
            # A clock change may skip a short shift from its start to its end.
            self._found[day] = [one for one in started if one[0].start < one[0].end]
        return self._found[day]

    def _instance(self, rule: ShiftRule, day: date) -> Instance:
        following = day + ONE_DAY
        start = self._at(day, rule.start)
        end = self._at(day if rule.end > rule.start else following, rule.end)
        pauses: list[PlannedDown] = []
        for pause in rule.breaks:
            begin = self._at(day if pause.start >= rule.start else following, pause.start)
            low, high = max(begin, start), min(begin + pause.duration, end)
            if low < high:
                pauses.append(PlannedDown(low, high, pause.label, pause.counts_as_loss))
        return Shift(rule.name, start, end, day), pauses

    def _at(self, day: date, clock: time) -> int:
        return wall_to_ns(datetime.combine(day, clock), self._place)
