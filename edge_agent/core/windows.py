"""Which windows a machine has: shifts, hours, days, production days and jobs.

A production day runs from the start of the first shift of its date to that of the next (domain 2.8); a date
without shifts begins at midnight, or where the last shift before it ends. Production days tile time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.core.calendar import Calendar
from edge_agent.core.ledger import Ledger
from edge_agent.core.machine import MachineSpec
from edge_agent.core.report import OPEN, Window
from edge_agent.core.wall import DAY, day_at

KINDS: Final = ("hour", "shift", "day", "production_day", "job")
"""From the shortest to the longest, as a rule."""


def windows_of(spec: MachineSpec, ledger: Ledger, kind: str, start: int, end: int) -> list[Window]:
    """The machine's windows of `kind` that overlap [start, end), oldest first."""
    if kind == "job":
        return list(_jobs(spec, ledger, start, end))
    return calendar_windows(spec.calendar, spec.zone, kind, start, end)


def calendar_windows(calendar: Calendar, zone: str, kind: str, start: int, end: int) -> list[Window]:
    """Windows of a `kind` that a calendar has; none of others, such as jobs."""
    if start >= end:
        return []
    if kind == "shift":
        shifts = calendar.shifts(start, end)
        return [Window(kind, one.name, one.start, one.end, one.production_date, zone) for one in shifts]
    if kind == "production_day":
        days = production_days(calendar, start, end)
        return [Window(kind, kind, low, high, day, zone) for day, low, high in days]
    if kind not in ("hour", "day"):
        return []
    stretches = calendar.hours(start, end) if kind == "hour" else calendar.days(start, end)
    return [Window(kind, kind, one.start, one.end, one.date, zone) for one in stretches]


def production_days(calendar: Calendar, start: int, end: int) -> list[tuple[date, int, int]]:
    """(date, start, end) of those that overlap [start, end)."""
    days = calendar.days(start - 3 * DAY, end + 3 * DAY)
    first: dict[date, int] = {}
    last: dict[date, int] = {}
    for shift in calendar.shifts(days[0].start, days[-1].end):
        day = shift.production_date
        first[day] = min(first.get(day, shift.start), shift.start)
        last[day] = max(last.get(day, 0), shift.end)
    one = timedelta(days=1)
    begins = [(day.date, first.get(day.date, max(day.start, last.get(day.date - one, 0)))) for day in days[1:]]
    return [(day, low, high) for (day, low), (_, high) in pairwise(begins) if low < end and high > start]


def _jobs(spec: MachineSpec, ledger: Ledger, start: int, end: int) -> Iterator[Window]:
    if spec.job is None and spec.number is None:
        return
    place = ZoneInfo(spec.zone)
    for job in ledger.jobs(start, end):
        if spec.job is None and not job.order:
            continue        # what the machine always makes: before the first order it would go back for ever
        day = day_at(job.start, place)
        until = OPEN if job.end is None else job.end
        yield Window("job", job.product or "job", job.start, until, day, spec.zone, job.order)
