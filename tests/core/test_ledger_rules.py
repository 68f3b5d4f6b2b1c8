"""The ledger's rules, one by one, in hours and minutes one can follow by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise

import pytest

from edge_agent.core import kpi
from edge_agent.core.calendar import Calendar, CalendarKind, CalendarSpan, FixedCalendar
from edge_agent.core.cell import Cell
from edge_agent.core.ledger import Ledger, Policy, Span
from edge_agent.core.pieces import apportion
from edge_agent.core.states import MachineState

S = 1_000_000_000
MIN = 60 * S
START = 1_717_570_800 * S
FAULT, IDLE, MAINT, OFF, RUN, SETUP, UNKNOWN = (
    MachineState[name] for name in ("FAULT", "IDLE", "MAINT", "OFF", "RUN", "SETUP", "UNKNOWN")
)
BREAK = CalendarSpan(START + 30 * MIN, START + 40 * MIN, CalendarKind.PLANNED_DOWN)


def at(minute: float) -> int:
    return START + int(minute * MIN)


PLANNED_HOUR = FixedCalendar([CalendarSpan(at(0), at(60), CalendarKind.BUSY)])


def hour(*states: tuple[float, MachineState], policy: Policy | None = None, pause: bool = False) -> Ledger:
    """Two planned hours, with a break from 30 to 40 if asked for, one product at 6 s."""
    spans = [CalendarSpan(at(0), at(120), CalendarKind.BUSY), *([BREAK] if pause else [])]
    ledger = Ledger(FixedCalendar(spans), policy)
    ledger.job(0, "p", Fraction(6))
    for minute, state in states:
        ledger.state(at(minute), state)
    return ledger


def minutes(cell: Cell, *names: str) -> list[float]:
    return [getattr(cell, name) / MIN for name in names]


def test_a_stop_as_long_as_the_threshold_is_still_a_micro_stop() -> None:
    ledger = hour((0, RUN), (10, IDLE), (15, RUN), (20, IDLE), (25.1, RUN))
    cell = ledger.cell(at(0), at(60))
    assert minutes(cell, "micro", "adet_other") == [5, pytest.approx(5.1)]
    assert (cell.n_micro, cell.n_stop) == (1, 1)


def test_only_the_planned_busy_part_of_a_stop_counts() -> None:
    ledger = hour((0, RUN), (28, IDLE), (42, RUN), pause=True)
    assert minutes(ledger.cell(at(0), at(60)), "micro", "pdot") == [4, 10]


@pytest.mark.parametrize("end", [SETUP, MAINT, OFF, UNKNOWN, RUN])
def test_anything_but_idle_and_fault_ends_a_stop(end: MachineState) -> None:
    ledger = hour((0, RUN), (10, IDLE), (12, FAULT), (14, end), (15, IDLE), (18, RUN))
    assert minutes(ledger.cell(at(0), at(60)), "micro") == [7]


def test_idle_and_fault_in_a_row_are_one_stop() -> None:
    ledger = hour((0, RUN), (10, IDLE), (13, FAULT), (16, IDLE), (18, RUN))
    cell = ledger.cell(at(0), at(60))
    assert minutes(cell, "micro", "adet_fault", "adet_other") == [0, 3, 5]
    assert (cell.n_stop, cell.fe, cell.n_ttr_closed, cell.ttr_sum) == (1, 1, 1, 3 * MIN)


def test_without_an_order_a_stop_is_no_loss_of_an_order() -> None:
    ledger = hour((0, RUN), (10, IDLE), (30, RUN))
    ledger.order(at(12), False)
    ledger.order(at(25), True)
    cell = ledger.cell(at(0), at(60))
    assert minutes(cell, "adet_other", "adot", "apt") == [7, 13, 40]


def test_without_an_order_standing_still_may_be_a_planned_stop() -> None:
    """What ISO 22400-2 calls ADOT leaves planned busy time; running, setting up and failing stay what they are."""
    states = (0, RUN), (10, IDLE), (20, RUN), (25, OFF), (35, FAULT), (45, SETUP), (50, RUN)
    iso, planned = (hour(*states, policy=Policy(no_order_planned=asked)) for asked in (False, True))
    for ledger in (iso, planned):
        ledger.order(at(5), False)
    names = ("pdot", "adot", "apt", "adet_fault", "aust", "pbt")
    assert minutes(iso.cell(at(0), at(60)), *names) == [0, 20, 25, 10, 5, 60]
    assert minutes(planned.cell(at(0), at(60)), *names) == [20, 0, 25, 10, 5, 40]


def test_time_without_data_is_no_gap_where_the_held_state_is_a_planned_stop() -> None:
    policy = Policy(unknown="hold", hold_max_ns=None, no_order_planned=True)
    ledger = hour((0, RUN), (20, OFF), (30, UNKNOWN), (40, RUN), policy=policy)
    ledger.order(at(20), False)
    cell = ledger.cell(at(0), at(60))
    assert minutes(cell, "pdot", "pbt", "unk_raw") == [20, 40, 0]
    assert kpi.coverage(cell) == 1


def test_an_ideal_cycle_is_the_one_of_the_time_at_which_a_piece_was_made() -> None:
    """6 s a piece, from minute 20 on 3 s; a piece reported at minute 20 was made before."""
    ledger = Ledger(PLANNED_HOUR, None, {"p": [(at(20), Fraction(3))]})
    ledger.job(0, "p", Fraction(6))
    ledger.state(at(0), RUN)
    for minute in (10, 20, 30):
        ledger.count(at(minute), "total", total=100)
    cell = ledger.cell(at(0), at(60))
    assert (cell.ipt, cell.unrated) == (100 * 6 + 100 * 6 + 100 * 3, 0)
    assert cell == ledger.cell(at(0), at(20)) + ledger.cell(at(20), at(60))
    assert ledger.cell(at(20), at(60)).ipt == 300


def test_pieces_spread_over_a_gap_are_rated_by_the_time_each_share_falls_in() -> None:
    ledger = Ledger(PLANNED_HOUR, None, {"": [(at(30), Fraction(2))]})
    ledger.job(0, "", Fraction(4))
    ledger.count(at(40), "total", total=40, since=at(0))
    assert ledger.cell(at(0), at(60)).ipt == 30 * 4 + 10 * 2


def test_a_failure_begins_in_one_shift_and_is_restored_in_the_next() -> None:
    ledger = hour((0, RUN), (50, FAULT), (70, RUN))
    first, second = ledger.cell(at(0), at(60)), ledger.cell(at(60), at(120))
    assert (first.fe, first.n_ttr_closed, first.ttr_sum) == (1, 0, 0)
    assert (second.fe, second.n_ttr_closed, second.ttr_sum) == (0, 1, 20 * MIN)
    assert minutes(first, "adet_fault") + minutes(second, "adet_fault") == [10, 10]


def test_an_open_stop_is_a_micro_stop_until_it_is_too_long() -> None:
    ledger = hour((0, RUN), (10, IDLE))
    assert minutes(ledger.cell(at(0), at(60), at(13)), "ct", "micro", "adet_other") == [13, 3, 0]
    assert minutes(ledger.cell(at(0), at(60), at(16)), "ct", "micro", "adet_other") == [16, 0, 6]
    assert ledger.is_provisional(at(0), at(60), at(16))
    assert ledger.is_provisional(at(0), at(12), at(13))
    assert not ledger.is_provisional(at(0), at(10), at(13))
    assert not ledger.is_provisional(at(0), at(60))


def test_knowledge_has_a_date() -> None:
    ledger = hour((0, RUN), (10, FAULT), (20, RUN))
    ledger.count(at(15), "a", 50)
    assert ledger.cell(at(0), at(60), at(5)) == hour((0, RUN)).cell(at(0), at(5))
    assert ledger.cell(at(0), at(60), at(15)).pq == 50
    assert ledger.cell(at(0), at(60), at(14)).pq == 0


def test_pieces_at_a_boundary_belong_to_the_window_that_ends_there() -> None:
    ledger = hour((0, RUN))
    ledger.job(at(30), "q", Fraction(60))
    ledger.count(at(30), "a", 10)
    first, second = ledger.cell(at(0), at(30)), ledger.cell(at(30), at(60))
    assert [first.pq, first.ipt, second.pq] == [10, 60, 0]


def test_total_and_scrap_may_come_from_two_counters_and_at_different_times() -> None:
    ledger = hour((0, RUN))
    ledger.count(at(10), "total", total=10)
    ledger.count(at(10), "scrap", scrap=2)
    ledger.count(at(11), "good", scrap=-1)
    cell = ledger.cell(at(0), at(60))
    assert (cell.pq, cell.gq, cell.sq) == (10, 9, 1)
    assert ledger.cell(at(10), at(11)).gq == 1


def test_pieces_that_fell_somewhere_are_spread_over_planned_busy_time() -> None:
    """Golden G12f: 281 pieces across 09:40-10:20 with a break of 5 min, cut at 10:00."""
    pause = CalendarSpan(at(45), at(50), CalendarKind.PLANNED_DOWN)
    ledger = Ledger(FixedCalendar([CalendarSpan(at(0), at(120), CalendarKind.BUSY), pause]))
    ledger.count(at(60), "a", 281, since=at(20))
    assert [ledger.cell(at(0), at(40)).pq, ledger.cell(at(40), at(120)).pq] == [161, 120]
    assert ledger.cell(at(45), at(50)).pq == 0
    assert sum(ledger.cell(at(m), at(m + 1)).pq for m in range(120)) == 281


def test_pieces_that_fell_where_nothing_was_planned_stay_where_they_were_reported() -> None:
    ledger = hour((0, RUN), pause=True)
    ledger.count(at(39), "a", 7, since=at(31))
    assert ledger.cell(at(38), at(39)).pq == 7


def test_a_gap_proves_as_much_run_as_its_pieces_took() -> None:
    ledger = hour((0, RUN), (20, UNKNOWN), (40, RUN))
    ledger.count(at(40), "a", 100)
    cell = ledger.cell(at(0), at(60))
    assert minutes(cell, "apt", "unk", "unk_raw", "credited") == [40, 20, 20, 10]
    assert cell.igt_gap == 600
    assert minutes(ledger.cell(at(20), at(25)), "credited") == [2.5]
    ledger.count(at(35), "a", 1000)
    assert minutes(ledger.cell(at(0), at(60)), "credited") == [20]


def test_hold_bridges_hiccups_and_leaves_outages_unknown() -> None:
    states = ((0, RUN), (10, UNKNOWN), (11, RUN), (20, UNKNOWN), (22, RUN))
    held = hour(*states, policy=Policy(unknown="hold", hold_max_ns=MIN)).cell(at(0), at(60))
    assert minutes(held, "apt", "held", "unk", "unk_raw") == [58, 1, 2, 3]
    unlimited = hour(*states, policy=Policy(unknown="hold", hold_max_ns=None)).cell(at(0), at(60))
    assert minutes(unlimited, "apt", "unk", "unk_raw") == [60, 0, 3]


def test_hold_has_nothing_to_hold_before_the_first_state() -> None:
    cell = hour((10, RUN), policy=Policy(unknown="hold", hold_max_ns=None)).cell(at(0), at(60))
    assert minutes(cell, "apt", "unk") == [50, 10]


def test_running_through_a_break_is_promoted_or_ignored_with_its_pieces() -> None:
    for outside, apt, promoted, pdot, pieces in (("promote", 60, 10, 0, 15), ("exclude", 50, 0, 10, 10)):
        policy = Policy(outside_plan=outside)  # type: ignore[arg-type]
        ledger = hour((0, RUN), policy=policy, pause=True)
        ledger.count(at(30), "a", 10)
        ledger.count(at(35), "a", 5)
        cell = ledger.cell(at(0), at(60))
        assert minutes(cell, "apt", "promoted", "pdot") == [apt, promoted, pdot]
        assert cell.pq == pieces
        assert kpi.coverage(cell) == 1


def test_of_two_states_at_one_instant_the_same_wins_whichever_came_first() -> None:
    for pair in ((RUN, FAULT), (FAULT, RUN)):
        ledger = hour((0, RUN), *((10, state) for state in pair), (20, RUN))
        assert minutes(ledger.cell(at(0), at(60)), "adet_fault") == [10]
    for pair in ((RUN, UNKNOWN), (UNKNOWN, RUN)):
        ledger = hour((0, IDLE), *((10, state) for state in pair), (20, RUN))
        assert minutes(ledger.cell(at(0), at(60)), "unk") == [10]


def test_pieces_without_a_known_ideal_cycle_are_counted_as_such() -> None:
    ledger = hour((0, RUN))
    ledger.job(at(10), "new", None)
    ledger.count(at(5), "a", 3)
    ledger.count(at(15), "a", 4)
    cell = ledger.cell(at(0), at(60))
    assert [cell.pq, cell.unrated, cell.ipt] == [7, 4, 18]
    with pytest.raises(ValueError, match="ideal"):
        ledger.job(at(20), "bad", Fraction(0))


def test_preventive_maintenance_is_told_from_repairs() -> None:
    ledger = hour((0, RUN), (10, MAINT), pause=True)
    ledger.state(at(20), MAINT, "preventive")
    ledger.state(at(50), RUN)
    cell = ledger.cell(at(0), at(60))
    assert minutes(cell, "maint", "cmt", "pmt", "pdot") == [30, 10, 30, 10]
    assert kpi.flags(cell) == [kpi.MAINT_IN_PLAN]


def test_spans_show_what_was_reported() -> None:
    ledger = hour((10, RUN), (10, RUN), (20, RUN), (30, IDLE))
    ledger.order(at(35), False)
    assert ledger.spans(at(0), at(40)) == [
        Span(at(0), at(10), UNKNOWN, ""),
        Span(at(10), at(30), RUN, ""),
        Span(at(30), at(35), IDLE, ""),
        Span(at(35), at(40), IDLE, "", order=False),
    ]


def test_a_snapshot_is_json_and_restores_everything() -> None:
    ledger = hour((0, RUN), (50, FAULT), (70, UNKNOWN), (80, RUN))
    for minute in range(1, 120):
        ledger.count(at(minute), "total", 9)
        ledger.count(at(minute), "scrap", scrap=minute % 2)
    ledger.count(at(90), "late", 4, since=at(60))
    ledger.prune(at(55))
    other = Ledger(ledger.calendar, ledger.policy)
    other.restore(json.loads(json.dumps(ledger.snapshot())))
    assert other.snapshot() == ledger.snapshot()
    for start, end in pairwise(range(55, 120, 5)):
        assert other.cell(at(start), at(end)) == ledger.cell(at(start), at(end))


def test_what_was_forgotten_stays_forgotten() -> None:
    ledger = hour((0, RUN), (50, FAULT), (70, RUN))
    before = ledger.cell(at(60), at(120))
    ledger.prune(at(60))
    ledger.state(at(40), OFF)
    ledger.job(at(30), "old", Fraction(1))
    ledger.count(at(45), "a", 5)
    assert ledger.cell(at(60), at(120)) == before
    assert before.ttr_sum == 20 * MIN


def test_an_empty_or_backward_window_holds_nothing() -> None:
    ledger = hour((0, RUN))
    assert ledger.cell(at(10), at(10)) == ledger.cell(at(10), at(5)) == Cell()
    assert ledger.cell(at(10), at(20), at(10)) == Cell()


def test_a_machine_without_calendar_is_measured_all_the_time() -> None:
    ledger = Ledger(Calendar("Europe/Berlin", None))
    ledger.state(at(0), RUN)
    cell = ledger.cell(at(-60), at(60), at(30))
    assert minutes(cell, "ct", "unk", "apt") == [90, 60, 30]


def test_a_window_without_any_facts_is_unknown() -> None:
    assert minutes(hour().cell(at(0), at(60)), "unk", "pbt") == [60, 60]


def test_the_order_of_shares_is_fixed_and_the_sum_kept() -> None:
    assert apportion(281, [1200, 900]) == [161, 120]
    assert apportion(1, [1, 1, 1]) == [1, 0, 0]
    assert apportion(10, [0, 0]) == [0, 10]
    assert apportion(-5, [1, 2]) == [-2, -3]
    assert apportion(7, []) == []
