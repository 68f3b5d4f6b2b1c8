"""Calendars: shifts by the wall clock, through clock changes, midnight, holidays and adjusted workdays."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core import wall
from edge_agent.core.calendar import (
    Break,
    Calendar,
    CalendarKind,
    CalendarSpan,
    FixedCalendar,
    PlannedDown,
    ShiftRule,
)

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
ALL, WORK = frozenset(range(7)), frozenset(range(5))
BERLIN = ZoneInfo("Europe/Berlin")
BUSY, DOWN, FREE = CalendarKind
NIGHT = ShiftRule("night", ALL, time(22), time(6), (Break(time(2, 30), 30 * MINUTE, "meal"),))


def at(text: str) -> int:
    return wall.to_ns(datetime.fromisoformat(text))


def local(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    return wall.wall_to_ns(datetime.fromisoformat(text), zone, fold)


def hours_of(spans: list[CalendarSpan]) -> list[tuple[float, CalendarKind]]:
    return [((span.end - span.start) / HOUR, span.kind) for span in spans]


@pytest.mark.parametrize(
    ("evening", "hours"), [("2024-03-30", 7), ("2024-10-26", 9), ("2024-06-01", 8)],
)
def test_a_night_shift_lasts_as_long_as_it_lasts(evening: str, hours: int) -> None:
    calendar = Calendar("Europe/Berlin", [NIGHT])
    start = local(f"{evening}T22:00")
    [shift] = [s for s in calendar.shifts(start, start + HOUR) if s.start == start]
    assert shift.end - shift.start == hours * HOUR
    assert shift.production_date == date.fromisoformat(evening)


def test_a_break_begins_by_the_clock_and_lasts_its_time() -> None:
    calendar = Calendar("Europe/Berlin", [NIGHT])
    for begins in ("2024-03-31T01:00+00:00", "2024-10-27T00:30+00:00"):
        spans = calendar.spans(at(begins) - HOUR, at(begins) + HOUR)
        [pause] = [span for span in spans if span.kind is DOWN]
        assert (pause.start, pause.end - pause.start, pause.label) == (at(begins), 30 * MINUTE, "meal")


def test_a_break_of_a_night_shift_may_lie_before_or_after_midnight() -> None:
    rule = ShiftRule("n", ALL, time(22), time(6), (Break(time(23), MINUTE), Break(time(1), MINUTE)))
    spans = Calendar("UTC", [rule]).spans(at("2024-06-05T22:00Z"), at("2024-06-06T06:00Z"))
    pauses = [span.start for span in spans if span.kind is DOWN]
    assert pauses == [at("2024-06-05T23:00Z"), at("2024-06-06T01:00Z")]


def test_planned_down_beats_busy_and_gaps_are_not_scheduled() -> None:
    day = ShiftRule("day", WORK, time(8), time(16), (Break(time(12), 30 * MINUTE, "lunch"),))
    service = PlannedDown(at("2024-06-05T15:00Z"), at("2024-06-05T18:00Z"), "service")
    spans = Calendar("UTC", [day], [service]).spans(at("2024-06-05T00:00Z"), at("2024-06-06T00:00Z"))
    assert hours_of(spans) == [(8, FREE), (4, BUSY), (0.5, DOWN), (2.5, BUSY), (3, DOWN), (6, FREE)]
    assert [span.label for span in spans] == ["", "day", "lunch", "day", "service", ""]


def test_a_holiday_is_off_and_an_adjusted_workday_runs_the_shifts_of_a_workday() -> None:
    """Golden Week 2024: 1 October (a Tuesday) is off, Sunday 29 September is worked instead."""
    weekend = ShiftRule("weekend", frozenset({5, 6}), time(8), time(12))
    rules = [ShiftRule("day", WORK, time(8), time(16)), weekend]
    exceptions = {date(2024, 10, 1): "off", date(2024, 9, 29): "workday"}
    calendar = Calendar("Asia/Shanghai", rules, exceptions=exceptions)
    shifts = calendar.shifts(at("2024-09-28T00:00+08:00"), at("2024-10-03T00:00+08:00"))
    found = [(shift.name, shift.production_date.day) for shift in shifts]
    assert found == [("weekend", 28), ("day", 29), ("day", 30), ("day", 2)]


def test_an_exception_belongs_to_the_date_on_which_the_shift_starts() -> None:
    calendar = Calendar("UTC", [NIGHT], exceptions={date(2024, 6, 5): "off"})
    spans = calendar.spans(at("2024-06-05T00:00Z"), at("2024-06-06T12:00Z"))
    assert calendar.busy(at("2024-06-05T00:00Z"), at("2024-06-05T06:00Z")) == 5 * HOUR + 30 * MINUTE
    assert [span.kind for span in spans][-1] is FREE
    assert calendar.busy(at("2024-06-05T06:00Z"), at("2024-06-06T22:00Z")) == 0


def test_a_wrong_exception_is_refused() -> None:
    with pytest.raises(ValueError, match="holiday"):
        Calendar("UTC", exceptions={date(2024, 1, 1): "holiday"})


def test_a_machine_without_shifts_is_always_busy_and_one_with_none_never() -> None:
    always, never = Calendar("Europe/Berlin", None), Calendar("Europe/Berlin", ())
    start, end = local("2024-03-30T12:00"), local("2024-04-02T12:00")
    assert [span.kind for span in always.spans(start, end)] == [BUSY]
    assert [span.kind for span in never.spans(start, end)] == [FREE]
    assert always.shifts(start, end) == never.shifts(start, end) == []
    assert always.busy(start, end) == end - start


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-06-01", 24)])
def test_local_days_and_hours_follow_the_clock(day: str, hours: int) -> None:
    calendar = Calendar("Europe/Berlin")
    noon = local(f"{day}T12:00")
    [whole] = calendar.days(noon, noon + 1)
    assert (whole.end - whole.start, whole.date) == (hours * HOUR, date.fromisoformat(day))
    inside = calendar.hours(whole.start, whole.end)
    assert len(inside) == hours
    assert all(hour.end - hour.start == HOUR and hour.date == whole.date for hour in inside)


def test_hours_survive_a_change_of_half_an_hour() -> None:
    calendar = Calendar("Australia/Lord_Howe")
    start = at("2024-04-06T12:00Z")
    hours = calendar.hours(start, start + 6 * HOUR)
    assert all(a.end == b.start for a, b in pairwise(hours))
    assert sorted({(hour.end - hour.start) // MINUTE for hour in hours}) == [30, 60]


zones = st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"])
clocks = st.times(time(0), time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0))
rules = st.builds(
    ShiftRule, st.sampled_from("xyz"), st.frozensets(st.integers(0, 6)), clocks, clocks,
    st.lists(st.builds(Break, clocks, st.integers(1, 120).map(lambda m: m * MINUTE)), max_size=2).map(tuple),
)
years = at("2017-01-01T00:00Z") // MINUTE, at("2025-01-01T00:00Z") // MINUTE
moments = st.integers(*years).map(lambda m: m * MINUTE)


@settings(max_examples=60, deadline=None)
@given(zones, st.lists(rules, max_size=3), moments, st.integers(0, 5 * DAY), st.integers(0, 5 * DAY))
def test_spans_tile_time_and_do_not_depend_on_the_question(
    zone: str, shifts: list[ShiftRule], start: int, first: int, second: int
) -> None:
    calendar = Calendar(zone, shifts)
    middle, end = start + first, start + first + second
    spans = calendar.spans(start, end)
    bounds = [start, *(span.end for span in spans)]
    assert [span.start for span in spans] == bounds[:-1]
    assert bounds[-1] == end
    assert all((a.kind, a.label) != (b.kind, b.label) for a, b in pairwise(spans))
    assert calendar.busy(start, middle) + calendar.busy(middle, end) == calendar.busy(start, end)
    assert Calendar(zone, shifts).spans(middle, end) == calendar.spans(middle, end)
    covered = [s for s in calendar.shifts(start, end) if s.start < end and s.end > start]
    assert covered == calendar.shifts(start, end)
    busy = sum(calendar.busy(s.start, s.end) for s in covered)
    assert busy <= sum(s.end - s.start for s in covered)


@settings(max_examples=60, deadline=None)
@given(zones, moments, st.integers(1, 3 * DAY))
def test_days_and_hours_tile_time(zone: str, start: int, length: int) -> None:
    calendar = Calendar(zone)
    for stretches in (calendar.days(start, start + length), calendar.hours(start, start + length)):
        assert stretches[0].start <= start < stretches[0].end
        assert stretches[-1].start < start + length <= stretches[-1].end
        assert all(a.end == b.start for a, b in pairwise(stretches))


@settings(max_examples=100)
@given(zones, moments)
def test_every_wall_time_is_found_again(zone: str, t: int) -> None:
    place = ZoneInfo(zone)
    shown = datetime.fromtimestamp(t // S, UTC).astimezone(place)
    assert wall.wall_to_ns(shown.replace(tzinfo=None, fold=0), zone, shown.fold) == t


def test_a_skipped_wall_time_is_the_instant_of_the_change_whatever_the_fold() -> None:
    for minute in (0, 1, 30, 59):
        for fold in (0, 1):
            assert local(f"2024-03-31T02:{minute:02}", fold=fold) == at("2024-03-31T01:00+00:00")


bounds = st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda b: (b[0], b[0] + b[1]))


@given(st.lists(st.tuples(bounds, st.sampled_from([BUSY, DOWN])), max_size=8), bounds)
def test_a_fixed_calendar_paints_like_a_brush(
    given: list[tuple[tuple[int, int], CalendarKind]], asked: tuple[int, int]
) -> None:
    calendar = FixedCalendar(CalendarSpan(a, b, kind) for (a, b), kind in given)
    painted = []
    for t in range(*asked):
        kinds = {kind for (a, b), kind in given if a <= t < b}
        painted.append(DOWN if DOWN in kinds else BUSY if BUSY in kinds else FREE)
    spans = calendar.spans(*asked)
    assert [span.kind for span in spans for _ in range(span.start, span.end)] == painted
    assert calendar.busy(*asked) == painted.count(BUSY)
    assert calendar.busy_exceeds(*asked, 3) == (painted.count(BUSY) > 3)
    first = calendar.first_busy(*asked)
    assert first == (asked[0] + painted.index(BUSY) if BUSY in painted else None)


def test_asking_again_gives_the_same_objects_worth() -> None:
    calendar = Calendar("Europe/Berlin", [NIGHT])
    start = local("2023-01-01T00:00")
    once = calendar.spans(start, start + 1500 * DAY)
    assert calendar.spans(start, start + 1500 * DAY) == once
    assert once[-1].end == start + 1500 * DAY
    assert wall.day_at(start, BERLIN) + timedelta(days=1) == wall.day_at(start + DAY, BERLIN)
