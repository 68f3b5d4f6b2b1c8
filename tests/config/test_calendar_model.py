"""Calendars as people write them, and as the core understands them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from site_files import FAKE_SITE, mistakes_of, site_of, told

from edge_agent.config.calendar import CalendarModel, ShiftModel
from edge_agent.core.calendar import CalendarKind

HOUR = 3_600_000_000_000


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon-fri", (0, 1, 2, 3, 4)), ("mon,wed", (0, 2)), ("daily", (0, 1, 2, 3, 4, 5, 6)), ("sun", (6,)),
        ("sat-mon", (0, 5, 6)), ("mon-wed, sat", (0, 1, 2, 5)), ("MON-FRI", (0, 1, 2, 3, 4)),
        (["mon", "wed"], (0, 2)), (["mon-tue", "sun"], (0, 1, 6)),
    ],
)  # fmt: skip
def test_days_are_written_in_many_ways(written: Any, days: tuple[int, ...]) -> None:
    assert ShiftModel.model_validate({"days": written, "start": "06:00", "end": "14:00"}).days == days


@pytest.mark.parametrize("written", ["", "monday", "mon-", "1-5", [], 5, None])
def test_what_names_no_days_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError, match=r"names no day"):
        ShiftModel.model_validate({"days": written, "start": "06:00", "end": "14:00"})


@pytest.mark.parametrize(
    ("end", "hours"), [("14:00", 8), ("06:00", 24), ("05:00", 23), ("24:00", 18), ("06:01", 1 / 60)]
)
def test_an_end_not_after_the_start_is_on_the_next_day(end: str, hours: float) -> None:
    shift = ShiftModel.model_validate({"start": "06:00", "end": end})
    assert shift.length_s == round(hours * 3600)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (("mon-fri", "06:00", "14:00"), ("mon-fri", "14:00", "22:00"), ""),
        (("mon-fri", "06:00", "14:00"), ("mon-fri", "13:59", "22:00"), "mon"),
        (("mon-fri", "22:00", "06:00"), ("sat", "05:59", "12:00"), "sat"),
        (("sun", "22:00", "06:00"), ("mon", "05:00", "12:00"), "mon"),
        (("mon", "05:00", "12:00"), ("sun", "22:00", "06:00"), "sun"),
        (("mon", "06:00", "06:00"), ("tue", "06:00", "06:00"), ""),
        (("mon", "06:00", "06:00"), ("tue", "05:00", "05:30"), "tue"),
        (("mon,wed", "06:00", "14:00"), ("tue,thu", "06:00", "14:00"), ""),
        (("daily", "06:00", "14:00"), ("sun", "08:00", "09:00"), "sun"),
    ],
)
def test_shifts_that_run_at_once_are_found(
    one: tuple[str, str, str], other: tuple[str, str, str], clash: str
) -> None:
    first, second = (
        ShiftModel.model_validate(dict(zip(("days", "start", "end"), rule, strict=True)))
        for rule in (one, other)
    )
    assert first.clash(second) == clash


CALENDAR = """\
calendars:
  c:
    shifts:
      early: {days: mon-fri, start: "06:00", end: "14:00", breaks: [{start: "10:00", for: 15min}]}
