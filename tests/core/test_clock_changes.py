"""Every zone there is, around every kind of clock change: nothing is lost and nothing counted twice.

Days, hours and shifts that follow one another meet exactly; a shift lasts what elapses between two shows of
the clock on the wall; and what is planned adds up wherever a window is cut.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.core import wall
from edge_agent.core.calendar import Break, Calendar, CalendarKind, PlannedDown, Shift, ShiftRule

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
ALL = frozenset(range(7))
ZONES = sorted(available_timezones() - {"localtime"})
YEARS = range(1970, 2038)
# Half an hour, midnight skipped, midnight twice, a whole day skipped, two hours, seconds, an odd quarter of an hour.
ODD = ["Australia/Lord_Howe", "America/Sao_Paulo", "America/Havana", "Pacific/Apia", "Antarctica/Troll",
       "Africa/Monrovia", "Asia/Kathmandu", "America/St_Johns", "Asia/Pyongyang", "Europe/Berlin"]  # fmt: skip


def offset(t: int, place: ZoneInfo) -> timedelta:
    shown = datetime.fromtimestamp(t // S, UTC).astimezone(place).utcoffset()
    assert shown is not None
    return shown


@lru_cache(512)
def changes(zone: str, year: int) -> tuple[int, ...]:
    """The quarters of an hour, ns UTC, that hold a change of the offset."""
    place, start = ZoneInfo(zone), int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * S
    found: list[int] = []
    for day in range(start, start + 366 * DAY, DAY):
        if offset(day, place) != offset(day + DAY, place):
            quarters = range(day, day + DAY, 15 * MINUTE)
            found += [q for q in quarters if offset(q, place) != offset(q + 15 * MINUTE, place)]
    return tuple(found)


@st.composite
def around_a_change(draw: st.DrawFn) -> tuple[str, int]:
    """A zone and an instant; near a change of its clocks, if it has one that year."""
    zone = draw(st.sampled_from(ODD) | st.sampled_from(ZONES))
    year = draw(st.sampled_from(YEARS))
    near = changes(zone, year) or (int(datetime(year, 6, 1, tzinfo=UTC).timestamp()) * S,)
    return zone, draw(st.sampled_from(near)) + draw(st.integers(-36 * 60, 36 * 60)) * MINUTE


clocks = st.times().map(lambda t: t.replace(minute=t.minute // 15 * 15, second=0, microsecond=0))
lengths = st.integers(0, 3 * 24 * 60).map(lambda minutes: minutes * MINUTE)
SLOW = [HealthCheck.too_slow]      # finding the clock changes of a zone
many = settings(max_examples=150, deadline=None, suppress_health_check=SLOW)


def spans_meet(bounds: list[tuple[int, int]], start: int, end: int) -> None:
    assert bounds[0][0] <= start < bounds[0][1]
    assert bounds[-1][0] < end <= bounds[-1][1]
    assert all(a[1] == b[0] for a, b in pairwise(bounds))


@many
@given(around_a_change(), lengths)
def test_days_and_hours_meet_exactly_and_say_the_date_on_the_wall(where: tuple[str, int], length: int) -> None:
    (zone, start), end = where, where[1] + length + 1
    calendar, place = Calendar(zone), ZoneInfo(zone)
    days, hours = calendar.days(start, end), calendar.hours(start, end)
    spans_meet([(day.start, day.end) for day in days], start, end)
    spans_meet([(hour.start, hour.end) for hour in hours], start, end)
    assert [day.date for day in days] == sorted({day.date for day in days})
    assert all(0 < hour.end - hour.start <= 2 * HOUR for hour in hours)
    for hour in hours:
        assert offset(hour.start, place) == offset(hour.end - S, place), "the clock does not change within an hour"
    whole = calendar.hours(days[0].start, days[-1].end)
    assert {hour.end for hour in whole} >= {day.end for day in days}, "each day is made of whole hours"


@st.composite
def rounds(draw: st.DrawFn) -> list[ShiftRule]:
    """Shifts that follow one another round the clock, with breaks."""
    starts = sorted(set(draw(st.lists(clocks, min_size=1, max_size=4))))
    pauses = st.lists(st.builds(Break, clocks, st.integers(1, 90).map(lambda m: m * MINUTE), st.just("pause"),
                                st.booleans()), max_size=2).map(tuple)  # fmt: skip
    return [
        ShiftRule(f"shift-{at}", ALL, start, starts[(at + 1) % len(starts)], draw(pauses))
        for at, start in enumerate(starts)
    ]


def elapsed(zone: str, shift: Shift, rule: ShiftRule) -> int:
    """ns between the shift's two shows of the clock on the wall, by counting seconds of UTC as they pass there."""
    place = ZoneInfo(zone)
    end = shift.production_date + timedelta(days=rule.end <= rule.start)
    first, last = datetime.combine(shift.production_date, rule.start), datetime.combine(end, rule.end)
    return first_shown(last, place) - first_shown(first, place)


