"""Plans that change: rules with dates, exceptions, public holidays, planned stops that count as losses."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import wall
from edge_agent.core.calendar import Break, Calendar, CalendarKind, PlannedDown, ShiftRule
from edge_agent.core.tiles import tile

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
ALL, WORK = frozenset(range(7)), frozenset(range(5))
BUSY, DOWN, FREE = CalendarKind


def at(text: str) -> int:
    return wall.to_ns(datetime.fromisoformat(text))


def started(calendar: Calendar, first: str, days: int) -> list[tuple[str, int, int]]:
    """Name, day and hour of what starts on so many days from 00:00 UTC of `first` on."""
    start = at(f"{first}T00:00Z")
    found = [shift for shift in calendar.shifts(start, start + days * DAY) if shift.start >= start]
    return [(s.name, s.production_date.day, s.start % DAY // HOUR) for s in found]


# -- rules with dates ----------------------------------------------------------------------------


def test_a_rule_holds_from_its_first_to_its_last_date_and_its_successor_has_the_same_name() -> None:
    change = date(2024, 6, 5)
    before = ShiftRule("day", WORK, time(6), time(14), valid_until=change - timedelta(days=1))
    after = ShiftRule("day", WORK, time(7), time(15), valid_from=change)
    calendar = Calendar("UTC", [before, after])
    assert started(calendar, "2024-06-03", 5) == [
        ("day", 3, 6), ("day", 4, 6), ("day", 5, 7), ("day", 6, 7), ("day", 7, 7),
    ]  # fmt: skip
    monday = at("2024-06-03T00:00Z")
    once = Calendar("UTC", [ShiftRule("day", WORK, time(6), time(14))]).spans(monday, monday + 2 * DAY)
    assert calendar.spans(monday, monday + 2 * DAY) == once, "what was before the change stays as it was"


def test_the_last_night_of_a_rule_is_worked_to_its_end() -> None:
    night = ShiftRule("night", ALL, time(22), time(6), valid_until=date(2024, 6, 5))
    calendar = Calendar("UTC", [night])
    assert calendar.busy(at("2024-06-06T00:00Z"), at("2024-06-07T00:00Z")) == 6 * HOUR


# -- exceptions ----------------------------------------------------------------------------------


def test_a_date_may_be_worked_like_another_day_of_the_week() -> None:
    short = ShiftRule("short", frozenset({4}), time(6), time(12))
    rules = [ShiftRule("day", frozenset(range(4)), time(6), time(14)), short]
    calendar = Calendar("UTC", rules, exceptions={date(2024, 6, 8): "fri", date(2024, 6, 9): "mon"})
    assert started(calendar, "2024-06-06", 4) == [("day", 6, 6), ("short", 7, 6), ("short", 8, 6), ("day", 9, 6)]


def test_a_plant_that_never_stops_is_not_scheduled_on_a_day_that_is_off() -> None:
    calendar = Calendar("Asia/Shanghai", None, exceptions={date(2024, 10, 1): "off", date(2024, 10, 2): "workday"})
    start = at("2024-09-30T00:00+08:00")
    spans = calendar.spans(start, start + 3 * DAY)
    assert [(span.end - span.start, span.kind) for span in spans] == [(DAY, BUSY), (DAY, FREE), (DAY, BUSY)]


def test_a_shift_that_a_clock_change_skips_is_none() -> None:
    """02:15 to 02:45 does not happen in Berlin on 31 March 2024."""
    calendar = Calendar("Europe/Berlin", [ShiftRule("blink", ALL, time(2, 15), time(2, 45))])
    start = at("2024-03-30T00:00+01:00")
    assert [shift.production_date.day for shift in calendar.shifts(start, start + 3 * DAY)] == [30, 1]
    assert calendar.busy(at("2024-03-31T00:00+01:00"), at("2024-04-01T00:00+02:00")) == 0


# -- planned stops that count as losses ----------------------------------------------------------


def test_a_break_that_counts_as_a_loss_stays_busy_and_keeps_its_label() -> None:
    pauses = (Break(time(8), 15 * MINUTE, "tea", counts_as_loss=True), Break(time(10), 15 * MINUTE, "lunch"))
    calendar = Calendar("UTC", [ShiftRule("day", ALL, time(6), time(14), pauses)])
    spans = calendar.spans(at("2024-06-05T06:00Z"), at("2024-06-05T14:00Z"))
    assert [(span.label, span.kind) for span in spans] == [
        ("day", BUSY), ("tea", BUSY), ("day", BUSY), ("lunch", DOWN), ("day", BUSY),
    ]  # fmt: skip
    assert calendar.busy(at("2024-06-05T06:00Z"), at("2024-06-05T14:00Z")) == 8 * HOUR - 15 * MINUTE


def test_a_planned_stop_that_counts_as_a_loss_is_one_only_where_the_plan_is_to_work() -> None:
    down = PlannedDown(at("2024-06-05T12:00Z"), at("2024-06-05T18:00Z"), "service", counts_as_loss=True)
    calendar = Calendar("UTC", [ShiftRule("day", ALL, time(6), time(14))], [down])
    spans = calendar.spans(at("2024-06-05T12:00Z"), at("2024-06-05T20:00Z"))
    assert [(s.label, s.kind, (s.end - s.start) // HOUR) for s in spans] == [
        ("service", BUSY, 2), ("service", DOWN, 4), ("", FREE, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("is_loss", [True, False])
def test_planned_down_beats_busy_within_a_scope_and_the_machine_beats_the_calendar(is_loss: bool) -> None:
    shared = [PlannedDown(0, 10, "shared"), PlannedDown(5, 15, "loss", counts_as_loss=True)]
    spans = tile(0, 20, [(0, 20, "day")], [], shared)
    assert [(s.end, s.kind, s.label) for s in spans] == [(10, DOWN, "shared"), (15, BUSY, "loss"), (20, BUSY, "day")]
    spans = tile(0, 20, [(0, 20, "day")], [PlannedDown(8, 12, "own", is_loss)], shared)
    own = BUSY if is_loss else DOWN
    assert [(s.end, s.kind, s.label) for s in spans] == [
        (8, DOWN, "shared"), (12, own, "own"), (15, BUSY, "loss"), (20, BUSY, "day"),
    ]  # fmt: skip


bounds = st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda b: (b[0], b[0] + b[1]))
stops = st.lists(st.tuples(bounds, st.booleans()), max_size=5)


@given(st.lists(bounds, max_size=4), stops, stops, bounds)
def test_tiles_paint_like_a_brush(
    busy: list[tuple[int, int]],
    own: list[tuple[tuple[int, int], bool]],
    shared: list[tuple[tuple[int, int], bool]],
    asked: tuple[int, int],
) -> None:
    painted = []
    for t in range(*asked):
        is_busy = any(a <= t < b for a, b in busy)
        kind = BUSY if is_busy else FREE
        for scope in (shared, own):     # the last brush wins
            sorts = {is_loss for (a, b), is_loss in scope if a <= t < b}
            if sorts:
                kind = BUSY if is_busy and False not in sorts else DOWN
        painted.append(kind)
    scopes = [[PlannedDown(a, b, "", is_loss) for (a, b), is_loss in scope] for scope in (own, shared)]
    spans = tile(*asked, [(a, b, "") for a, b in busy], *scopes)
    assert [span.kind for span in spans for _ in range(span.start, span.end)] == painted


# -- calendars that hold one after the other, and one instead of the other ---------------------------


def test_on_a_date_on_which_a_calendar_does_not_hold_the_next_one_does() -> None:
    """A machine works nights in the week of Wednesday 5 June only; before and after, the plant's calendar holds."""
    plant = Calendar("UTC", [ShiftRule("day", ALL, time(6), time(14))])
    valid = (date(2024, 6, 5), date(2024, 6, 6))
    calendar = Calendar("UTC", [ShiftRule("night", ALL, time(22), time(6))], valid=valid, instead=plant)
    assert started(calendar, "2024-06-04", 4) == [("day", 4, 6), ("night", 5, 22), ("night", 6, 22), ("day", 7, 6)]
    assert calendar.busy(at("2024-06-07T00:00Z"), at("2024-06-07T07:00Z")) == 7 * HOUR, "the last night to its end"


