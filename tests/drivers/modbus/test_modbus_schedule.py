"""The schedule, with a clock that moves when told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent_modbus.schedule import Schedule


def test_everything_is_due_at_the_start() -> None:
    schedule = Schedule([100, 300], 1_000)
    assert schedule.next() == (0, 1_000)
    schedule.done(0, 1_010)
    assert schedule.next() == (1, 1_000)


def test_a_date_that_has_passed_is_skipped() -> None:
    schedule = Schedule([100], 0)
    schedule.done(0, 340)
    assert schedule.next() == (0, 400)


def test_waking_early_does_not_scan_twice() -> None:
    schedule = Schedule([100], 0)
    schedule.done(0, 5)
    schedule.done(0, 99)
    assert schedule.next() == (0, 200)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=4), st.lists(st.integers(0, 30), max_size=60))
def test_dates_stay_on_their_grid_and_nothing_starves(periods: list[int], durations: list[int]) -> None:
    schedule = Schedule(periods, 0)
    now, served = 0, [0] * len(periods)
    for duration in durations:
        which, due = schedule.next()
        assert due % periods[which] == 0
        now = max(now, due) + duration
        schedule.done(which, now)
        assert schedule._due[which] > now - duration
        served[which] = now
    if durations:
        longest = max(periods) + 30 * (len(periods) + 1)
        assert all(now - last <= longest for last in served) or len(durations) < len(periods)
