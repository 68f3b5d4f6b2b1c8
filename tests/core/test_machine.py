"""From samples to ledger events, for one machine."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
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



def test_a_product_in_another_encoding_than_the_device_says_can_be_kept_and_told() -> None:
    job, number = Tag(3, "plc", "job", Kind.TEXT), Tag(4, "plc", "number", Kind.TEXT)
    held = machine(ideal=None, job=job, number=number, products={"A": Fraction(2)})
    for tag in (job, number):
        tag.vocabulary.code("零件".encode("gbk").decode("utf-8", "surrogateescape"))
    held.feed(samples([(STATE, 0, 1), (job, 0, 0), (number, 0, 0), (TOTAL, 1, 0), (SECOND, 1, 0), (TOTAL, 10, 3)]))
    events = held.take_events()
    assert "job" in orjson.dumps(events).decode()
    assert sorted({text for text in _texts(events) if "?" in text}) == ["?" * 4]


def _texts(said: object) -> list[str]:
    if isinstance(said, str):
        return [said]
    inner = said.values() if isinstance(said, dict) else said if isinstance(said, (list, tuple)) else ()
    return [text for one in inner for text in _texts(one)]

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


# -- late, equal and strange samples -----------------------------------------------------------


def test_shuffled_and_repeated_samples_give_the_same_record_as_sorted_ones() -> None:
    rows = [(STATE, 10 * n, code) for n, code in enumerate((1, 0, 1, 1, 2, 2, 1, 1, 1, 0, 2, 1, 0, 1))]
    in_order = machine()
    in_order.feed(samples(rows))
    for seed in range(50):
        shuffled = [*rows, *rows[::3]]
        random.Random(seed).shuffle(shuffled)
        held = machine()
        for one in shuffled:
            held.feed(samples([one]))
        assert held.ledger.spans(0, 200 * S) == in_order.ledger.spans(0, 200 * S)
        assert held.ledger.cell(0, 200 * S) == in_order.ledger.cell(0, 200 * S)
        assert (held.current.state, held.current.reason) == (in_order.current.state, in_order.current.reason)


def test_shuffled_and_repeated_readings_of_counters_give_the_same_record_as_sorted_ones() -> None:
    lost = bad(Reason.COMM_LOST)
    readings = [0, 4, 9, 7, 9, None, 20, 3, 8, 65_530, 2, 9_000, 5, None, None, 30, 31, 0, 33, 2, 5, 8]
    rows = [(TOTAL, 10 * n, value or 0, 0 if value is not None else lost) for n, value in enumerate(readings)]
    rows += [(JOB, 35 * n, code) for n, code in enumerate((0, 1, 1, 0, 0))]
    spec = {"ideal": None, "job": JOB, "products": {"A": Fraction(2), "B": Fraction(5)}}
    spec["counters"] = {source: lambda: Counter(16, 1) for source in ("total", "scrap")}
    JOB.vocabulary.code("A"), JOB.vocabulary.code("B")
    in_order = machine(**spec)
    in_order.feed(samples(rows))
    expected = [in_order.ledger.cell(a * S, b * S) for a, b in ((0, 300), (15, 95), (95, 111), (111, 180))]
    assert expected[0].pq > 0
    for seed in range(50):
        shuffled = [*rows, *rows[::3]]
        random.Random(seed).shuffle(shuffled)
        held = machine(**spec)
        for one in shuffled:
            held.feed(samples([one]))
        restored = restarted(held, machine(**spec))
        for ledger in (held.ledger, restored.ledger):
            found = [ledger.cell(a * S, b * S) for a, b in ((0, 300), (15, 95), (95, 111), (111, 180))]
            assert found == expected


def test_a_late_state_gets_its_own_time_and_leaves_alone_what_is_current() -> None:
    held = machine()
    held.feed(samples([(STATE, 0, 1), (STATE, 50, 1), (STATE, 20, 2)]))
    assert states(held) == [(0, "RUN", "")]
    assert held.current.state is MachineState.RUN
    told = [(span.start // S, span.state.name) for span in held.ledger.spans(0, 60 * S)]
    assert told == [(0, "RUN"), (20, "FAULT"), (50, "RUN")]


def test_two_states_at_one_instant_are_the_same_for_the_ledger_and_for_the_world() -> None:
    for codes in ((2, 1), (1, 2)):
        held = machine()
        held.feed(samples([(STATE, 0, 0), *((STATE, 10, code) for code in codes)]))
        [told] = held.ledger.spans(10 * S, 11 * S)
        assert held.current.state is told.state is MachineState.FAULT
        held.feed(samples([(STATE, 11, 1)]))
        assert held.ledger.spans(11 * S, 12 * S)[0].state is MachineState.RUN


def test_after_a_late_product_the_next_sample_says_again_what_is_made() -> None:
    held = machine(ideal=None, job=JOB, products={"A": Fraction(2), "B": Fraction(5)})
    a, b = JOB.vocabulary.code("A"), JOB.vocabulary.code("B")
    held.feed(samples([(STATE, 0, 1), (JOB, 0, a), (TOTAL, 0, 0), (SECOND, 0, 0), (JOB, 20, b), (JOB, 10, a)]))
    held.feed(samples([(TOTAL, 30, 3), (JOB, 40, a), (TOTAL, 50, 4)]))
    assert held.ledger.cell(0, 100 * S).ipt == 3 * 5 + 1 * 2


def test_after_the_agent_was_away_a_device_whose_clock_is_behind_is_believed() -> None:
    held = machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0)]))
    held.was_away(100 * S)
    held.feed(samples([(STATE, 98, 1)]))
    assert held.current.state is MachineState.RUN
    assert held.ledger.spans(101 * S, 102 * S)[0].state is MachineState.RUN


def test_a_number_no_register_holds_is_no_count_and_can_be_journalled() -> None:
    held = machine(job=TOTAL, products={1: Fraction(1)}, ideal=None)
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 5), (SECOND, 0, 0)]))
    held.feed(samples([(STATE, 1, 1e300), (TOTAL, 1, 1e300), (STATE, 2, -1e19), (TOTAL, 2, float("inf"))]))
    assert states(held)[-1] == (1, "UNKNOWN", "UNMAPPED")
    orjson.dumps(held.take_events())
    orjson.dumps(held.checkpoint()[0])
    held.feed(samples([(TOTAL, 3, 8)]))
    assert held.ledger.cell(0, 10 * S).pq == 3


# -- dwell ---------------------------------------------------------------------------------------


def test_a_change_that_has_dwelt_counts_even_if_what_comes_next_is_the_loss() -> None:
    held = machine(dwell_ns=5 * S)
    held.feed(samples([(STATE, 0, 1), (STATE, 6, 1), (STATE, 20, 2), (STATE, 30, float("nan"), bad(Reason.COMM_LOST))]))
    assert states(held) == [(0, "RUN", ""), (20, "FAULT", ""), (30, "UNKNOWN", "COMM_LOST")]


def test_a_change_that_has_not_dwelt_when_the_line_is_lost_never_was() -> None:
    held = machine(dwell_ns=5 * S)
    held.feed(samples([(STATE, 0, 1), (STATE, 6, 1), (STATE, 20, 2), (STATE, 21, float("nan"), bad(Reason.COMM_LOST))]))
    held.confirm(100 * S)
    assert states(held) == [(0, "RUN", ""), (21, "UNKNOWN", "COMM_LOST")]


def test_a_state_that_lasted_until_the_next_change_has_dwelt() -> None:
    held = machine(dwell_ns=5 * S)
    held.feed(samples([(STATE, 0, 1), (STATE, 6, 1), (STATE, 20, 2), (STATE, 26, 1), (STATE, 40, 1)]))
    assert states(held) == [(0, "RUN", ""), (20, "FAULT", ""), (26, "RUN", "")]


# -- counters and gaps ---------------------------------------------------------------------------

LOST = bad(Reason.COMM_LOST)
NAN = float("nan")


def test_a_gap_stays_open_until_its_pieces_are_booked() -> None:
    held = machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 500), (SECOND, 0, 0)]))
    held.feed(samples([(tag, 100, NAN, LOST) for tag in (STATE, TOTAL, SECOND)]))
    # In the gap the counter was reset: a drop waits for the next reading to be believed.
    held.feed(samples([(STATE, 200, 1), (TOTAL, 200, 30), (TOTAL, 201, 30)]))
    cell = held.ledger.cell(0, 300 * S)
    assert cell.pq == 30
    assert 59 * S <= cell.credited <= 60 * S      # all but the last second's share came out of the gap


def test_a_counter_that_was_bad_for_a_while_spreads_its_pieces_over_that_while() -> None:
    for quality in (LOST, uncertain(Reason.DEVICE)):
        held = machine()
        held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0), (TOTAL, 100, 0, quality)]))
        held.feed(samples([(STATE, 200, 1), (TOTAL, 200, 40)]))
        assert held.ledger.cell(0, 150 * S).pq == 20
        assert held.ledger.cell(0, 200 * S).unk_raw == 0


def test_a_gap_before_a_preset_does_not_reach_behind_it() -> None:
    held = machine()
    held.feed(samples([(TOTAL, 0, 0), (SECOND, 0, 0), (TOTAL, 100, NAN, LOST)]))
    held.feed(samples([(TOTAL, 110, 4_000_000), (TOTAL, 120, 4_000_010)]))     # REBASED
    assert held.ledger.cell(0, 110 * S).pq == 0
    assert held.ledger.cell(110 * S, 120 * S).pq == 10


def test_the_first_reading_alone_is_already_remembered_by_the_journal() -> None:
    held, other = machine(), machine()
    held.feed(samples([(STATE, 0, 1)]))
    events = [held.take_events()]
    held.feed(samples([(TOTAL, 5, 100), (SECOND, 5, 0)]))       # no pieces, no fact
    events.append(held.take_events())
    for event in orjson.loads(orjson.dumps(events)):
        other.replay(event)
    other.was_away(10 * S)
    other.feed(samples([(STATE, 20, 1), (TOTAL, 20, 107), (SECOND, 20, 0)]))
    assert other.ledger.cell(0, 60 * S).pq == 7
    assert held.take_events() is None


def test_a_reading_that_waits_for_confirmation_waits_across_a_restart() -> None:
    held, other = machine(), machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 500), (SECOND, 0, 0)]))
    events = [held.take_events()]
    held.feed(samples([(TOTAL, 1, 0)]))
    events.append(held.take_events())
    for event in orjson.loads(orjson.dumps(events)):
        other.replay(event)
    other.was_away(2 * S)
    other.feed(samples([(STATE, 3, 1), (TOTAL, 3, 4), (SECOND, 3, 0)]))
    assert other.ledger.cell(0, 60 * S).pq == 4


def test_a_counter_that_stood_still_for_hours_has_not_gone_round_unseen() -> None:
    hours = 3 * 3600
    held = machine(counters={source: lambda: Counter(16, 10) for source in ("total", "scrap")})
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 100), (SECOND, 0, 0)]))
    held.feed(samples([(TOTAL, hours + 20, 103)]))
    assert held.ledger.cell(0, 2 * hours * S).pq == 3
    other = machine(counters={source: lambda: Counter(16, 10) for source in ("total", "scrap")})
    other.replay(orjson.loads(orjson.dumps(held.take_events())))
    other.was_away(3 * hours * S)
    other.feed(samples([(STATE, 3 * hours + 20, 1), (TOTAL, 3 * hours + 20, 105), (SECOND, 3 * hours + 20, 0)]))
    assert other.ledger.cell(0, 4 * hours * S).pq == 3 + 2


def test_what_was_made_between_the_last_reading_and_the_end_of_the_agent_counts() -> None:
    slow = {"counts": {"total": replace(TOTAL, stale_ns=180 * S), "scrap": SECOND}}      # read once a minute
    held, other = (Machine(replace(machine().spec, **slow)) for _ in range(2))
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0)]))
    other.replay(orjson.loads(orjson.dumps(held.take_events())))
    other.was_away(59 * S)
    other.feed(samples([(STATE, 61, 1), (TOTAL, 61, 400), (SECOND, 61, 0)]))
    assert other.ledger.cell(0, 100 * S).pq == 400


# -- restart ------------------------------------------------------------------------------------


def restarted(held: Machine, into: Machine) -> Machine:
    told, packed = held.checkpoint()
    into.restore(orjson.loads(orjson.dumps(told)), packed)
    return into


@pytest.mark.parametrize("packed", [False, True])
def test_a_corrected_ideal_cycle_counts_for_all_that_is_open(packed: bool) -> None:
    for before, after in ((2, 1), (1, 2)):
        held = machine(ideal=Fraction(before))
        held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0), (TOTAL, 10, 5)]))
        if packed:
            held.facts.pack()
        other = restarted(held, machine(ideal=Fraction(after)))
        assert other.ledger.cell(0, 60 * S).ipt == 5 * after


@pytest.mark.parametrize("packed", [False, True])
def test_a_machine_that_no_longer_has_jobs_goes_by_its_one_ideal_cycle(packed: bool) -> None:
    products = {"A": Fraction(2), "B": Fraction(5)}
    held = machine(ideal=None, job=JOB, products=products)
    held.feed(samples([(STATE, 0, 1), (JOB, 0, JOB.vocabulary.code("A")), (TOTAL, 0, 0), (SECOND, 0, 0)]))
    held.feed(samples([(TOTAL, 10, 3), (JOB, 11, JOB.vocabulary.code("B"))]))
    if packed:
        held.facts.pack()
    other = restarted(held, machine(ideal=Fraction(7)))
    other.feed(samples([(TOTAL, 20, 4)]))
    assert other.ledger.cell(0, 60 * S).ipt == 4 * 7
    rated = restarted(held, machine(ideal=None, job=JOB, products={"A": Fraction(3)}))
    rated.feed(samples([(TOTAL, 20, 4)]))
    assert rated.ledger.cell(0, 60 * S).ipt == 3 * 3 + 1 * 5      # B is no longer named: as it was


def test_a_counter_that_now_reads_another_register_begins_anew() -> None:
    held = machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 100), (SECOND, 0, 0)]))
    elsewhere = Tag(1, "plc-2", "total", Kind.INT)
    other = restarted(held, machine(counts=("total", "scrap")))
    changed = Machine(replace(other.spec, counts={"total": elsewhere, "scrap": SECOND}))
    restarted(held, changed)
    changed.feed(samples([(elsewhere, 1, 110), (elsewhere, 2, 111)]))
    assert changed.ledger.cell(0, 60 * S).pq == 1


def test_events_behind_a_newer_checkpoint_do_not_set_the_counters_back() -> None:
    held = machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 100), (SECOND, 0, 0), (TOTAL, 10, 105)]))
    older = orjson.loads(orjson.dumps(held.take_events()))
    held.feed(samples([(TOTAL, 20, 110)]))
    other = restarted(held, machine())      # made while the older events were on their way to the disk
    other.replay(older)
    other.feed(samples([(TOTAL, 30, 112)]))
    assert other.ledger.cell(0, 60 * S).pq == 12


def test_packing_now_and_then_changes_nothing_but_the_size_of_the_rest() -> None:
    held = machine()
    held.feed(samples([(STATE, 0, 1), (TOTAL, 0, 0), (SECOND, 0, 0)]))
    for n in range(1, 1000):
        held.feed(samples([(TOTAL, n, n), (STATE, n, n % 2)]))
        if held.facts.is_due:
            held.facts.pack()
            assert held.checkpoint()[0]["facts"] == []
    assert len(held.checkpoint()[0]["facts"]) < 500
    other = restarted(restarted(held, machine()), machine())
    assert other.ledger.cell(0, 2000 * S) == held.ledger.cell(0, 2000 * S)
    assert other.current == held.current


# -- values without a name -----------------------------------------------------------------------


def test_a_state_the_map_misses_is_counted_each_time_and_told_once() -> None:
    held = machine()
    held.feed(samples([(STATE, 1, 1), (STATE, 2, 7), (STATE, 3, 7), (STATE, 4, 1), (STATE, 5, 7), (STATE, 6, 8)]))
    assert held.unnamed.count == 3, "twice to 7, once to 8; 7 told again is nothing new"
    assert [str(one) for one in held.unnamed.take_fresh()] == [
        f"m: plc.state is {code}, which its state does not name: the machine is UNKNOWN meanwhile" for code in (7, 8)
    ]
    held.feed(samples([(STATE, 7, 1), (STATE, 8, 7)]))
    assert (held.unnamed.count, list(held.unnamed.take_fresh())) == (4, [])


def test_a_product_that_is_not_listed_is_counted_and_told() -> None:
    held = machine(job=JOB, products={"A": Fraction(1)}, ideal=None)
    held.feed(samples([(JOB, 1, JOB.vocabulary.code("A")), (JOB, 2, JOB.vocabulary.code("X9"))]))
    assert [str(one) for one in held.unnamed.take_fresh()] == [
        "m: plc.job is 'X9', which names no product: the pieces have no ideal cycle (PRU_MISSING)"
    ]


def test_a_tag_that_brings_ever_new_values_costs_no_memory() -> None:
    held = machine()
    held.feed(samples([(STATE, t, 100 + t) for t in range(1, 100)]))
    assert len(held.unnamed.met) == len(list(held.unnamed.take_fresh())) == 16
    assert held.unnamed.count == 99


def test_a_nameless_state_that_comes_late_is_not_taken_for_the_present_one() -> None:
    held = machine()
    held.feed(samples([(STATE, 1, 0), (STATE, 5, 1)]))
    held.feed(samples([(STATE, 3, 7)]))
    assert list(held.unnamed.take_fresh()) == []
    assert held.ledger.spans(3 * S, 4 * S)[0].reason == "UNMAPPED"