def first_shown(asked: datetime, place: ZoneInfo) -> int:
    """The first instant, ns UTC, at which a clock shows `asked` or, if it never does, more."""
    low = int((asked.replace(tzinfo=UTC) - timedelta(hours=30)).timestamp())
    step = 60
    shown = (t for t in range(low, low + 60 * 3600, step) if at(t, place) >= asked)
    t = next(shown)
    return next(s for s in range(t - step, t + 1) if at(s, place) >= asked) * S


def at(t: int, place: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(t, UTC).astimezone(place).replace(tzinfo=None, fold=0)


@many
@given(around_a_change(), rounds(), lengths)
def test_shifts_round_the_clock_meet_exactly(where: tuple[str, int], rules: list[ShiftRule], length: int) -> None:
    (zone, start), end = where, where[1] + length + 1
    calendar = Calendar(zone, rules)
    shifts = calendar.shifts(start, end)
    spans_meet([(shift.start, shift.end) for shift in shifts], start, end)
    spans = calendar.spans(shifts[0].start, shifts[-1].end)
    assert not any(span.kind is CalendarKind.NON_SCHEDULED for span in spans)
    planned = sum(span.end - span.start for span in spans)
    assert planned == sum(shift.end - shift.start for shift in shifts)
    assert len({(shift.name, shift.production_date) for shift in shifts}) == len(shifts)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(around_a_change(), rounds())
def test_a_shift_lasts_what_elapses_on_the_wall(where: tuple[str, int], rules: list[ShiftRule]) -> None:
    zone, start = where
    named = {rule.name: rule for rule in rules}
    for shift in Calendar(zone, rules).shifts(start, start + 1):
        assert shift.end - shift.start == elapsed(zone, shift, named[shift.name])


@many
@given(
    around_a_change(), rounds(), lengths, st.lists(st.integers(0, 3 * 86_400 * S), max_size=5),
    st.lists(st.tuples(st.integers(-DAY, 3 * DAY), st.integers(1, DAY), st.booleans()), max_size=3),
    st.sampled_from(["", "off", "workday", "mon"]),
)  # fmt: skip
def test_a_plan_adds_up_wherever_it_is_cut(
    where: tuple[str, int],
    rules: list[ShiftRule],
    length: int,
    cuts: list[int],
    downs: list[tuple[int, int, bool]],
    exception: str,
) -> None:
    (zone, start), end = where, where[1] + length + 1
    planned = [PlannedDown(start + a, start + a + n, "service", is_loss) for a, n, is_loss in downs]
    today = datetime.fromtimestamp(start // S, UTC).date()
    odd = {day: exception for n in range(-2, 6) if exception and (day := today + timedelta(n)).day % 2}
    calendar = Calendar(zone, rules[1:], planned[1:], odd, planned[:1], valid=(date.min, today + timedelta(1)),
                        instead=Calendar(zone, rules[:1], planned[:1]))  # fmt: skip
    bounds = [start, *sorted({start + cut for cut in cuts if 0 < cut < end - start}), end]
    for kind in CalendarKind:
        whole, parts = (
            sum(s.end - s.start for low, high in pairs for s in calendar.spans(low, high) if s.kind is kind)
            for pairs in ([(start, end)], list(pairwise(bounds)))
        )
        assert whole == parts
    assert sum(s.end - s.start for s in calendar.spans(start, end)) == end - start
    assert calendar.busy(start, end) == sum(calendar.busy(low, high) for low, high in pairwise(bounds))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/Sao_Paulo", date(2018, 11, 4), 23),       # midnight does not happen
        ("America/Havana", date(2024, 11, 3), 25),          # midnight happens twice
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
        ("Pacific/Apia", date(2011, 12, 29), 24),           # the day after never was
        ("Antarctica/Troll", date(2024, 3, 31), 22),
    ],
)
def test_a_day_is_as_long_as_it_is(zone: str, day: date, hours: float) -> None:
    noon = wall.wall_to_ns(datetime.combine(day, time(12)), zone)
    [whole] = Calendar(zone).days(noon, noon + 1)
    assert (whole.end - whole.start, whole.date) == (hours * HOUR, day)
