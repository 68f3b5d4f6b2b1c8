"""Machines whose state comes from several tags: any order and any restart gives the same record."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import groupby

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.inputs import REMEMBERED
from edge_agent.core.ledger import Span
from edge_agent.core.machine import Machine
from edge_agent.core.models import StateModel
from edge_agent.core.models.machinery import MachineryModel
from edge_agent.core.models.packml import PackmlModel
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag
from tests.core.state_machines import MODELS, ROLES, TAGS, S, Told, changes, machine, samples, spans, spec

# -- late, shuffled, repeated ----------------------------------------------------------------------


def test_a_late_input_is_put_between_the_others() -> None:
    held = machine()
    held.feed(samples([("state", 10, "Execute"), ("mode", 10, "Produce")]))
    held.feed(samples([("state", 20, "Held")]))
    held.feed(samples([("state", 30, "Execute")]))
    held.feed(samples([("mode", 25, "Produce")]))
    held.feed(samples([("mode", 15, "Maintenance")]))
    assert spans(held) == [
        (0, "UNKNOWN"), (10, "RUN"), (15, "MAINT"), (25, "IDLE INTERRUPTED"), (30, "RUN"),
    ]  # fmt: skip
    assert changes(held) == [(10, "RUN"), (20, "IDLE INTERRUPTED"), (30, "RUN")]


def test_a_late_input_that_still_holds_changes_what_is_current() -> None:
    held = machine()
    held.feed(samples([("state", 10, "Execute"), ("mode", 10, "Produce"), ("state", 20, "Execute")]))
    held.feed(samples([("mode", 15, "Manual")]))
    assert (held.current.state, held.current.since) == (MachineState.SETUP, 15 * S)
    assert spans(held) == [(0, "UNKNOWN"), (10, "RUN"), (15, "SETUP")]
    held.feed(samples([("state", 30, "Stopped")]))
    assert changes(held) == [(10, "RUN"), (15, "SETUP")]


def test_an_input_told_for_the_first_time_holds_now_however_old_it_is() -> None:
    held = machine()
    for t in range(10, 10 + 3 * REMEMBERED):
        held.feed(samples([("state", t, "Execute"), ("starved", t, t % 2)]))
    held.feed(samples([("mode", 1, "Manual")]))
    assert held.current.state is MachineState.SETUP
    held.feed(samples([("starved", 5, 1), ("mode", 0, "Produce")]))     # beyond memory, and no longer so
    assert held.current.state is MachineState.SETUP


def test_what_is_older_than_memory_and_no_longer_so_changes_nothing() -> None:
    held = machine()
    held.feed(samples([("mode", 10, "Manual")]))
    for t in range(10, 10 + 3 * REMEMBERED):
        held.feed(samples([("state", t, "Execute")]))
    held.feed(samples([("state", 5, "Aborted")]))
    assert spans(held) == [(0, "UNKNOWN"), (10, "SETUP")]


VALUES: Mapping[str, Sequence[str | int | None]] = {
    "state": ("Execute", "Suspended", "Aborted", "Cleared", "Nonsense", None),
    "mode": ("Produce", "Manual", "Maintenance", None),
    "starved": (0, 1, None),
    "machine_state": ("Running", "Stopped", None),
    "execute_state": ("Execute", "Suspended", "Held", None),
    "channel": (0, 1, 2, None), "program": (1, 2, 4, None), "operation_mode": (1, 2, 4, None), "alarm": (0, 1),
}  # fmt: skip
ITEM: Mapping[str, Sequence[str | int | None]] = {
    **VALUES,
    "state": ("NotAvailable", "NotAvailable", "OutOfService", "NotExecuting", "Executing", None),
    "mode": ("None", "Processing", "Setup", "Maintenance", None),
}


@st.composite
def histories(draw: st.DrawFn) -> tuple[StateModel, list[Told]]:
    """A model and samples of its inputs, many at one instant and some of one input at one instant."""
    model = draw(st.sampled_from(MODELS))
    pool = VALUES if isinstance(model, PackmlModel) else ITEM
    role = st.sampled_from(ROLES[type(model)])
    one = role.flatmap(lambda name: st.tuples(st.just(name), st.integers(0, 25), st.sampled_from(pool[name])))
    return model, draw(st.lists(one, min_size=1, max_size=40))


def in_order(model: StateModel, told: Sequence[Told]) -> Machine:
    held = machine(model)
    for _, group in groupby(sorted(told, key=lambda one: one[1]), key=lambda one: one[1]):
        held.feed(samples(group))
    return held


def facts(held: Machine) -> tuple[list[Span], object, tuple[MachineState, str]]:
    end = 100 * S
    return held.ledger.spans(0, end), held.ledger.cell(0, end), (held.current.state, held.current.reason)


@settings(max_examples=120, deadline=None)
@given(histories(), st.integers(0, 2**31), st.integers(1, 7))
def test_any_order_and_any_repetition_gives_the_same_ledger(
    history: tuple[StateModel, list[Told]], seed: int, size: int
) -> None:
    model, told = history
    expected = facts(in_order(model, told))
    shuffled = [*told, *told[::3]]
    random.Random(seed).shuffle(shuffled)
    held = machine(model)
    for start in range(0, len(shuffled), size):
        held.feed(samples(shuffled[start : start + size]))
    assert facts(held) == expected
    assert held.current.since <= 25 * S


@settings(max_examples=80, deadline=None)
@given(histories())
def test_the_ledger_has_at_each_instant_what_the_values_of_then_mean(
    history: tuple[StateModel, list[Told]]
) -> None:
    model, listed = history
    told = list({(role, t): (role, t, value) for role, t, value in listed}.values())
    held = in_order(model, told)
    needs = {one.role: one.need.value for one in model.inputs}
    now: dict[str, str | int | None] = {}
    memory = ""
    for t in range(26):
        for role, when, value in told:
            if when == t:
                now[role] = value
        known = {role: value for role, value in now.items() if value is not None or needs[role] != "detail"}
        meaning = model.meaning(known, memory)
        memory = model.remember(known, memory)
        reason = "COMM_LOST" if meaning.lacks and meaning.lacks in now else meaning.reason
        [span] = held.ledger.spans(t * S, t * S + 1)
        assert (span.state, span.reason) == (meaning.state, reason), t


# -- restart ---------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(histories(), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_checkpoint_and_events_carry_on_as_if_nothing_had_been(
    history: tuple[StateModel, list[Told]], first: int, second: int, packed: bool
) -> None:
    model, listed = history
    told = sorted({one[:2]: one for one in listed}.values(), key=lambda one: one[1])
    first, second = sorted((first, second))
    expected = in_order(model, told)
    held, other = machine(model), machine(model)
    for one in told[:first]:
        held.feed(samples([one]))
    held.take_events()
    if packed:
        held.facts.pack()
    checkpoint, package = held.checkpoint()
    events = []
    for one in told[first:second]:
        held.feed(samples([one]))
        events.append(held.take_events())
    other.restore(orjson.loads(orjson.dumps(checkpoint)), package)
    for event in [*events, *events]:
        if event is not None:
            other.replay(orjson.loads(orjson.dumps(event)))
    for one in told[second:]:
        other.feed(samples([one]))
    assert facts(other) == facts(expected)


def test_after_an_absence_each_input_is_believed_whatever_its_time() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Execute"), ("mode", 1, "Produce"), ("starved", 1, 0)]))
    held.was_away(100 * S)
    assert held.current.reason == "AGENT_DOWN"
    # A server tells the values it has with the time of their last change, each in a message of its own.
    held.feed(samples([("starved", 0.5, 1)]))
    assert held.current.reason == "AGENT_DOWN"
    held.feed(samples([("mode", 0.7, "Produce")]))
    held.feed(samples([("state", 50, "Suspended")]))
    assert (held.current.state, held.current.reason) == (MachineState.IDLE, "STARVED")
    assert spans(held)[-2:] == [(100, "UNKNOWN AGENT_DOWN"), (100.000000001, "IDLE STARVED")]
    held.feed(samples([("state", 160, "Execute")]))
    assert held.current.since == 160 * S


def test_what_changes_no_state_is_journalled_all_the_same() -> None:
    held, other = machine(), machine()
    held.feed(samples([("state", 1, "Execute"), ("mode", 1, "Produce"), ("starved", 1, 0)]))
    events = [held.take_events()]
    held.feed(samples([("starved", 2, 1)]))
    events.append(held.take_events())
    held.feed(samples([("starved", 3, 1)]))
    assert held.take_events() is None
    for event in orjson.loads(orjson.dumps(events)):
        other.replay(event)
    other.feed(samples([("state", 4, "Suspended")]))
    assert (other.current.state, other.current.reason) == (MachineState.IDLE, "STARVED")


def restarted(held: Machine, model: StateModel | None = None) -> Machine:
    told, packed = held.checkpoint()
    other = machine(model)
    other.restore(orjson.loads(orjson.dumps(told)), packed)
    return other


@pytest.mark.parametrize(
    ("before", "then", "state"), [("Maintenance", "Produce", "RUN"), ("Produce", "Manual", "SETUP")]
)
def test_an_instant_is_corrected_after_a_restart_too(before: str, then: str, state: str) -> None:
    held = machine()
    held.feed(samples([("mode", 5, before), ("state", 10, "Execute")]))
    other = restarted(held)
    other.feed(samples([("mode", 10, then)]))
    assert spans(other) == [(0, "UNKNOWN"), (10, state)]
    assert other.current.state.name == state


def test_an_instant_cut_in_two_by_a_restart_is_judged_as_one() -> None:
    held = machine(MachineryModel())
    held.feed(samples([("state", 1, "Executing"), ("mode", 1, "Setup"), ("mode", 5, "None")]))
    other = restarted(held, MachineryModel())
    other.feed(samples([("state", 5, "NotAvailable")]))
    assert other.current.state is MachineState.SETUP


def test_what_a_server_had_queued_while_the_agent_was_away_is_taken_in_its_order() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Execute"), ("mode", 1, "Produce")]))
    held.was_away(100 * S)
    held.feed(samples([("state", 60, "Held"), ("state", 50, "Execute"), ("mode", 1, "Produce")]))
    assert (held.current.state, held.current.reason) == (MachineState.IDLE, "INTERRUPTED")


def test_an_optional_input_that_is_gone_after_an_absence_is_not_waited_for() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Execute"), ("mode", 1, "Manual")]))
    held.was_away(100 * S)
    held.feed(samples([("state", 120, "Execute")]))
    assert held.current.state is MachineState.RUN


def test_the_mode_before_it_became_unavailable_outlives_a_restart() -> None:
    held = machine(MachineryModel())
    held.feed(samples([("state", 1, "Executing"), ("mode", 1, "Maintenance")]))
    held.feed(samples([("state", 2, "NotAvailable"), ("mode", 2, "None")]))
    told, packed = held.checkpoint()
    other = machine(MachineryModel())
    other.restore(orjson.loads(orjson.dumps(told)), packed)
    other.was_away(10 * S)
    other.feed(samples([("state", 20, "NotAvailable"), ("mode", 20, "None")]))
    assert other.current.state is MachineState.MAINT


def test_an_input_that_is_another_tag_now_begins_afresh() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Execute"), ("mode", 1, "Manual")]))
    told, packed = held.checkpoint()
    elsewhere = Tag(TAGS["mode"].position, "other", "mode", Kind.TEXT)
    other = machine(inputs={"state": TAGS["state"], "mode": elsewhere})
    other.restore(orjson.loads(orjson.dumps(told)), packed)
    other.feed(samples([("state", 2, "Execute")]))
    assert other.current.state is MachineState.RUN


def test_a_checkpoint_of_a_machine_with_one_tag_restores_one_with_several() -> None:
    one = Machine(spec(None, state=TAGS["channel"], states={0: MachineState.RUN}))
    one.feed(samples([("channel", 1, 0)]))
    told, packed = one.checkpoint()
    for data in (told, {**told, "now": {key: value for key, value in told["now"].items() if key != "inputs"}}):
        other = machine()
        other.restore(orjson.loads(orjson.dumps(data)), packed)
        assert other.current.state is MachineState.RUN
        other.was_away(5 * S)
        other.feed(samples([("state", 10, "Held")]))
        assert spans(other) == [(0, "UNKNOWN"), (1, "RUN"), (5, "UNKNOWN AGENT_DOWN"), (10, "IDLE INTERRUPTED")]
