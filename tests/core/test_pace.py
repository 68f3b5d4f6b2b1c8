"""Stops that no state tells of: found by the gaps between strokes."""

from __future__ import annotations

import random
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.calendar import Calendar
from edge_agent.core.counters import Counter
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.pace import PaceJudge
from edge_agent.core.pulses import PulseCounter
from edge_agent.core.sources import Rank, SourceSpec
from tests.core.counting_machines import LOST, NAN, TOTAL, Row, S, cell, fed

Span = tuple[float, str]


def paced(pulse: bool = False) -> Machine:
    """A stroke takes 2 s; none for more than 6 s is a stop, a micro-stop up to 30 s."""
    source = SourceSpec(Rank.INFERRED, PaceJudge(2 * S, 6 * S, pulse), {"count": TOTAL})
    counter = PulseCounter if pulse else lambda: Counter(32, 10)
    spec = MachineSpec(
        "m", None, {}, Calendar("UTC", shifts=None), Policy(micro_stop_ns=30 * S), {"total": TOTAL},
        counters={"total": counter}, sources=[source],
    )  # fmt: skip
    return Machine(spec)


def strokes(*times: float, first: int = 0) -> list[Row]:
    return [(TOTAL, at, first + n) for n, at in enumerate(times)]


def told(held: Machine, end: float = 100) -> list[Span]:
    return [(span.start / S, span.state.name) for span in held.ledger.spans(0, round(end * S))]


def test_it_runs_while_strokes_come_and_stands_from_when_the_next_would_have_been_done() -> None:
    held = fed(paced(), strokes(0, 2, 4, 6, 20, 22))
    assert told(held) == [(0, "RUN"), (8, "IDLE"), (20, "RUN")]


def test_a_slow_cycle_is_no_stop_and_one_as_long_as_the_gap_is_none_either() -> None:
    assert [name for _, name in told(fed(paced(), strokes(0, 2, 8, 14, 16)))][-1] == "RUN"
    assert "IDLE" not in dict(told(fed(paced(), strokes(0, 2, 8, 14, 16)))).values()
    assert "IDLE" in {name for _, name in told(fed(paced(), strokes(0, 2, 8.001, 10)))}


def test_short_stops_are_micro_stops_and_long_ones_are_not() -> None:
    found = cell(fed(paced(), strokes(0, 2, 4, 20, 22, 24, 70, 72)), 72)
    assert (found.n_micro, found.n_stop) == (1, 1)
    assert (found.micro, found.adet_other) == (14 * S, 44 * S)
    assert found.apt == 14 * S


def test_a_stop_shows_once_time_has_passed_without_a_stroke_and_is_back_dated() -> None:
    held = fed(paced(), strokes(0, 2, 4))
    held.confirm(10 * S)
    assert told(held)[-1][1] == "RUN"
    held.confirm(10 * S + 1)
    assert told(held)[-1] == (6, "IDLE")
    assert held.current.state.name == "IDLE"


def test_strokes_that_are_read_at_once_were_made_one_after_the_other_just_before() -> None:
    held = fed(paced(), [*strokes(0, 2, 4), (TOTAL, 40, 5)])
    assert told(held)[-2:] == [(6, "IDLE"), (36, "RUN")]


def test_before_the_first_stroke_nobody_knows_and_a_machine_that_makes_none_stands() -> None:
    held = fed(paced(), strokes(10))
    assert {name for _, name in told(held)} == {"UNKNOWN"}
    held.confirm(17 * S)
    assert told(held)[-1] == (10, "IDLE")


def test_a_lost_line_is_unknown_and_not_a_stop() -> None:
    held = fed(paced(), [*strokes(0, 2, 4), (TOTAL, 5, NAN, LOST), (TOTAL, 30, 9), (TOTAL, 32, 10)])
    assert told(held)[-2:] == [(5, "UNKNOWN"), (30, "RUN")]


def test_pulses_are_strokes_and_what_comes_off_is_none() -> None:
    rows: list[Row] = [(TOTAL, 0, 0)]
    for at in (2, 4, 6, 30, 32):
        rows += [(TOTAL, at, 1), (TOTAL, at + 0.3, 0)]
    held = fed(paced(pulse=True), rows)
    assert told(held)[-2:] == [(8, "IDLE"), (30, "RUN")]
    assert cell(held).pq == 5


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.sampled_from([1, 1, 1, 2, 5, None])), max_size=40, unique_by=lambda x: x[0]
    ),
    st.lists(st.integers(0, 1000), max_size=6),
    st.randoms(use_true_random=False),
)
def test_neither_the_order_of_samples_nor_when_time_was_seen_to_pass_matters(
    steps: list[tuple[int, int | None]], confirms: list[int], order: random.Random
) -> None:
    rows = list(counted(sorted(steps)))
    whole, shuffled, seen = paced(), paced(), paced()
    fed(whole, rows)
    fed(shuffled, rows, order)
    for row in rows:
        for at in confirms:
            if at / 10 <= row[1]:
                seen.confirm(round(at * S / 10))
        fed(seen, [row])
    for held in (whole, shuffled, seen):
        held.confirm(200 * S)
    assert told(whole, 200) == told(shuffled, 200) == told(seen, 200)
    assert whole.ledger.cell(0, 200 * S) == shuffled.ledger.cell(0, 200 * S) == seen.ledger.cell(0, 200 * S)


def counted(steps: Iterable[tuple[int, int | None]]) -> Iterable[Row]:
    value = 0
    for at, n in steps:
        value += n or 0
        yield (TOTAL, at / 10, value) if n is not None else (TOTAL, at / 10, NAN, LOST)


def test_a_restart_goes_on_where_it_was() -> None:
    lived, rows = paced(), strokes(0, 2, 4)
    fed(lived, rows)
    again = paced()
    again.replay(orjson.loads(orjson.dumps(lived.take_events())))
    for held in (lived, again):
        held.was_away(5 * S)
        fed(held, [(TOTAL, 50, 9), (TOTAL, 52, 10), (TOTAL, 54, 11)])
    assert told(again) == told(lived)
    assert told(lived)[-2:] == [(5, "UNKNOWN"), (50, "RUN")]


def test_a_gap_that_is_no_longer_than_a_stroke_is_none() -> None:
    with pytest.raises(ValueError, match="longer than a stroke"):
        PaceJudge(2 * S, 2 * S)
