"""`calendars:`: shifts as local wall-clock rules, planned downtime, and days that differ (domain 2.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from itertools import combinations, pairwise
from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edge_agent.api import StrictModel
from edge_agent.config.finding import Finding, report
from edge_agent.config.holidays import Region, holidays_of
from edge_agent.config.positive import PositiveDuration
from edge_agent.config.wall_words import Days, LocalDate, LocalInstant, WallTime
from edge_agent.core.calendar import Break, Calendar, PlannedDown, Shift, ShiftRule, wall_to_ns
from edge_agent.core.quantity import SECOND
from edge_agent.core.rota import DAYS, OFF, ONE_DAY, WORKDAY
from edge_agent.core.wall import DAY

_DAY_S: Final = 86_400
_WEEK_S: Final = 7 * _DAY_S
_UTC: Final = "UTC"     # whether shifts overlap is the same in every zone: none turns the order of wall times round

_SOME_DAY: Final = date(1970, 1, 2)

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DayKind = Literal["off", "workday", "mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _length_s(start: time, end: time) -> int:
    return (_seconds(end) - _seconds(start) - 1) % _DAY_S + 1


def _shown(start: time, end: time) -> str:
    return f"{start:%H:%M} to {end:%H:%M}"


def _in_order(first: date | None, last: date | None) -> date | None:
    if first is not None and last is not None and last < first:
        report([Finding("is before from", f"from is {first}; until is the last day")])
    return last


class BreakModel(StrictModel):
    """A planned break: it starts by the clock on the wall and lasts as long as it says."""

    start: WallTime
    """local time of day"""
    for_: PositiveDuration = Field(alias="for")
    """elapsed length"""
    label: str = ""
    """what for"""
    counts_as_loss: bool = False
    """true: it stays planned busy time, so that standing still is a loss"""

    def to_core(self) -> Break:
        """The break of the core."""
        return Break(self.start, self.for_, self.label, self.counts_as_loss)


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
    from_: LocalDate | None = Field(default=None, alias="from")
    """the first date on which it starts"""
    until: LocalDate | None = None
    """the last date on which it starts"""

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
        taken: list[tuple[int, int, int]] = []
        for at, pause in enumerate(breaks):
            since = (_seconds(pause.start) - _seconds(start)) % _DAY_S * SECOND
            if since + pause.for_ > _length_s(start, end) * SECOND:
                hint = f"the shift is {_shown(start, end)}"
                findings.append(Finding("lies outside its shift", hint, (at,)))
            taken.append((since, since + pause.for_, at))
        for (_, before, other), (since, _, at) in pairwise(sorted(taken)):
            if since < before:
                findings.append(Finding(f"begins within breaks[{other}]", "write them as one break", (at,)))
        report(findings)
        return breaks

    @field_validator("until")
    @classmethod
    def _is_valid_for_a_time(cls, until: date | None, info: ValidationInfo) -> date | None:
        return _in_order(info.data.get("from_"), until)

    def __str__(self) -> str:
        return _shown(self.start, self.end)

    def rule(self, name: str) -> ShiftRule:
        """The rule of the core."""
        breaks = tuple(pause.to_core() for pause in self.breaks)
        first, last = self.from_ or date.min, self.until or date.max
        return ShiftRule(name, frozenset(self.days), self.start, self.end, breaks, first, last)

    def clash(self, other: ShiftModel) -> str:
        """The day of the week on which `other` starts when both run at once, or ""."""
        for mine in self.days:
            for theirs in other.days:
                apart = (theirs - mine) * _DAY_S + _seconds(other.start) - _seconds(self.start)
                if (apart % _WEEK_S < self.length_s or -apart % _WEEK_S < other.length_s) and self._meets(other):
                    return DAYS[theirs]
        return ""

    def _meets(self, other: ShiftModel) -> bool:
        """Whether both are ever in force at once, so that a clash of the week happens."""
        rules = [self.rule("a"), other.rule("b")]
        first = max(_SOME_DAY, *(rule.valid_from for rule in rules))
        return overlap(Calendar(_UTC, rules), (first + timedelta(n) for n in range(9))) is not None


class PlannedDownModel(StrictModel):
    """A stretch of planned downtime, local time."""

    start: LocalInstant
    """local date and time"""
    end: LocalInstant
    """local date and time, not included"""
    label: str = ""
    """what for"""
    counts_as_loss: bool = False
    """true: what of it lies within shifts stays planned busy time, so that standing still is a loss"""

    @field_validator("end")
    @classmethod
    def _ends_after_it_starts(cls, end: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("start")
        if start is not None and end <= start:
            report([Finding("is not after start", f"start is {start:%Y-%m-%dT%H:%M}")])
        return end

    def to_core(self, zone: str) -> PlannedDown:
        """The stretch of the core, with wall times in the IANA zone `zone`."""
        return PlannedDown(wall_to_ns(self.start, zone), wall_to_ns(self.end, zone), self.label, self.counts_as_loss)


class CalendarModel(StrictModel):
    """When machines are planned to be busy: in shifts (without any: always), less planned downtime."""

    shifts: Mapping[str, ShiftModel] = Field(default_factory=dict)
    """shift name → rule; the name appears in KPI records"""
    planned_down: tuple[PlannedDownModel, ...] = ()
    """single stretches of planned downtime"""
    holidays: Region | None = None
    """country, or part of one (CN, DE-BY), whose public holidays are off and whose adjusted workdays are worked"""
    exceptions: Mapping[LocalDate, DayKind] = Field(default_factory=dict)
    """date → off (no shift starts), workday, or the day of the week it is worked like; wins over holidays"""
    workday: DayName | None = None
    """day of the week that a workday is worked like; default every shift of Monday to Friday"""
    from_: LocalDate | None = Field(default=None, alias="from")
    """the first date on which it holds"""
    until: LocalDate | None = None
    """the last date on which it holds; shifts that start then are worked to their end"""

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

    @field_validator("until")
    @classmethod
    def _is_valid_for_a_time(cls, until: date | None, info: ValidationInfo) -> date | None:
        return _in_order(info.data.get("from_"), until)

    @model_validator(mode="after")
    def _plans_something(self) -> CalendarModel:
        if not (self.shifts or self.planned_down or self.holidays or self.exceptions):
            report([Finding("plans nothing", "write shifts, or leave it out: without one a machine is always busy")])
        return self

    @model_validator(mode="after")
    def _exceptions_do_not_make_shifts_overlap(self) -> CalendarModel:
        kinds = self.days_that_differ()
        calendar = self.to_core(_UTC)
        for day, kind in sorted(kinds.items(), reverse=True):      # of holidays, the dates that are still to come
            found = None if kind == OFF else overlap(calendar, [day])
            if found is None:
                continue
            key = ("exceptions", day.isoformat()) if day in self.exceptions else ("holidays",)
            hint = "write another day of the week" if kind != WORKDAY else "write workday: with a day of the week"
            report([Finding(f"lets shifts overlap on {day}: {told(*found)}", hint, key)])
        return self

    def days_that_differ(self) -> dict[date, str]:
        """Date → off, workday or a day of the week, holidays included."""
        told = {**(holidays_of(self.holidays) if self.holidays else {}), **self.exceptions}
        return {day: self.workday if kind == WORKDAY and self.workday else kind for day, kind in told.items()}

    def to_core(self, zone: str, machine_down: Iterable[PlannedDown] = (), instead: Calendar | None = None) -> Calendar:
        """The calendar of the core, with wall times in the IANA zone `zone`; see there for the rest."""
        rules = [shift.rule(name) for name, shift in self.shifts.items()]
        planned = [down.to_core(zone) for down in self.planned_down]
        valid = self.from_ or date.min, self.until or date.max
        return Calendar(zone, rules or None, planned, self.days_that_differ(), tuple(machine_down), valid, instead)


def overlap(calendar: Calendar, days: Iterable[date]) -> tuple[Shift, Shift] | None:
    """Two shifts that run at once, the later of which starts on one of the days or the day after."""
    for day in days:
        start = wall_to_ns(datetime.combine(day, time()), calendar.zone)
        for one, other in pairwise(calendar.shifts(start - DAY, start + 2 * DAY)):
            if other.start < one.end and other.production_date in (day, day + ONE_DAY):
                return one, other
    return None


def told(one: Shift, other: Shift) -> str:
    """Two shifts in words."""
    return f"'{one.name}' of {one.production_date} and '{other.name}' of {other.production_date}"
