"""Machines that have no counters: pulses of an input, run edges, strokes of several pieces; and first pass yield."""

from __future__ import annotations

import random
from fractions import Fraction

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core import kpi
from edge_agent.core.catalog import values
from edge_agent.core.cell import Cell
from edge_agent.core.counters import Counter
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine
from edge_agent.core.pulses import PulseCounter
from tests.core.counting_machines import JOB, LOST, NAN, SECOND, STATE, TOTAL, Row, S, cell, fed, machine

MS = 1_000_000


def pulsed(**more: object) -> Machine:
    """Counts the pulses of TOTAL; SECOND counts scrap like any register."""
    counters = {"total": lambda: PulseCounter(50 * MS), "scrap": lambda: Counter(32, 10)}
    return machine(counters=counters, policy=Policy(unknown="exclude"), **more)


def test_each_time_the_input_comes_on_is_a_piece() -> None:
    held = fed(pulsed(), [(STATE, 0, 1), (TOTAL, 0, 0), (TOTAL, 1, 1), (TOTAL, 1.2, 0), (TOTAL, 2, 1), (TOTAL, 2.2, 0)])
    assert cell(held).pq == 2


def test_an_input_that_is_on_when_it_is_first_seen_is_no_piece() -> None:
    assert cell(fed(pulsed(), [(STATE, 0, 1), (TOTAL, 0, 1), (TOTAL, 1, 0)])).pq == 0


def test_a_contact_that_bounces_counts_once() -> None:
    levels = {1: 1, 1.004: 0, 1.007: 1, 1.3: 0, 1.302: 1, 1.304: 0, 1.354: 1}
    held = fed(pulsed(), [(STATE, 0, 1), (TOTAL, 0, 0), *((TOTAL, at, level) for at, level in levels.items())])
    assert cell(held).pq == 2       # the last came exactly 50 ms after it had gone quiet


def test_pulses_while_the_line_is_down_are_lost_and_so_is_that_time() -> None:
    rows = [(STATE, 0, 1), (TOTAL, 0, 0), (TOTAL, 5, 1), (TOTAL, 5.5, 0)]
    gone = [(STATE, 10, NAN, LOST), (TOTAL, 10, NAN, LOST)]
    back = [(STATE, 20, 1), (TOTAL, 20, 1), (TOTAL, 21, 0), (TOTAL, 22, 1)]
    found = cell(fed(pulsed(), [*rows, *gone, *back]), 30)
    assert found.pq == 2            # whether the input came on or stayed on at 20 s nobody knows
    assert found.pbt == 20 * S


def test_pulses_count_the_same_in_any_order_and_any_number_of_times() -> None:
    rows: list[Row] = [(STATE, 0, 1)]
    for n in range(25):
        rows += [(TOTAL, n, 0), (TOTAL, n + 0.5, 1)]
    rows += [(TOTAL, 10.52, 0), (TOTAL, 10.53, 1), (TOTAL, 20.3, NAN, LOST)]
    wanted = cell(fed(pulsed(), sorted(rows, key=lambda row: row[1])))
    assert wanted.pq == 24
    for seed in range(20):
        assert cell(fed(pulsed(), rows, random.Random(seed))) == wanted


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 1)), min_size=1, max_size=60), st.randoms())
def test_any_levels_in_any_order_give_the_pieces_of_the_sorted_ones(
    levels: list[tuple[int, int]], order: random.Random
) -> None:
    rows: list[Row] = [(TOTAL, ms / 1000, level) for ms, level in dict(levels).items()]
    straight = fed(pulsed(), sorted(rows, key=lambda row: row[1]))
    assert cell(fed(pulsed(), rows, order)) == cell(straight)


def test_a_restart_forgets_the_level_but_no_piece() -> None:
    held = fed(pulsed(), [(STATE, 0, 1), (TOTAL, 0, 0), (TOTAL, 1, 1), (TOTAL, 1.5, 0)])
    told, packed = held.checkpoint()
    again = pulsed()
    again.restore(orjson.loads(orjson.dumps(told)), packed)
    again.was_away(2 * S)
    fed(again, [(STATE, 3, 1), (TOTAL, 3, 1), (TOTAL, 3.5, 0), (TOTAL, 4, 1)])
    assert cell(again).pq == 2


def test_another_kind_of_counter_on_the_same_tag_begins_afresh() -> None:
    told, packed = fed(machine(), [(STATE, 0, 1), (TOTAL, 0, 5)]).checkpoint()
    again = pulsed()
    again.restore(told, packed)
    assert cell(fed(again, [(TOTAL, 1, 0), (TOTAL, 2, 1)])).pq == 1


# -- strokes of several pieces -----------------------------------------------------------------


def test_a_stroke_makes_as_many_pieces_as_its_mould_has_cavities_and_scrap_is_told_piece_by_piece() -> None:
    held = fed(machine(units=4), [(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0), (TOTAL, 9, 10), (SECOND, 9, 3)])
    found = cell(held)
    assert (found.pq, found.sq, found.gq) == (40, 3, 37)
    assert found.ipt == 80


@pytest.mark.parametrize("counts", [("total", "good"), ("good", "scrap")])
def test_cavities_count_for_total_and_good_alike(counts: tuple[str, str]) -> None:
    held = machine(dict(zip(counts, (TOTAL, SECOND), strict=True)), units=4)
    second = 9 if counts[1] == "good" else 2
    fed(held, [(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0), (TOTAL, 9, 10), (SECOND, 9, second)])
    found = cell(held)
    assert (found.pq, found.gq) == ((40, 36) if counts[1] == "good" else (42, 40))


