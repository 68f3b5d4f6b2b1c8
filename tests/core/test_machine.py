"""From samples to ledger events, for one machine."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import orjson
import pytest

from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.counters import Counter
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.quality import Reason, bad, uncertain
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag

S = 1_000_000_000
STATE = Tag(0, "plc", "state", Kind.INT)
TOTAL = Tag(1, "plc", "total", Kind.INT)
SECOND = Tag(2, "plc", "second", Kind.INT)
JOB = Tag(3, "plc", "job", Kind.TEXT)
CODES = {0: MachineState.IDLE, 1: MachineState.RUN, 2: MachineState.FAULT}


def machine(counts: tuple[str, str] = ("total", "scrap"), **more: object) -> Machine:
    sources = dict(zip(counts, (TOTAL, SECOND), strict=True))
    spec = {
        "id": "m",
        "state": STATE,
        "states": CODES,
        "calendar": Calendar("UTC", shifts=None),
        "policy": Policy(),
        "counts": sources,
        "counters": {source: lambda: Counter(32, 10) for source in sources},
        "ideal": Fraction(2),
        **more,
    }
    return Machine(MachineSpec(**spec))  # type: ignore[arg-type]


def samples(rows: Iterable[tuple[Tag, float, float] | tuple[Tag, float, float, int]]) -> Batch:
    listed = [(*row, 0)[:4] for row in rows]
    return Batch(
        np.array([row[0].position for row in listed], np.int32),
        np.array([round(row[1] * S) for row in listed], np.int64),
        np.array([row[2] for row in listed], float),
        np.array([row[3] for row in listed], np.uint8),
    )


def states(held: Machine) -> list[tuple[float, str, str]]:
    return [(change.since / S, change.state.name, change.reason) for change in held.take_changes()]


def test_a_state_change_is_told_once_and_from_its_sample_on() -> None:
    held = machine()
    held.feed(samples([(STATE, 1, 1), (STATE, 2, 1), (STATE, 3, 2), (STATE, 4, 2)]))
    assert states(held) == [(1, "RUN", ""), (3, "FAULT", "")]
    assert states(held) == []


def test_a_bad_sample_means_unknown_and_says_why() -> None:
    held = machine()
    held.feed(samples([(STATE, 1, 1), (STATE, 2, float("nan"), bad(Reason.COMM_LOST)), (STATE, 9, 1)]))
    assert states(held) == [(1, "RUN", ""), (2, "UNKNOWN", "COMM_LOST"), (9, "RUN", "")]


def test_an_uncertain_state_is_unknown_too() -> None:
    held = machine()
    held.feed(samples([(STATE, 1, 1), (STATE, 2, 1, uncertain(Reason.DEVICE))]))
    assert states(held)[-1] == (2, "UNKNOWN", "DEVICE")


def test_a_value_that_the_map_does_not_name_is_unknown_or_the_default() -> None:
    held = machine()
    held.feed(samples([(STATE, 1, 77)]))
    assert states(held) == [(1, "UNKNOWN", "UNMAPPED")]
    held = machine(otherwise=MachineState.OFF)
    held.feed(samples([(STATE, 1, 77)]))
    assert states(held) == [(1, "OFF", "")]


def test_a_change_counts_after_its_dwell_and_then_from_its_start() -> None:
    held = machine(dwell_ns=5 * S)
    held.feed(samples([(STATE, 0, 1), (STATE, 6, 1), (STATE, 10, 0), (STATE, 12, 1), (STATE, 20, 2), (STATE, 26, 2)]))
    assert states(held) == [(0, "RUN", ""), (20, "FAULT", "")]


def test_a_dwell_ends_by_confirmation_where_nothing_more_is_reported() -> None:
    held = machine(dwell_ns=5 * S)
    held.feed(samples([(STATE, 10, 1)]))
    held.confirm(12 * S)
    assert states(held) == []
    held.confirm(15 * S)
    assert states(held) == [(10, "RUN", "")]


@pytest.mark.parametrize(
    ("counts", "first", "second", "expected"),
    [
        (("total", "scrap"), 10, 2, (10, 8, 2)),
        (("total", "good"), 10, 8, (10, 8, 2)),
        (("good", "scrap"), 8, 2, (10, 8, 2)),
    ],
)
def test_any_two_counters_give_the_third(
    counts: tuple[str, str], first: int, second: int, expected: tuple[int, int, int]
) -> None:
    held = machine(counts)
    held.feed(samples([(STATE, 0, 1), (TOTAL, 1, 500), (SECOND, 1, 100)]))
    held.feed(samples([(TOTAL, 60, 500 + first), (SECOND, 60, 100 + second)]))
    cell = held.ledger.cell(0, 100 * S)
    assert (cell.pq, cell.gq, cell.sq) == expected
    assert (cell.ipt, cell.igt) == (2 * expected[0], 2 * expected[1])


def test_each_product_counts_with_its_own_ideal_cycle() -> None:
    held = machine(ideal=None, job=JOB, products={"A": Fraction(2), "B": Fraction(5)})
    a, b = JOB.vocabulary.code("A"), JOB.vocabulary.code("B")
    held.feed(samples([(STATE, 0, 1), (JOB, 0, a), (TOTAL, 1, 0), (SECOND, 1, 0), (TOTAL, 10, 3)]))
    held.feed(samples([(TOTAL, 20, 4), (JOB, 20, b), (TOTAL, 30, 6)]))
    assert held.ledger.cell(0, 100 * S).ipt == 4 * 2 + 2 * 5


def test_pieces_seen_across_a_gap_prove_run_time_in_it() -> None:
    held = machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0)]))
    lost = bad(Reason.COMM_LOST)
    held.feed(samples([(tag, 100, float("nan"), lost) for tag in (STATE, TOTAL, SECOND)]))
    held.feed(samples([(STATE, 200, 1), (TOTAL, 200, 30), (SECOND, 200, 0)]))
    cell = held.ledger.cell(0, 300 * S)
    assert cell.unk_raw == 100 * S
    assert cell.credited == 60 * S
    assert cell.pq == 30


def test_checkpoint_and_events_restore_the_very_same_ledger() -> None:
    held, other = machine(), machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0), (TOTAL, 7, 5)]))
    told, packed = held.checkpoint()
    told = orjson.loads(orjson.dumps(told))
    held.take_events()
    held.settled["day"] = 42
    held.feed(samples([(TOTAL, 9, 6), (STATE, 10, 2), (TOTAL, 11, 4_000_000_000)]))
    events = orjson.loads(orjson.dumps(held.take_events()))
    other.restore(told, packed)
    other.replay(events)
    other.replay(events)        # a crash may leave events that the checkpoint already holds
    assert other.current == held.current
    assert other.settled == {"day": 42}
    for both in (held, other):
        both.feed(samples([(TOTAL, 12, 7)]))
    assert other.ledger.cell(0, 60 * S) == held.ledger.cell(0, 60 * S)


def test_absence_of_the_agent_is_unknown_time_bridged_by_the_counter() -> None:
    held = machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0)]))
    held.was_away(100 * S)
    held.feed(samples([(STATE, 200, 1), (TOTAL, 200, 20), (SECOND, 200, 0)]))
    cell = held.ledger.cell(0, 300 * S)
    assert (cell.unk_raw, cell.credited, cell.pq) == (100 * S, 40 * S, 20)
    assert (100, "UNKNOWN", "AGENT_DOWN") in states(held)
