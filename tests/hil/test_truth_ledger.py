"""The rig's own exact ledger, checked by brute force over its events."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from edge_agent_hil.machine import Event, State, What
from edge_agent_hil.plant import Plant
from edge_agent_hil.truth import Truth

START = 1_764_547_200_000_000_000
SECOND = 1_000_000_000
REST: dict[str, Any] = {"breaks": [{"start": "00:02", "for": "90s"}, {"start": "00:07", "for": "30s"}]}
RESTS = [(120, 210), (420, 450)]
END = START + 900 * SECOND


@pytest.fixture
def truth(plant_of: Callable[..., Plant], clock: Any) -> Truth:
    plant = plant_of({"m": REST}, seed=3)
    clock.forward(900)
    plant.advance()
    return plant.truths["m"]


def pieces_of_time(events: list[Event], start: int, end: int) -> Iterator[tuple[int, int, State, bool]]:
    """[start, end) cut at every state change and every edge of a break: (begin, end, state, in a break)."""
    edges = [START + edge * SECOND for rest in RESTS for edge in rest]
    changes = [(e.t, e.state) for e in events if e.what is What.STATE]
    cuts = sorted({start, end, *(t for t in [*edges, *(t for t, _ in changes)] if start < t < end)})
    for begin, until in pairwise(cuts):
        state = [state for t, state in changes if t <= begin][-1]
        yield begin, until, state, any(START + a * SECOND <= begin < START + b * SECOND for a, b in RESTS)


def windows(count: int) -> list[tuple[int, int]]:
    rng = random.Random(11)
    ends = [sorted(rng.randrange(START, END) for _ in range(2)) for _ in range(count)]
    return [(START, END), *((a, b) for a, b in ends)]


def test_time_per_state_is_what_brute_force_finds_and_adds_up_to_the_window(truth: Truth) -> None:
    for start, end in windows(25):
        expected = {"IDLE": 0, "SETUP": 0, "RUN": 0, "FAULT": 0, "BREAK": 0}
        for begin, until, state, resting in pieces_of_time(truth.events, start, end):
            expected["BREAK" if resting else state] += until - begin
        vector = truth.vector(start, end)
        assert vector.time_ns == expected
        assert sum(vector.time_ns.values()) == end - start
        assert vector.busy_ns == end - start - expected["BREAK"]


def test_counts_and_ideal_time_are_what_brute_force_finds(truth: Truth) -> None:
    ideal = {"A": Fraction(1, 5), "B": Fraction(7, 20)}
    for start, end in windows(25):
        made = [e for e in truth.events if e.what is What.PIECE and start < e.t <= end]
        vector = truth.vector(start, end)
        assert (vector.total, vector.scrap) == (len(made), sum(not e.good for e in made))
        assert vector.ideal_total_ns == sum(ideal[e.product] for e in made) * SECOND
        assert vector.ideal_good_ns == sum(ideal[e.product] for e in made if e.good) * SECOND
        assert sum(part["total"] for part in vector.by_product.values()) == vector.total


def test_windows_side_by_side_add_up_to_the_whole(truth: Truth) -> None:
    rng = random.Random(4)
    instants = [e.t for e in rng.sample(truth.events, 8)]  # cuts exactly at events are the hard ones
    cuts = sorted({START, END, *instants, *(rng.randrange(START, END) for _ in range(8))})
    parts = [truth.vector(a, b, 2 * SECOND, END) for a, b in pairwise(cuts)]
    whole = truth.vector(START, END, 2 * SECOND, END)
    for state, ns in whole.time_ns.items():
        assert sum(part.time_ns[state] for part in parts) == ns
    for name in ("total", "scrap", "micro_ns", "faults", "ideal_total_ns", "ideal_good_ns"):
        assert sum(getattr(part, name) for part in parts) == getattr(whole, name)


def test_the_counters_of_every_reading_agree_with_the_pieces_recorded(truth: Truth) -> None:
    for event in truth.events[::31]:
        later = [e for e in truth.events if e.t == event.t][-1]
        vector = truth.vector(START, event.t)
        assert (vector.total, vector.scrap) == (later.total, later.scrap)


def test_oee_is_good_ideal_time_over_planned_busy_time_and_the_factors_multiply_to_it(truth: Truth) -> None:
    kpis = truth.vector(START, END, 2 * SECOND).kpis()
    vector = truth.vector(START, END)
    assert kpis["oee"] == vector.ideal_good_ns / vector.busy_ns
    for availability, performance in (
        ("availability_iso", "effectiveness_iso"), ("availability_classic", "performance_classic"),
    ):  # fmt: skip
        a, p, q = kpis[availability], kpis[performance], kpis["quality_time"]
        assert a is not None
        assert p is not None
        assert q is not None
        assert a * p * q == kpis["oee"]


def test_a_window_within_a_break_has_no_oee(truth: Truth) -> None:
    kpis = truth.vector(START + 150 * SECOND, START + 160 * SECOND).kpis()
    assert kpis["oee"] is None
    assert kpis["availability_iso"] is None


def test_a_stop_is_short_or_long_by_its_whole_length_outside_breaks(
    plant_of: Callable[..., Plant], clock: Any
) -> None:
    broken: dict[str, Any] = {
        "products": {"A": {"code": 1, "ideal_cycle": "40s"}}, "jobs": [], "spread": 0, "micro_stops": None,
        "faults": {"every": ["50s", "50s"], "for": ["30s", "30s"]},
        "breaks": [{"start": "00:01", "for": "10s"}],
    }  # fmt: skip
    plant = plant_of({"m": broken})
    clock.forward(120)
    plant.advance()
    truth = plant.truths["m"]  # FAULT from 50 s to 80 s, of which 60 to 70 is break: 20 s of stop
    window = START + 55 * SECOND, START + 100 * SECOND
    assert truth.vector(*window, micro_stop_ns=20 * SECOND).micro_ns == 15 * SECOND
    assert truth.vector(*window, micro_stop_ns=20 * SECOND - 1).micro_ns == 0
    early = START + 55 * SECOND, START + 75 * SECOND
    assert truth.vector(*early, micro_stop_ns=16 * SECOND).micro_ns == 10 * SECOND  # open, 15 s so far
    assert truth.vector(*early, micro_stop_ns=16 * SECOND, as_of=START + 100 * SECOND).micro_ns == 0


def test_the_complete_truth_names_every_event_once(truth: Truth) -> None:
    said: Any = truth.to_json(END)
    assert len(said["states"]) + len(said["products"]) + len(said["pieces"]) == len(truth.events)
    assert said["whole"]["counts"]["total"] == len(said["pieces"])
    assert said["breaks"] == [(START + a * SECOND, START + b * SECOND) for a, b in RESTS]
