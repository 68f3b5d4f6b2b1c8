"""How long pieces take, and an ideal cycle for products that have none."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import kpi
from edge_agent.core.cycles import ENOUGH, PRODUCTS, Cycles, Histogram, Judged, bin_of, middle
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine
from edge_agent.core.pulses import PulseCounter
from edge_agent.core.register import REMEMBERED
from edge_agent.core.states import MachineState
from tests.core.counting_machines import JOB, LOST, NAN, STATE, TOTAL, Row, S, fed, machine

MS = 1_000_000
HALF = Fraction(1, 2)


def counting(**more: object) -> Machine:
    """Nobody gives it an ideal cycle; its total is a register."""
    return machine({"total": TOTAL}, ideal=None, policy=Policy(estimates=True), **more)


def strokes(n: int, cycle: float = 2.0, start: float = 0.0) -> list[Row]:
    return [(STATE, start, 1), *((TOTAL, start + k * cycle, k) for k in range(n + 1))]


def held(made: Machine, product: str = "") -> Histogram:
    return made.cycles.of.get(product, Histogram())


@given(st.integers(1, 1 << 50))
def test_a_bin_is_no_wider_than_one_hundredth_of_what_is_in_it(ns: int) -> None:
    assert abs(middle(bin_of(ns)) - ns) * 200 <= ns
    assert bin_of(ns) <= bin_of(ns + 1)


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=300), st.sampled_from([Fraction(5, 100), HALF]))
def test_a_quantile_is_that_of_the_sorted_list_within_a_bin(durations: list[int], share: Fraction) -> None:
    made = Histogram()
    for one in durations:
        made.add(one)
    rank = -(-len(durations) * share.numerator // share.denominator)
    exact = sorted(durations)[max(rank, 1) - 1]
    assert abs(made.quantile(share) - exact) * 200 <= exact
    assert made.best == min(durations)


@given(st.lists(st.integers(1, 10**15), max_size=300), st.integers(64, 100))
def test_bars_hold_every_duration_once_side_by_side_and_are_no_more_than_asked_for(
    durations: list[int], most: int
) -> None:
    made = Histogram()
    for one in durations:
        made.add(one)
    bars = made.bars(most)
    assert len(bars) <= most
    assert sum(n for _, _, n in bars) == len(durations)
    assert all(before[1] <= after[0] for before, after in pairwise(bars))
    for one in durations:
        assert sum(low <= one < high for low, high, _ in bars) == 1


def test_cycles_of_a_machine_that_runs_are_measured_once_nothing_changes_them_any_more() -> None:
    made = fed(counting(), strokes(REMEMBERED + 50))
    assert held(made).n == 49       # the first reading is no stroke
    assert held(made).best == 2 * S
    assert abs(held(made).quantile(HALF) - 2 * S) < 0.01 * S


def test_a_cycle_in_which_the_machine_stood_or_the_line_was_down_is_none() -> None:
    rows: list[Row] = [*strokes(20), *((TOTAL, 20 + 2.0 * k, k) for k in range(20, REMEMBERED + 50))]
    assert held(fed(counting(), rows)).quantile(Fraction(1)) > 20 * S   # nobody said that it stood
    stop: list[Row] = [(STATE, 45, 0), (STATE, 50, 1), (TOTAL, 30.5, NAN, LOST)]
    made = fed(counting(), sorted([*rows, *stop], key=lambda row: row[1]))
    assert held(made).quantile(Fraction(1)) < 3 * S
    assert held(made).n == 46


def test_where_the_counter_is_read_coarsely_many_cycles_are_taken_together() -> None:
    rows: list[Row] = [(STATE, 0, 1), *((TOTAL, t, t * 1000 // 1300) for t in range(2000))]     # 1.3 s
    alone, together = fed(counting(), rows), fed(counting(grain_ns=S), rows)
    assert held(alone).best == S
    assert abs(held(together).quantile(Fraction(5, 100)) - 1.3 * S) < 0.04 * S


def test_the_same_cycles_come_out_of_any_order_of_samples() -> None:
    rows = strokes(300, 0.7)
    rows += [(STATE, 30.1, 0), (STATE, 30.3, 1), (STATE, 77.2, 2), (STATE, 78.0, 1)]
    rows.sort(key=lambda row: row[1])
    wanted = fed(counting(), rows)
    assert held(wanted).n > 200
    for seed in range(5):
        order, made = random.Random(seed), counting()
        places = sorted(range(len(rows)), key=lambda n: n + order.randrange(20))
        for place in places:
            fed(made, [rows[place]])
        assert made.cycles.snapshot() == wanted.cycles.snapshot()
        assert made.ledger.estimates == wanted.ledger.estimates


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_neither_cycles_nor_the_estimate_depend_on_how_samples_are_cut_into_batches(size: int) -> None:
    rows = strokes(400, 0.7)
    rows[100:100] = [(STATE, rows[100][1] - 0.1, 0), (STATE, rows[100][1] - 0.05, 1)]
    made, whole = counting(), fed(counting(), rows)
    for start in range(0, len(rows), size):
        fed(made, rows[start : start + size])
    assert made.cycles.snapshot() == whole.cycles.snapshot()
    assert made.ledger.estimates == whole.ledger.estimates
    assert made.ledger.cell(0, 400 * S) == whole.ledger.cell(0, 400 * S)


def test_after_200_cycles_a_product_without_an_ideal_cycle_has_an_estimate_from_then_on_and_for_good() -> None:
    made = fed(counting(), strokes(ENOUGH + REMEMBERED + 100))
    since, ideal = made.ledger.estimates[""]
    assert since == (ENOUGH + 1) * 2 * S
    assert abs(ideal - 2) < Fraction(1, 50)
    before, after = made.ledger.cell(0, since), made.ledger.cell(since, 2000 * S)
    assert (before.unrated, before.estimated) == (ENOUGH + 1, 0)
    assert (after.unrated, after.estimated, after.ipt) == (0, 163, 163 * ideal)
    assert "PRU_ESTIMATED" in kpi.flags(after)
    fed(made, [(TOTAL, 2000 + k, 1000 + k) for k in range(600)])
    assert made.ledger.estimates[""] == (since, ideal)


def test_an_estimate_never_counts_where_an_ideal_cycle_is_given_or_none_is_wanted() -> None:
    rows = strokes(ENOUGH + REMEMBERED + 100)
    given = fed(machine({"total": TOTAL}, policy=Policy(estimates=True)), rows)
    assert given.ledger.estimates
    assert given.ledger.cell(0, 2000 * S).ipt == 2 * 364
    unwanted = fed(machine({"total": TOTAL}, ideal=None), rows)
    assert unwanted.ledger.cell(0, 2000 * S).unrated == 364


def test_each_product_has_its_own_cycles_and_its_strokes_make_its_pieces() -> None:
    made = counting(job=JOB, products={"A": Fraction(1)}, units_of={"B": 4})
    a, b = (float(JOB.vocabulary.code(name)) for name in "AB")
    rows = [(JOB, 0, a), *strokes(100), (JOB, 201, b)]
    rows += [(TOTAL, 200 + 4.0 * k, 100 + k) for k in range(1, ENOUGH + REMEMBERED + 50)]
    fed(made, rows)
    assert (held(made, "A").best, held(made, "B").best) == (2 * S, 4 * S)
    since, ideal = made.ledger.estimates["B"]
    assert abs(ideal - 1) < Fraction(1, 50)     # four pieces of a stroke of 4 s
    assert made.ledger.cell(since, 5000 * S).estimated % 4 == 0


def test_a_restart_keeps_what_was_measured_and_counts_nothing_twice() -> None:
    first, second = strokes(ENOUGH), [(TOTAL, 400 + 2.0 * k, ENOUGH + k) for k in range(1, REMEMBERED + 40)]
    lived = fed(counting(), first)
    told, packed = orjson.loads(orjson.dumps(lived.checkpoint()[0])), lived.checkpoint()[1]
    fed(lived, second)
    events = orjson.loads(orjson.dumps(lived.take_events()))
    again = counting()
    again.restore(told, packed)
    again.replay(events)
    again.replay(events)
    assert again.cycles.snapshot() == lived.cycles.snapshot()
    assert again.ledger.estimates == lived.ledger.estimates != {}
    assert again.ledger.cell(0, 2000 * S) == lived.ledger.cell(0, 2000 * S)


def test_pulses_are_cycles_too() -> None:
    counters = {"total": lambda: PulseCounter(50 * MS)}
    rows: list[Row] = [(STATE, 0, 1)]
    for k in range(200):
        rows += [(TOTAL, 3.0 * k, 0), (TOTAL, 3.0 * k + 1, 1)]
    made = fed(counting(counters=counters), rows)
    assert held(made).best == 3 * S
    assert held(made).n > 100


def test_memory_is_bounded_in_products_and_state_changes() -> None:
    made = Cycles()
    made.state(0, MachineState.RUN)
    for n in range(PRODUCTS + 50):
        made.product(n * 10 * S, f"p{n}")
        made.judged(Judged(n * 10 * S + 1, 1))
        made.judged(Judged(n * 10 * S + S, 1))
        made.settle()
    assert len(made.of) == PRODUCTS
    for n in range(20_000):
        made.state((10_000 + n) * S, MachineState(n % 5))
    made.judged(Judged(100_000 * S, 1))
    assert made.settle() == []


DURATIONS = st.integers(1, 255) | st.integers(1, 1 << 62) | st.integers(10**9, 2 * 10**9)


@given(told=st.lists(st.tuples(DURATIONS, st.integers(1, 5)), max_size=80), most=st.integers(60, 400))
def test_bars_tell_of_every_duration_once_and_as_finely_as_there_is_room_for(
    told: list[tuple[int, int]], most: int
) -> None:
    histogram = Histogram()
    for ns, n in told:
        histogram.add(ns, n)
    bars = histogram.bars(most)
    assert len(bars) <= most
    # Counted one by one, not by bins.
    assert [n for *_, n in bars] == [sum(n for ns, n in told if low <= ns < high) for low, high, _ in bars]
    assert sum(n for *_, n in bars) == sum(n for _, n in told)
    assert all(n for *_, n in bars)
    assert all(high <= low for (_, high, _), (low, _, _) in pairwise(bars))
    # At its finest a bar is 1/128 of what it stands for; twice as wide with each step, so long as there are too many.
    finest = {slow_bar(ns, 0) for ns, _ in told}
    step = next(step for step in range(8) if len({slow_bar(ns, step) for ns, _ in told}) <= most)
    assert {(low, high) for low, high, _ in bars} == {slow_bar(ns, step) for ns, _ in told}
    assert len(bars) == len(finest) or len(finest) > most


def slow_bar(ns: int, step: int) -> tuple[int, int]:
    """The bar of a duration: walked to from 0, in steps that double in length with each doubling."""
    width = 1 << step
    if ns < 256:
        return ns // width * width, ns // width * width + width
    top = 256
    while ns >= 2 * top:
        top *= 2
    width *= top // 128
    low = top + (ns - top) // width * width
    return low, low + width
