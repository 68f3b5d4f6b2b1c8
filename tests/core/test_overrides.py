"""What operators say of a machine counts more than what it tells, and takes nothing away from it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.calendar import Calendar
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.overrides import Entry
from edge_agent.core.states import MachineState
from edge_agent.core.timeline import Span
from tests.core.counting_machines import LOST, NAN, STATE, TOTAL, S, cell, fed, machine

UNKNOWN, IDLE, SETUP, RUN, FAULT, MAINT = (
    MachineState[name] for name in ("UNKNOWN", "IDLE", "SETUP", "RUN", "FAULT", "MAINT")
)
ALWAYS = Calendar("UTC", shifts=None)


def entry(
    start: int, end: int | None, state: MachineState | None = None, reason: str = "", at: int = 100, id: str = "e"
) -> Entry:
    return Entry(at * S, id, start * S, None if end is None else end * S, state, reason, "op-1")


def ledger(*states: tuple[int, MachineState, str], entries: Sequence[Entry] = ()) -> Ledger:
    made = Ledger(ALWAYS, Policy(startup_ns=0))
    for t, state, reason in states:
        made.state(t * S, state, reason)
    for one in entries:
        made.operator(one)
    return made


def told(made: Ledger, end: int = 60) -> list[tuple[float, str, str, str]]:
    return [(span.start / S, span.state.name, span.reason, span.source) for span in made.spans(0, end * S)]


STATES = ((0, RUN, ""), (10, FAULT, "E7"), (20, IDLE, ""), (30, RUN, ""), (40, UNKNOWN, "COMM_LOST"), (50, RUN, ""))


def test_a_state_said_by_an_operator_counts_and_the_spans_say_whose_word_it_is() -> None:
    made = ledger(*STATES, entries=[entry(5, 25, MAINT, "PREVENTIVE")])
    assert told(made)[:4] == [(0, "RUN", "", ""), (5, "MAINT", "PREVENTIVE", "operator"), (25, "IDLE", "", ""),
                              (30, "RUN", "", "")]  # fmt: skip
    assert made.cell(0, 60 * S).pmt == 20 * S


def test_a_reason_alone_names_stops_and_leaves_running_and_unknown_time_as_they_were() -> None:
    made = ledger(*STATES, entries=[entry(0, 60, reason="TOOL")])
    assert told(made) == [
        (0, "RUN", "", ""), (10, "FAULT", "TOOL", "operator"), (20, "IDLE", "TOOL", "operator"), (30, "RUN", "", ""),
        (40, "UNKNOWN", "COMM_LOST", ""), (50, "RUN", "", ""),
    ]  # fmt: skip


def test_without_an_end_it_lasts_until_the_machine_runs_again() -> None:
    made = ledger(*STATES, entries=[entry(15, None, MAINT)])
    assert told(made)[2:4] == [(15, "MAINT", "", "operator"), (30, "RUN", "", "")]
    made = ledger(*STATES[:2], entries=[entry(15, None, MAINT)])
    assert told(made)[-1] == (15, "MAINT", "", "operator")
    made.state(40 * S, RUN)
    assert told(made)[-1] == (40, "RUN", "", "")
    made.state(30 * S, RUN)     # late
    assert told(made)[-1] == (30, "RUN", "", "")


def test_the_later_word_counts_and_neither_takes_back_what_was_said_before() -> None:
    entries = [entry(0, 40, MAINT, at=100, id="a"), entry(10, 20, FAULT, at=101, id="b"), entry(15, 30, at=102, id="c")]
    made = ledger(*STATES, entries=entries)
    assert told(made)[:4] == [(0, "MAINT", "", "operator"), (10, "FAULT", "", "operator"), (15, "FAULT", "E7", ""),
                              (20, "IDLE", "", "")]  # fmt: skip
    assert (30, "MAINT", "", "operator") in told(made)


def test_a_window_that_was_added_up_already_is_made_anew() -> None:
    made = ledger(*STATES)
    before = made.cell(0, 3600 * S)
    assert before.adet_fault + before.adet_other + before.micro == 20 * S
    made.operator(entry(10, 30, SETUP))
    after = made.cell(0, 3600 * S)
    assert (after.aust, after.micro) == (20 * S, 0)


def test_what_was_said_survives_a_snapshot() -> None:
    made = ledger(*STATES, entries=[entry(5, 25, MAINT, "PREVENTIVE"), entry(26, None, None, "TOOL", id="f")])
    again = Ledger(ALWAYS)
    again.restore(orjson.loads(orjson.dumps(made.snapshot())))
    assert told(again) == told(made)
    again.state(12 * S, IDLE)
    made.state(12 * S, IDLE)
    assert told(again) == told(made)


def test_what_no_window_needs_any_more_is_forgotten_with_the_past() -> None:
    made = ledger(*STATES, entries=[entry(5, 25, MAINT), entry(42, 55, FAULT, id="f")])
    made.prune(50 * S)
    assert [one.id for one in made.overrides.entries] == ["f"]
    made.operator(entry(0, 10, MAINT, id="g"))
    assert [one.id for one in made.overrides.entries] == ["f"]


states = st.lists(st.tuples(st.integers(0, 60), st.sampled_from(list(MachineState))), max_size=12)
said = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 60) | st.none(), st.sampled_from([None, MAINT, RUN, FAULT]),
              st.sampled_from(["", "TOOL"])), max_size=5,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(states, said, st.randoms(use_true_random=False))
def test_any_order_of_what_is_told_and_said_means_the_same_as_laying_it_over_second_by_second(
    states: list[tuple[int, MachineState]], said: list[tuple[int, int | None, MachineState | None, str]],
    order: random.Random,
) -> None:  # fmt: skip
    entries = [
        entry(start, None if length is None else start + length, state, reason, at=n, id=str(n))
        for n, (start, length, state, reason) in enumerate(said)
    ]
    facts: list[tuple[int, MachineState] | Entry] = [*states, *entries]
    made, shuffled = Ledger(ALWAYS), Ledger(ALWAYS)
    for target, listed in ((made, facts), (shuffled, order.sample(facts, len(facts)) + facts[:3])):
        for fact in listed:
            if isinstance(fact, Entry):
                target.operator(fact)
            else:
                target.state(fact[0] * S, fact[1])
            target.cell(0, 130 * S, 125 * S)       # settles what can be
    for second in range(125):
        [span] = made.spans(second * S, second * S + 1)
        assert (span.state, span.reason, span.source) == by_hand(made, entries, second)
    assert shuffled.spans(0, 130 * S) == made.spans(0, 130 * S)
    assert shuffled.cell(0, 130 * S) == made.cell(0, 130 * S)
    assert made.cell(0, 40 * S) + made.cell(40 * S, 130 * S) == made.cell(0, 130 * S)


def by_hand(made: Ledger, entries: list[Entry], second: int) -> tuple[MachineState, str, str]:
    """The rules once more, without cuts and repaints."""
    steps = list(zip(made.told.times, made.told.values, strict=True))
    own = next(((one.state, one.reason) for t, one in reversed(steps) if t <= second * S), (UNKNOWN, ""))
    runs = [False, *(one.state is RUN for _, one in steps)]
    begins = [t for (t, _), before, now in zip(steps, runs, runs[1:], strict=False) if now and not before]
    state, reason, source = *own, ""
    for one in entries:
        end = one.end if one.end is not None else min((t for t in begins if t > one.start), default=1 << 62)
        if not one.start <= second * S < end:
            continue
        if one.state is not None:
            state, reason, source = one.state, one.reason, "operator"
        elif not one.reason:
            state, reason, source = *own, ""
        elif state not in (UNKNOWN, RUN):
            reason, source = one.reason, "operator"
    return state, reason, source


# -- of a running machine ----------------------------------------------------------------------


def shown(changes: Sequence[object]) -> list[tuple[float, str, str]]:
    return [(one.since / S, one.state.name, one.reason) for one in changes if one.shown]  # type: ignore[attr-defined]


def test_what_is_shown_of_a_machine_is_what_the_operator_says_while_it_lasts() -> None:
    held = fed(machine(), [(STATE, 1, 1)])
    assert shown(held.take_changes(5 * S)) == [(1, "RUN", "")]
    held.operate(entry(4, 20, MAINT, "PREVENTIVE"))
    assert shown(held.take_changes(5 * S)) == [(4, "MAINT", "PREVENTIVE")]
    fed(held, [(STATE, 8, 0)])
    changes = held.take_changes(9 * S)
    assert shown(changes) == []
    assert [(one.state.name, one.shown) for one in changes] == [("IDLE", False)]
    assert held.shown(9 * S) == Span(4 * S, 9 * S + 1, MAINT, "PREVENTIVE", True, "operator")
    assert shown(held.take_changes(21 * S)) == [(20, "IDLE", "")]
    assert shown(held.take_changes(22 * S)) == []


def test_a_restart_knows_what_was_said_from_the_journal() -> None:
    held = fed(machine(), [(STATE, 1, 1), (TOTAL, 1, 0)])
    held.operate(entry(4, 20, MAINT))
    events = orjson.loads(orjson.dumps(held.take_events()))
    again = machine()
    again.replay(events)
    again.replay(events)
    assert again.ledger.spans(0, 30 * S) == held.ledger.spans(0, 30 * S)
    assert cell(again) == cell(held)


def test_an_override_hides_that_the_line_is_lost_but_not_from_the_machine_itself() -> None:
    held = fed(machine(), [(STATE, 1, 1)])
    held.operate(entry(4, 20, MAINT))
    fed(held, [(STATE, 6, NAN, LOST), (STATE, 30, 1)])
    assert held.current.state is RUN
    assert [span.state.name for span in held.ledger.spans(0, 40 * S)] == ["UNKNOWN", "RUN", "MAINT", "UNKNOWN", "RUN"]


def test_a_thousand_statements_are_laid_over_a_long_day_quickly_enough_to_be_asked_for() -> None:
    made = Ledger(ALWAYS)
    for n in range(5000):
        made.state(n * 10 * S, RUN if n % 2 else IDLE)
    for n in range(1000):
        made.operator(entry(n * 40, n * 40 + 25, MAINT if n % 3 else None, "TOOL", at=n, id=str(n)))
    assert sum(span.source == "operator" for span in made.spans(0, 50_000 * S)) >= 1000


@pytest.mark.parametrize("late", [3, 5, 12])
def test_a_late_sample_under_an_override_is_put_in_its_place(late: int) -> None:
    held = fed(machine(), [(STATE, 1, 1), (STATE, 10, 0)])
    held.operate(entry(4, 8, MAINT))
    fed(held, [(STATE, late, 2)])
    straight = fed(machine(), sorted([(STATE, 1, 1), (STATE, 10, 0), (STATE, late, 2)], key=lambda row: row[1]))
    straight.operate(entry(4, 8, MAINT))
    assert held.ledger.spans(0, 40 * S) == straight.ledger.spans(0, 40 * S)