def test_each_product_has_its_own_mould() -> None:
    held = machine(job=JOB, products={"A": Fraction(1), "B": Fraction(1)}, ideal=None, units_of={"A": 4}, units=2)
    a, b = (float(JOB.vocabulary.code(name)) for name in "AB")
    rows = [(STATE, 0, 1), (JOB, 0, a), (TOTAL, 0, 0), (TOTAL, 10, 5), (JOB, 11, b), (TOTAL, 20, 8)]
    assert cell(fed(held, rows)).pq == 5 * 4 + 3 * 2


def test_a_mould_told_late_counts_from_when_it_was_changed() -> None:
    held = machine(job=JOB, products={"A": Fraction(1), "B": Fraction(1)}, ideal=None, units_of={"A": 4, "B": 2})
    a, b = (float(JOB.vocabulary.code(name)) for name in "AB")
    fed(held, [(STATE, 0, 1), (JOB, 0, a), (TOTAL, 0, 0), (TOTAL, 10, 5), (TOTAL, 20, 8), (JOB, 15, b)])
    assert cell(held).pq == 5 * 4 + 3 * 2
    assert cell(held, 10).pq + held.ledger.cell(10 * S, 100 * S).pq == 26


def test_strokes_spread_over_a_gap_are_multiplied_and_none_is_lost_where_the_gap_is_cut() -> None:
    held = machine(units=3)
    gone = [(TOTAL, 10, NAN, LOST), (STATE, 10, NAN, LOST)]
    fed(held, [(STATE, 0, 1), (TOTAL, 0, 0), *gone, (TOTAL, 40, 7), (STATE, 40, 1)])
    whole = held.ledger.cell(0, 60 * S)
    assert whole.pq == 21
    for at in (11, 17, 25, 39):
        assert held.ledger.cell(0, at * S) + held.ledger.cell(at * S, 60 * S) == whole


# -- run edges ---------------------------------------------------------------------------------


def beats(*begins: float) -> list[Row]:
    return [row for at in begins for row in ((STATE, at, 1), (STATE, at + 0.5, 0))]


def running() -> Machine:
    """Its total is inferred; the ideal cycle is 2 s."""
    return machine({}, runs=True, policy=Policy(unknown="exclude", inferred=True))


def test_a_machine_that_begins_to_run_in_its_rhythm_makes_pieces() -> None:
    held = fed(running(), [(STATE, 0, 0), *beats(1, 3, 5.5, 8)])
    found = cell(held)
    assert (found.pq, found.inferred) == (3, 3)
    assert "LOW_CONFIDENCE" in kpi.flags(found)


def test_a_flicker_is_no_piece_and_a_stop_is_none_either() -> None:
    held = fed(running(), [(STATE, 0, 0), *beats(1, 1.8, 3, 20, 22)])
    assert cell(held).pq == 2       # (1, 3] and (20, 22]


def test_what_was_out_of_sight_is_no_cycle() -> None:
    gone = [(STATE, 2, NAN, LOST), (STATE, 2.5, 1), (STATE, 2.6, 0)]
    held = fed(running(), [(STATE, 0, 0), *beats(1), *gone, *beats(3, 5)])
    assert cell(held).pq == 1       # (3, 5]


def test_run_edges_count_the_same_in_any_order() -> None:
    rows = [(STATE, 0, 0), *beats(1, 3, 5, 6, 9, 11, 13, 30, 32, 35, 36)]
    wanted = cell(fed(running(), rows))
    assert wanted.pq == 9
    for seed in range(30):
        assert cell(fed(running(), rows, random.Random(seed))) == wanted


def test_run_edges_go_on_across_a_checkpoint_and_count_once() -> None:
    held = fed(running(), [(STATE, 0, 0), *beats(1, 3)])
    told, packed = held.checkpoint()
    again = running()
    again.restore(orjson.loads(orjson.dumps(told)), packed)
    fed(again, beats(5, 7))
    assert cell(again) == cell(fed(running(), [(STATE, 0, 0), *beats(1, 3, 5, 7)]))


# -- first pass yield --------------------------------------------------------------------------


def inspected() -> Machine:
    return machine({"total": TOTAL, "inspected": TOTAL, "first_pass": SECOND})


def test_first_pass_yield_is_what_passed_over_what_was_inspected() -> None:
    found = cell(fed(inspected(), [(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0), (TOTAL, 9, 20), (SECOND, 9, 18)]))
    assert (found.ip, found.gp, found.pq) == (20, 18, 20)
    assert values(found)["first_pass_yield"] == Fraction(9, 10)
    assert values(Cell())["first_pass_yield"] is None


def test_more_passed_than_inspected_is_flagged() -> None:
    assert "COUNT_SKEW" in kpi.flags(Cell(ct=1, ip=1, gp=2))


def test_inspected_pieces_survive_a_restart() -> None:
    held = fed(inspected(), [(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0), (TOTAL, 9, 20), (SECOND, 9, 18)])
    held.facts.pack()
    told, packed = held.checkpoint()
    again = inspected()
    again.restore(told, packed)
    assert cell(again) == cell(held)