"""


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ('      late: {start: "12:00", end: "20:00"}', "20: calendars.c.shifts.late: overlaps shift 'early' "
         "(06:00 to 14:00); 'late' on mon is 12:00 to 20:00"),
        ('      n: {start: "22:00", end: "06:00", breaks: [{start: "05:50", for: 11min}]}',
         "20: calendars.c.shifts.n.breaks[0]: lies outside its shift; the shift is 22:00 to 06:00"),
        ('      n: {start: "22:00", end: "06:00", breaks: [{start: "05:50"}]}',
         "20: calendars.c.shifts.n.breaks[0].for: is missing"),
        ('      n: {days: weekdays, start: "22:00", end: "06:00"}',
         "20: calendars.c.shifts.n.days: 'weekdays' names no day of the week with 'weekdays'; did you "
         "mean 'wed'?"),
        ('      n: {start: "22:60", end: "06:00"}', "20: calendars.c.shifts.n.start: '22:60' is not a "
         "time of day; "
         'the last one is "23:59:59", midnight is "00:00" or "24:00"'),
        ('      n: {start: 22, end: "06:00"}',
         "20: calendars.c.shifts.n.start: '22' is not a time of day; write \"06:00\" or \"22:30\""),
        ("    planned_down: [{start: 2026-12-01T06:00, end: 2026-12-01T06:00}]",
         "20: calendars.c.planned_down[0].end: '2026-12-01T06:00' is not after start; start is "
         "2026-12-01T06:00"),
        ("    planned_down: [{start: 2026-12-01T06:00+08:00, end: 2026-12-02T06:00}]",
         "20: calendars.c.planned_down[0].start: '2026-12-01T06:00+08:00' is not a local date and time; "
         "write 2026-12-01T06:00, local time without offset"),
        ("    exceptions: {2026-02-30: off}",
         "20: calendars.c.exceptions.2026-02-30: 'off' is not a date; there is no such day"),
        ("    exceptions: {1.10.2026: off}",
         "20: calendars.c.exceptions.1.10.2026: 'off' is not a date; write 2026-10-01"),
        ("    exceptions: {2026-10-01: offf}",
         "20: calendars.c.exceptions.2026-10-01: 'offf' is not one of off, workday, "
         "mon, tue, wed, thu, fri, sat, sun; did you mean 'off'?"),
    ],
)  # fmt: skip
def test_a_calendar_mistake_is_named(tmp_path: Path, added: str, message: str) -> None:
    assert told(mistakes_of(tmp_path, f"{FAKE_SITE}{CALENDAR}{added}\n")) == [message]


def test_overlaps_are_found_although_another_shift_is_wrong(tmp_path: Path) -> None:
    added = '      late: {start: "12:00", end: "20:00"}\n      bad: {start: "25:00", end: "20:00"}\n'
    keys = [mistake.key for mistake in mistakes_of(tmp_path, f"{FAKE_SITE}{CALENDAR}{added}")]
    assert keys == ["calendars.c.shifts.late", "calendars.c.shifts.bad.start"]


def test_days_may_be_off_without_quotes(tmp_path: Path) -> None:
    text = f"{FAKE_SITE}{CALENDAR}    exceptions: {{2026-10-01: off, 2026-10-10: workday}}\n"
    exceptions = site_of(tmp_path, text).calendars["c"].exceptions
    days = {str(day): kind for day, kind in exceptions.items()}
    assert days == {"2026-10-01": "off", "2026-10-10": "workday"}


def test_planned_downtime_may_end_between_two_seconds() -> None:
    calendar = core(planned_down=[{"start": "2026-11-23T08:00:30", "end": "2026-11-23 08:00:31.25"}])
    start = ns("2026-11-23T00:00")
    assert [span.end - start for span in calendar.spans(start, start + HOUR)][:2] == [
        30 * 10**9, 31_250_000_000,
    ]  # fmt: skip


def core(**keys: Any) -> Any:
    return CalendarModel.model_validate(keys).to_core("Asia/Shanghai")


BREAKS = [{"start": "10:00", "for": "15min"}]
EARLY = {"early": {"days": "mon-fri", "start": "06:00", "end": "14:00", "breaks": BREAKS}}


def test_the_core_has_shifts_less_breaks() -> None:
    # 2026-11-23 is a Monday; 06:00 in Shanghai is 22:00 UTC the day before.
    calendar = core(shifts=EARLY)
    start = ns("2026-11-22T22:00")
    assert [(span.kind, span.end - span.start) for span in calendar.spans(start, start + 9 * HOUR)] == [
        (CalendarKind.BUSY, 4 * HOUR),
        (CalendarKind.PLANNED_DOWN, HOUR // 4),
        (CalendarKind.BUSY, 3 * HOUR + 3 * HOUR // 4),
        (CalendarKind.NON_SCHEDULED, HOUR),
    ]
    assert [shift.name for shift in calendar.shifts(start, start + HOUR)] == ["early"]


def test_the_core_has_exceptions_and_planned_downtime() -> None:
    calendar = core(
        shifts=EARLY,
        planned_down=[{"start": "2026-11-23T08:00", "end": "2026-11-23T09:00", "label": "maintenance"}],
        exceptions={"2026-11-24": "off", "2026-11-28": "workday"},
    )
    monday, tuesday, saturday = (ns(f"2026-11-{day}T00:00") for day in (23, 24, 28))
    assert [span.label for span in calendar.spans(monday, monday + 2 * HOUR)][:1] == ["maintenance"]
    assert not calendar.shifts(tuesday, tuesday + HOUR)
    assert len(calendar.shifts(saturday, saturday + HOUR)) == 1


def test_a_calendar_without_shifts_is_busy_but_for_planned_downtime() -> None:
    calendar = core(planned_down=[{"start": "2026-11-23T08:00", "end": "2026-11-23T09:00"}])
    start = ns("2026-11-22T23:00")
    kinds = [span.kind for span in calendar.spans(start, start + 3 * HOUR)]
    assert kinds == [CalendarKind.BUSY, CalendarKind.PLANNED_DOWN, CalendarKind.BUSY]
