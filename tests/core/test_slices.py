"""Slices: every sum of a cell can be looked behind."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.calendar import CalendarKind, CalendarSpan, FixedCalendar
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.slices import EXCLUDED
from edge_agent.core.states import MachineState

MIN = 60_000_000_000
FAULT, IDLE, MAINT, RUN, SETUP, UNKNOWN = (
    MachineState[name] for name in ("FAULT", "IDLE", "MAINT", "RUN", "SETUP", "UNKNOWN")
)
POLICIES = [
    Policy(unknown=unknown, outside_plan=outside)
    for unknown in ("bridge", "exclude", "down", "hold")
    for outside in ("promote", "exclude")
]
MINUTES = st.integers(0, 140)
BUCKETS = ("nst", "pdot", "apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "unk")


def ledger(*states: tuple[int, MachineState, str], policy: Policy | None = None) -> Ledger:
    """Planned busy from minute 0 to 120, with a break from 30 to 40."""
    plan = [
        CalendarSpan(0, 120 * MIN, CalendarKind.BUSY),
        CalendarSpan(30 * MIN, 40 * MIN, CalendarKind.PLANNED_DOWN),
    ]
    made = Ledger(FixedCalendar(plan), policy)
    made.job(0, "p", Fraction(6))
    for minute, state, reason in states:
        made.state(minute * MIN, state, reason)
    return made


def told(made: Ledger, start: int, end: int) -> list[tuple[int, int, str, str, bool]]:
    return [
        (s.start // MIN, s.end // MIN, s.bucket, s.reason, s.begins) for s in made.slices(start * MIN, end * MIN)
    ]


def test_a_stop_is_told_with_its_reason_and_a_break_in_it_is_no_second_stop() -> None:
    made = ledger((0, RUN, ""), (20, FAULT, "ESTOP"), (50, RUN, ""))
    assert told(made, 0, 60) == [
        (0, 20, "apt", "", True),
        (20, 30, "adet_fault", "ESTOP", True),
        (30, 40, "pdot", "ESTOP", False),
        (40, 50, "adet_fault", "ESTOP", False),
        (50, 60, "apt", "", True),
    ]


def test_a_stop_begins_in_one_window_only() -> None:
    made = ledger((0, RUN, ""), (20, FAULT, "ESTOP"), (50, RUN, ""))
    assert [s[4] for s in told(made, 25, 60)] == [False, False, False, True]


def test_a_stop_that_begins_in_a_break_begins_where_it_costs_planned_time() -> None:
    made = ledger((0, RUN, ""), (35, FAULT, "ESTOP"), (50, RUN, ""))
    assert told(made, 38, 60)[:2] == [(38, 40, "pdot", "ESTOP", False), (40, 50, "adet_fault", "ESTOP", True)]


def test_short_and_excluded_time_is_told_as_such() -> None:
    states = ((0, RUN, ""), (10, IDLE, "BLOCKED"), (12, RUN, ""), (20, UNKNOWN, ""))
    made = ledger(*states, policy=Policy(unknown="exclude"))
    assert [s[2] for s in told(made, 0, 30)] == ["apt", "micro", "apt", EXCLUDED]


def test_nothing_is_told_of_what_was_not_known_yet() -> None:
    made = ledger((0, RUN, ""), (20, IDLE, ""), (29, RUN, ""))
    assert [s.bucket for s in made.slices(0, 60 * MIN, 22 * MIN)] == ["apt", "micro"]
    assert list(made.slices(10 * MIN, 60 * MIN, 10 * MIN)) == []


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: f"{p.unknown}-{p.outside_plan}")
@given(
    states=st.lists(st.tuples(MINUTES, st.sampled_from(MachineState), st.sampled_from(["", "A"])), max_size=12),
    orders=st.lists(st.tuples(MINUTES, st.booleans()), max_size=4),
    cut=st.integers(1, 139),
    as_of=st.one_of(st.none(), st.integers(0, 150)),
)
def test_slices_tile_the_window_and_add_up_to_its_cell(
    policy: Policy,
    states: list[tuple[int, MachineState, str]],
    orders: list[tuple[int, bool]],
    cut: int,
    as_of: int | None,
) -> None:
    made = ledger(*states, policy=policy)
    for minute, active in orders:
        made.order(minute * MIN, active)
    known = None if as_of is None else as_of * MIN
    begun: Counter[int] = Counter()
    for low, high in ((0, cut * MIN), (cut * MIN, 140 * MIN)):
        found = list(made.slices(low, high, known))
        cell = made.cell(low, high, known)
        ends = [low, *(s.end for s in found)]
        assert [s.start for s in found] == ends[:-1]
        assert ends[-1] == low + cell.ct
        sums: Counter[str] = Counter()
        for s in found:
            sums["unk" if s.bucket == EXCLUDED else s.bucket] += s.length
            begun[s.state] += s.begins
        assert {name: sums[name] for name in BUCKETS} == {name: getattr(cell, name) for name in BUCKETS}
    whole = Counter(s.state for s in made.slices(0, 140 * MIN, known) if s.begins)
    assert +begun == whole
