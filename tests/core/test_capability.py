"""Capability: sums that may come in any order, over any windows, and the indices that follow from them."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from statistics import fmean, stdev

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.calendar import Calendar
from edge_agent.core.capability import (
    ZERO_VARIANCE,
    Characteristic,
    Measured,
    Stats,
    c4_of,
    capability_of,
    d2_of,
    flags_of,
    stats_of,
    told,
)
from edge_agent.core.cell import Cell
from edge_agent.core.facts import Facts
from edge_agent.core.fitted import Fitted
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.states import MachineState

S = 1_000_000_000
DAY = 86_400 * S
BORE = Characteristic("bore", 9.9, 10.1, size=3)

values = st.lists(st.integers(9_900, 10_100).map(lambda n: n / 1000), min_size=2, max_size=60)


def ledger(one: Characteristic = BORE, is_triggered: bool = False) -> Ledger:
    return Ledger(Calendar("UTC", shifts=None), Policy(fitted=Fitted(gauges=((one, is_triggered),))))


def measured(held: Ledger, start: int = 0, end: int = DAY) -> Stats:
    parts = held.cell(start, end).measured.parts
    return parts[0][1] if parts else Stats()


def chan(a: tuple[int, float, float], b: tuple[int, float, float]) -> tuple[int, float, float]:
    """n, mean, M2 of both together (Chan, Golub and LeVeque)."""
    n, delta = a[0] + b[0], b[1] - a[1]
    return n, a[1] + delta * b[0] / n, a[2] + b[2] + delta * delta * a[0] * b[0] / n


@given(values, values)
def test_adding_sums_is_the_parallel_update_of_chan(first: list[float], second: list[float]) -> None:
    both = [stats_of(BORE.steps(np.array(part)), np.zeros((0, 3), np.int64)) for part in (first, second)]
    n, mean, m2 = chan(*((len(p), fmean(p), sum((x - fmean(p)) ** 2 for x in p)) for p in (first, second)))
    found = both[0] + both[1]
    assert found == both[1] + both[0]
    assert found.n == n
    assert math.isclose(BORE.middle + BORE.step * found.total / n, mean, abs_tol=1e-7)
    assert math.isclose(BORE.step**2 * found.m2, m2, rel_tol=1e-4, abs_tol=1e-9)


@given(values)
def test_the_indices_are_those_of_the_textbook(given_values: list[float]) -> None:
    held = ledger()
    held.measure("bore", [(t * S, x) for t, x in enumerate(given_values, start=1)])
    found = capability_of(BORE, measured(held))
    s = stdev(given_values)
    assert found["mean"] == pytest.approx(fmean(given_values), abs=1e-7)
    groups = [given_values[at : at + 3] for at in range(0, len(given_values) - 2, 3)]
    s_bar = fmean(stdev(group) for group in groups) if groups else 0
    r_bar = fmean(max(group) - min(group) for group in groups) if groups else 0
    if s > 0.001:
        assert found["Pp"] == found["Cm"] == pytest.approx(0.2 / 6 / s, rel=1e-4)
        nearest = min(10.1 - fmean(given_values), fmean(given_values) - 9.9)
        assert found["Ppk"] == pytest.approx(nearest / 3 / s, rel=1e-3, abs=1e-6)
    if s_bar > 0.001:
        assert found["Cp_sbar"] == pytest.approx(0.2 / 6 / (s_bar / c4_of(3)), rel=1e-4)
        assert found["Cp_rbar"] == pytest.approx(0.2 / 6 / (r_bar / d2_of(3)), rel=1e-4)


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(9_900, 10_100)), min_size=1, max_size=60),
    st.randoms(use_true_random=False), st.lists(st.integers(0, 4000), max_size=3), st.booleans(),
)  # fmt: skip
def test_shuffled_and_repeated_values_give_the_same_sums_and_any_cut_adds_up(
    rows: list[tuple[int, int]], chance: random.Random, cuts: list[int], is_triggered: bool
) -> None:
    unit = DAY // 2000      # over two midnights
    samples = [(t * unit, n / 1000) for t, n in rows]
    triggers = [(t * unit, float(n % 4)) for t, n in rows[::2]]
    held, other = ledger(is_triggered=is_triggered), ledger(is_triggered=is_triggered)
    held.measure("bore", samples)
    held.measure("bore", triggers, True)
    mixed = [(False, sample) for sample in samples + chance.sample(samples, len(samples) // 2)]
    mixed += [(True, sample) for sample in triggers]
    chance.shuffle(mixed)
    for is_trigger, sample in mixed:
        other.measure("bore", [sample], is_trigger)
        other.cell(0, 3 * DAY)
    whole = held.cell(0, 3 * DAY)
    assert other.cell(0, 3 * DAY) == whole
    places = [0, *sorted(cut * unit for cut in cuts), 3 * DAY]
    assert sum((held.cell(a, b) for a, b in pairwise(places)), Cell()).measured == whole.measured
    third = ledger(is_triggered=is_triggered)
    third.restore(held.snapshot())
    assert third.cell(0, 3 * DAY) == whole


def test_with_a_trigger_equal_values_in_a_row_are_measurements_of_their_own() -> None:
    held = ledger(is_triggered=True)
    held.measure("bore", [(1 * S, 10.0), (25 * S, 10.02)])
    held.measure("bore", [(5 * S, 100), (10 * S, 101), (20 * S, 102), (25 * S, 103)], True)
    found = measured(held)
    assert (found.n, found.groups) == (3, 1)
    assert told(BORE, found)["mean"] == pytest.approx((10.0 + 10.0 + 10.02) / 3)


def test_a_trigger_that_is_told_again_is_no_new_measurement_and_a_gauge_that_was_lost_shows_none() -> None:
    held = ledger(is_triggered=True)
    held.measure("bore", [(1 * S, 10.0), (15 * S, math.nan)])
    held.measure("bore", [(5 * S, 100), (10 * S, 101), (12 * S, math.nan), (14 * S, 101), (20 * S, 102)], True)
    found = measured(held)
    assert (found.n, found.refused) == (1, 1)


def test_a_subgroup_counts_where_its_last_value_is() -> None:
    held = ledger()
    held.measure("bore", [(t * S, 10 + t / 1000) for t in range(1, 7)])
    assert [measured(held, a * S, b * S).groups for a, b in ((0, 2), (2, 3), (3, 5), (5, 9))] == [0, 1, 0, 1]


def test_only_values_of_its_product_are_measured() -> None:
    one = BORE._replace(product="B")
    held = ledger(one)
    held.job(0, "A", None)
    held.job(10 * S, "B", None)
    held.measure("bore", [(t * S, 10.0 + t / 10_000) for t in range(5, 16)])
    assert (measured(held).n, measured(held).groups) == (5, 1)
    held.job(20 * S, "A", None)
    held.prune(DAY // 2)
    held.measure("bore", [(DAY // 2 + S, 10.0)])
    assert measured(held).n == 5


def test_a_value_beyond_all_measure_is_refused_and_told() -> None:
    held = ledger()
    held.measure("bore", [(1 * S, 10.0), (2 * S, 1e30), (3 * S, 10.0), (4 * S, -math.inf)])
    shown = told(BORE, measured(held))
    assert (shown["n"], shown["refused"], shown["flags"]) == (2, 2, [ZERO_VARIANCE])
    assert (shown["Pp"], shown["Cpk"], shown["s"]) == (None, None, 0.0)


def test_one_value_has_no_spread_and_no_capability() -> None:
    held = ledger()
    held.measure("bore", [(1 * S, 10.0)])
    shown = told(BORE, measured(held))
    assert (shown["s"], shown["Pp"], shown["Cp"], shown["flags"]) == (None, None, None, [])
    assert flags_of(Stats()) == []


def test_sums_of_different_limits_are_never_mixed() -> None:
    other = BORE._replace(usl=10.2)
    one, two = Measured(((BORE, Stats(n=1)),)), Measured(((other, Stats(n=2)),))
    assert [stats.n for _, stats in (one + two).parts] == [1, 2]
    assert one + two == two + one
    assert Measured.from_list((one + two).to_list()) == one + two


def test_sums_of_many_far_values_fit_into_records() -> None:
    held = ledger(is_triggered=False)
    held.measure("bore", [(t * S, 10 + (-1) ** t * 100.0) for t in range(1, 100)])
    cell = held.cell(0, DAY)
    assert measured(held).squares > 1 << 63
    assert Cell.from_dict(orjson.loads(orjson.dumps(cell.to_dict()))) == cell


def test_a_wide_subgroup_is_exact_too() -> None:
    held = ledger(Characteristic("bore", 0.0, 1.0, size=2))
    held.measure("bore", [(1 * S, -1000.0), (2 * S, 1000.0)])
    assert told(Characteristic("bore", 0.0, 1.0, size=2), measured(held))["s_bar"] == pytest.approx(math.sqrt(2) * 1000)


def test_readings_of_a_gauge_go_on_when_the_past_has_been_forgotten_and_late_ones_are_counted() -> None:
    held = ledger()
    facts = Facts(held, lambda *_: None, None)
    for t in (1, 2):
        facts.note("state", [t * DAY // 4, int(MachineState.RUN), str(t)])
    held.prune(DAY // 2)
    facts.note("measure", ["bore", [[DAY // 2 + S, 10.0]], False])
    assert (measured(held).n, facts.too_late) == (1, 0)
    facts.note("measure", ["bore", [[S, 10.0]], False])
    assert (measured(held).n, facts.too_late) == (1, 1)


def test_forgetting_the_past_changes_nothing_of_the_time_since() -> None:
    held, other = (ledger(BORE._replace(product="A"), is_triggered=True) for _ in range(2))
    for one in (held, other):
        for t in range(0, 4000, 7):
            one.job(t * 60 * S, "AB"[t % 2], None)
            one.state(t * 60 * S, MachineState.RUN if t % 2 else MachineState.IDLE)
        one.measure("bore", [(t * 60 * S, 10 + t % 13 / 1000) for t in range(4000)])
        one.measure("bore", [(t * 60 * S, float(t)) for t in range(4000)], True)
    held.prune(DAY + 10 * 3600 * S)
    floor = held.remembered_from
    assert floor is not None
    assert held.cell(floor, 3 * DAY).measured == other.cell(floor, 3 * DAY).measured
    assert measured(held, floor, 3 * DAY).groups > 100
