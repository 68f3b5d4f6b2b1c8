"""`calendars:`: shifts as local wall-clock rules, planned downtime, and days that differ (domain 2.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from itertools import combinations
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from edge_agent.api import StrictModel
from edge_agent.config.finding import Finding, did_you_mean, report
from edge_agent.config.positive import PositiveDuration
from edge_agent.core.calendar import Break, Calendar, PlannedDown, ShiftRule
from edge_agent.core.quantity import SECOND
from edge_agent.core.wall import wall_to_ns

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_S: Final = 86_400
_WEEK_S: Final = 7 * _DAY_S
_WALL: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")


def _wall_time(value: object) -> time:
    if isinstance(value, time):
        return value
    match = _WALL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('is not a time of day; write "06:00" or "22:30"')
    hour, minute, second = (int(part or 0) for part in match.groups())
    if (hour, minute, second) == (24, 0, 0):
        return time(0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError('is not a time of day; the last one is "23:59:59", midnight is "00:00" or "24:00"')
    return time(hour, minute, second)


def _date(value: object) -> date:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("is not a date; write 2026-10-01")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("is not a date; there is no such day") from error


def _local_instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("is not a local date and time; write 2026-12-01T06:00, local time without offset")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("is not a date and time; there is no such day or hour") from error


def _days(value: object) -> tuple[int, ...]:
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise ValueError("names no days; write mon-fri, sat,sun, daily or [mon, wed]")
    days: set[int] = set()
    for word in words:
        days |= {word} if isinstance(word, int) else _day_range(str(word).strip().lower())
    return tuple(sorted(days))


def _day_range(word: str) -> set[int]:
    if word == "daily":
        return set(range(7))
    first, dash, last = (part.strip() for part in word.partition("-"))
    ends = (first, last) if dash else (first,)
    for name in ends:
        if name not in DAYS:
            hint = did_you_mean(name[:3], DAYS, "days")
            raise ValueError(f"names no day of the week with '{name}'; {hint}")
    start = DAYS.index(first)
    return {(start + n) % 7 for n in range((DAYS.index(ends[-1]) - start) % 7 + 1)}


WallTime = Annotated[
    time,
    BeforeValidator(_wall_time),
    WithJsonSchema({"type": "string", "pattern": r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$|^24:00$"}),
]
LocalDate = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
LocalInstant = Annotated[
    datetime,
    BeforeValidator(_local_instant),
    WithJsonSchema({"type": "string", "pattern": f"^{_INSTANT.pattern}$"}),
]
_DAY_OR_RANGE: Final = rf"({'|'.join(DAYS)})(-({'|'.join(DAYS)}))?"
Days = Annotated[
    tuple[int, ...],
    BeforeValidator(_days),
    WithJsonSchema({
        "anyOf": [
            {"type": "string", "pattern": rf"^daily$|^{_DAY_OR_RANGE}(,{_DAY_OR_RANGE})*$"},
            {"type": "array", "items": {"enum": list(DAYS)}, "minItems": 1},
        ]
    }),
]  # fmt: skip


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _length_s(start: time, end: time) -> int:
    return (_seconds(end) - _seconds(start) - 1) % _DAY_S + 1


def _shown(start: time, end: time) -> str:
    return f"{start:%H:%M} to {end:%H:%M}"


class BreakModel(StrictModel):
    """A planned break: it starts by the clock on the wall and lasts as long as it says."""

    start: WallTime
    """local time of day"""
    for_: PositiveDuration = Field(alias="for")
    """elapsed length"""


class ShiftModel(StrictModel):
    """A shift; an `end` not after `start` is on the next day."""

    days: Days = tuple(range(7))
    """days on which it starts: mon-fri, `mon,wed`, daily or [mon, wed]; default daily"""
    start: WallTime
    """local time of day"""
    end: WallTime
    """local time of day; equal to start means 24 hours"""
    breaks: tuple[BreakModel, ...] = ()
    """planned downtime within every such shift"""

    @property
    def length_s(self) -> int:
        """Length by the clock on the wall, seconds."""
        return _length_s(self.start, self.end)

    @field_validator("breaks")
    @classmethod
    def _breaks_lie_inside(
        cls, breaks: tuple[BreakModel, ...], info: ValidationInfo
    ) -> tuple[BreakModel, ...]:
        start, end = info.data.get("start"), info.data.get("end")
        if start is None or end is None:
            return breaks
        findings = []
        for at, pause in enumerate(breaks):
            since = (_seconds(pause.start) - _seconds(start)) % _DAY_S
            if since * SECOND + pause.for_ > _length_s(start, end) * SECOND:
                hint = f"the shift is {_shown(start, end)}"
                findings.append(Finding("lies outside its shift", hint, (at,)))
        report(findings)
        return breaks

    def __str__(self) -> str:
        return _shown(self.start, self.end)

    def rule(self, name: str) -> ShiftRule:
        """The rule of the core."""
        breaks = tuple(Break(pause.start, pause.for_) for pause in self.breaks)
        return ShiftRule(name, frozenset(self.days), self.start, self.end, breaks)

    def clash(self, other: ShiftModel) -> str:
        """The first day of the week on which both run at once, or ""."""
        for mine in self.days:
            for theirs in other.days:
                apart = (theirs - mine) * _DAY_S + _seconds(other.start) - _seconds(self.start)
                if apart % _WEEK_S < self.length_s or -apart % _WEEK_S < other.length_s:
                    return DAYS[theirs]
        return ""


class PlannedDownModel(StrictModel):
    """A stretch of planned downtime, local time."""

    start: LocalInstant
    """local date and time"""
    end: LocalInstant
    """local date and time, not included"""
    label: str = ""
    """what for"""

    @field_validator("end")
    @classmethod
    def _ends_after_it_starts(cls, end: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("start")
        if start is not None and end <= start:
            report([Finding("is not after start", f"start is {start:%Y-%m-%dT%H:%M}")])
        return end


class CalendarModel(StrictModel):
    """When machines are planned to be busy: in shifts (without any: always), less planned downtime."""

    shifts: Mapping[str, ShiftModel] = Field(default_factory=dict)
    """shift name → rule; the name appears in KPI records"""
    planned_down: tuple[PlannedDownModel, ...] = ()
    """single stretches of planned downtime"""
    exceptions: Mapping[LocalDate, Literal["off", "workday"]] = Field(default_factory=dict)
    """date → off (no shift starts) or workday (every shift of Monday to Friday starts)"""

    @field_validator("shifts")
    @classmethod
    def _shifts_do_not_overlap(cls, shifts: Mapping[str, ShiftModel]) -> Mapping[str, ShiftModel]:
        findings = []
        for (first, one), (second, other) in combinations(shifts.items(), 2):
            day = one.clash(other)
            if day:
                hint = f"'{second}' on {day} is {other}"
                findings.append(Finding(f"overlaps shift '{first}' ({one})", hint, (second,)))
        report(findings)
        return shifts

    def to_core(self, zone: str) -> Calendar:
        """The calendar of the core, with wall times in the IANA zone `zone`."""
        rules = [shift.rule(name) for name, shift in self.shifts.items()]
        planned = [
            PlannedDown(wall_to_ns(down.start, zone), wall_to_ns(down.end, zone), down.label)
            for down in self.planned_down
        ]
        return Calendar(zone, rules or None, planned, self.exceptions)
