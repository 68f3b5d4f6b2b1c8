"""Planned breaks: the same wall-clock times every day, in the plant's zone.

A break starts at a wall time and lasts an elapsed duration, so a change of the clocks moves when
it is, never how long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, PlainValidator

from edge_agent.api import Duration, StrictModel

DAY_NS = 86_400_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_wall_time(value: object) -> time:
    """`"10:00"` → 10 o'clock. ValueError says what would be right."""
    if isinstance(value, str):
        try:
            parsed = time.fromisoformat(value)
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is None:
            return parsed
    raise ValueError('is not a wall-clock time; write it in quotes, such as "10:00"')


def seconds_of_day(wall: time) -> int:
    """Whole seconds since midnight on the wall clock."""
    return wall.hour * 3600 + wall.minute * 60 + wall.second


class Break(StrictModel):
    """One daily break."""

    start: Annotated[time, PlainValidator(parse_wall_time)]
    length: Duration = Field(alias="for", gt=0, le=DAY_NS // 2)
    """elapsed time, ns; written `for: 15min`"""


class Breaks:
    """Every break of one machine, as intervals of time."""

    def __init__(self, rules: Sequence[Break], zone: str) -> None:
        self._rules = sorted(rules, key=lambda rule: rule.start)
        self._zone = ZoneInfo(zone)
        self._days: dict[date, tuple[int, list[tuple[int, int]]]] = {}
        """midnight and the breaks of each day asked about: computing with zones is slow"""

    def between(self, start: int, end: int) -> list[tuple[int, int]]:
        """The breaks (begin, end) that overlap [start, end), ns UTC, in time order, not clipped."""
        if not self._rules:
            return []
        day = datetime.fromtimestamp((start - DAY_NS) // 1_000_000_000, self._zone).date()
        found: list[tuple[int, int]] = []
        while (known := self._day(day))[0] < end:
            found += [span for span in known[1] if span[0] < end and span[1] > start]
            day += timedelta(days=1)
        return found

    def _day(self, day: date) -> tuple[int, list[tuple[int, int]]]:
        if day not in self._days:
            begins = [self._at(datetime.combine(day, rule.start)) for rule in self._rules]
            spans = [(begin, begin + rule.length) for begin, rule in zip(begins, self._rules, strict=True)]
            self._days[day] = self._at(datetime.combine(day, time())), spans
        return self._days[day]

    def current_or_next(self, t: int) -> tuple[int, int] | None:
        """The first break that ends after `t`; None for a machine without breaks."""
        found = [span for span in self.between(t, t + 3 * DAY_NS) if span[1] > t]
        return found[0] if found else None

    def _at(self, wall: datetime) -> int:
        moment = wall.replace(tzinfo=self._zone).astimezone(UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
