"""The schedule, with a clock that moves when told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent_modbus.schedule import Schedule, phase_of


def test_everything_is_due_at_the_start() -> None:
    schedule = Schedule([100, 300], 1_000)
    assert schedule.next() == (0, 1_000)
    schedule.done(0, 1_010)
    assert schedule.next() == (1, 1_000)


def test_a_date_that_has_passed_is_skipped_and_counted() -> None:
    schedule = Schedule([100], 0)
    schedule.done(0, 10)
    assert schedule.next() == (0, 100)
    schedule.done(0, 340)
    assert schedule.next() == (0, 400)
    assert schedule.skipped == 2


def test_waking_early_does_not_scan_twice() -> None:
    schedule = Schedule([100], 0)
    schedule.done(0, 5)
    schedule.done(0, 99)
    assert schedule.next() == (0, 200)


def test_devices_with_other_phases_are_due_at_other_times() -> None:
    dates = []
    for n in range(100):
        schedule = Schedule([1_000], 7_000, phase_of(f"press-{n}"))
        schedule.done(0, 7_002)
        dates.append(schedule.next()[1] % 1_000)
    assert len(set(dates)) > 90
    assert all(sum(tenth <= date < tenth + 100 for date in dates) < 25 for tenth in range(0, 1_000, 100))


@given(st.integers(1, 10_000), st.floats(0, 0.999), st.integers(0, 10**6), st.integers(0, 500))
def test_the_second_date_is_half_a_period_to_one_and_a_half_later_and_on_the_grid(
    period: int, phase: float, start: int, took: int
) -> None:
    schedule = Schedule([period], start, phase)
    schedule.done(0, start + took)
    due = schedule.next()[1]
    assert (due - round(phase * period)) % period == 0
    assert due > start + took
    assert due >= start + period // 2
    assert due <= max(start + took + 1, start + (period + 1) // 2) + period


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