def test_where_no_calendar_holds_nothing_is_planned() -> None:
    calendar = Calendar("UTC", None, valid=(date(2024, 6, 5), date(2024, 6, 5)))
    spans = calendar.spans(at("2024-06-04T00:00Z"), at("2024-06-07T00:00Z"))
    assert [span.kind for span in spans] == [FREE, BUSY, FREE]


def test_planned_stops_go_with_their_calendar_and_those_of_the_machine_stay() -> None:
    downs = [PlannedDown(at(f"2024-06-{day:02}T10:00Z"), at(f"2024-06-{day:02}T11:00Z"), "plant") for day in (4, 5)]
    own = [PlannedDown(at("2024-06-05T12:00Z"), at("2024-06-05T13:00Z"), "own")]
    always = Calendar("UTC", None, valid=(date(2024, 6, 5), date.max), machine_down=own,
                      instead=Calendar("UTC", None, downs))  # fmt: skip
    spans = always.spans(at("2024-06-04T00:00Z"), at("2024-06-06T00:00Z"))
    assert [span.label for span in spans if span.kind is DOWN] == ["plant", "own"]


def made(**changed: object) -> Calendar:
    shift = ShiftRule("day", ALL, time(6), time(14), (Break(time(10), HOUR, str(changed.pop("label", ""))),))
    given: dict[str, object] = {"zone": "UTC", "shifts": [shift], "planned_down": [PlannedDown(0, 5, "service")]}
    return Calendar(**{**given, **changed})     # type: ignore[arg-type]


def test_calendars_of_the_same_rules_are_equal_and_have_one_identity() -> None:
    assert made() == made()
    assert made() == made(label="tea"), "what a break is called plans nothing"
    assert (hash(made()), made().identity) == (hash(made()), made().identity)


@pytest.mark.parametrize(
    "changed",
    [
        {"zone": "Asia/Shanghai"}, {"shifts": None}, {"shifts": ()}, {"planned_down": ()},
        {"planned_down": [PlannedDown(0, 5, "", counts_as_loss=True)]}, {"exceptions": {date(2024, 6, 5): "off"}},
        {"machine_down": [PlannedDown(0, 5)]}, {"valid": (date(2024, 6, 5), date.max)}, {"instead": Calendar("UTC")},
        {"shifts": [ShiftRule("day", ALL, time(6), time(14))]}, {"shifts": [ShiftRule("late", ALL, time(6), time(14))]},
    ],
)  # fmt: skip
def test_another_rule_is_another_calendar(changed: dict[str, object]) -> None:
    assert made(**changed) != made()
    assert made(**changed).identity != made().identity
