"""Machines whose state comes from several tags: what is judged together, loss, dwell."""

from __future__ import annotations

import pytest

from edge_agent.core.engine import Engine
from edge_agent.core.inputs import REMEMBERED
from edge_agent.core.models import StateModel
from edge_agent.core.models.machinery import MachineryModel
from edge_agent.core.models.machinetool import MachinetoolModel
from edge_agent.core.models.packml import PackmlModel
from edge_agent.core.quality import Reason, bad, uncertain
from edge_agent.core.states import MachineState
from edge_agent.core.tags import TagTable
from tests.core.state_machines import MODELS, SCRAP, TAGS, TOTAL, S, Told, changes, machine, samples, spans, spec

# -- together --------------------------------------------------------------------------------------


def test_what_comes_at_one_instant_is_judged_together_and_told_once() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Execute"), ("mode", 1, "Produce"), ("starved", 1, 0)]))
    held.feed(samples([("mode", 2, "Manual"), ("state", 2, "Stopped"), ("starved", 2, 1)]))
    held.feed(samples([("mode", 3, "Produce"), ("starved", 3, 1), ("state", 3, "Suspended")]))
    assert changes(held) == [(1, "RUN"), (2, "SETUP"), (3, "IDLE STARVED")]


def test_any_input_that_changes_changes_the_state_from_its_own_time_on() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Suspended"), ("mode", 1, "Produce")]))
    held.feed(samples([("starved", 5, 1)]))
    held.feed(samples([("mode", 9, "Maintenance")]))
    assert changes(held) == [(1, "IDLE WAIT_AUX"), (5, "IDLE STARVED"), (9, "MAINT")]


def test_an_instant_told_in_two_batches_ends_as_if_told_in_one() -> None:
    told: list[Told] = [("state", 2, "Suspended"), ("starved", 2, 1)]
    for first, second in (told, told[::-1]):
        held = machine()
        held.feed(samples([("state", 1, "Execute")]))
        held.feed(samples([first]))
        held.feed(samples([second]))
        assert spans(held) == [(0, "UNKNOWN"), (1, "RUN"), (2, "IDLE STARVED")]
        assert (held.current.state, held.current.reason) == (MachineState.IDLE, "STARVED")


def test_until_the_state_is_told_nothing_is_known() -> None:
    held = machine()
    held.feed(samples([("mode", 1, "Produce"), ("starved", 1, 0)]))
    assert changes(held) == []
    assert spans(held) == [(0, "UNKNOWN")]


# -- loss ------------------------------------------------------------------------------------------


def test_a_lost_input_that_the_state_needs_makes_it_unknown_and_says_why() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Execute"), ("mode", 1, "Produce"), ("starved", 1, 0)]))
    held.feed(samples([("state", 2, None)]))
    held.feed(samples([("state", 3, "Execute")]))
    held.feed(samples([("mode", 4, None)], uncertain(Reason.DEVICE)))
    held.feed(samples([("mode", 5, "Produce")]))
    assert changes(held) == [(1, "RUN"), (2, "UNKNOWN COMM_LOST"), (3, "RUN"), (4, "UNKNOWN DEVICE"), (5, "RUN")]


def test_a_lost_flag_takes_away_the_reason_only() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Suspended"), ("starved", 1, 1), ("starved", 2, None)]))
    assert changes(held) == [(1, "IDLE STARVED"), (2, "IDLE WAIT_AUX")]


def test_an_optional_input_that_the_device_does_not_have_is_as_if_there_were_none() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Execute"), ("mode", 1, None)], bad(Reason.REFUSED)))
    assert changes(held) == [(1, "RUN")]
    held.feed(samples([("mode", 2, "Manual")]))
    held.feed(samples([("mode", 3, None)], bad(Reason.REFUSED)))
    assert changes(held) == [(2, "SETUP"), (3, "RUN")]
    held.feed(samples([("state", 4, None)], bad(Reason.REFUSED)))
    assert changes(held) == [(4, "UNKNOWN REFUSED")]


def test_an_inner_state_machine_that_is_not_active_is_not_missed() -> None:
    held = machine()
    held.feed(samples([("state", 1, "Cleared"), ("machine_state", 1, "Stopped"), ("execute_state", 1, None)]))
    held.feed(samples([("machine_state", 2, "Running"), ("execute_state", 2, "Execute")]))
    held.feed(samples([("state", 3, "Aborted"), ("machine_state", 3, None), ("execute_state", 3, None)]))
    assert changes(held) == [(1, "IDLE STOPPED"), (2, "RUN"), (3, "FAULT ESTOP/abort")]
    held.feed(samples([("state", 4, "Cleared")]))
    assert changes(held) == [(4, "UNKNOWN COMM_LOST")]


def test_a_machine_tool_is_judged_by_what_it_has() -> None:
    held = machine(MachinetoolModel())
    held.feed(samples([("state", 1, None), ("mode", 1, None)], bad(Reason.REFUSED)))
    held.feed(samples([("channel", 2, 0), ("operation_mode", 2, 1)]))
    held.feed(samples([("operation_mode", 3, 2), ("channel", 4, 2)]))
    assert changes(held) == [(1, "UNKNOWN REFUSED"), (2, "RUN"), (3, "SETUP"), (4, "IDLE")]


def test_an_unavailable_machine_keeps_the_mode_it_had() -> None:
    held = machine(MachineryModel())
    held.feed(samples([("state", 1, "Executing"), ("mode", 1, "Setup")]))
    held.feed(samples([("state", 2, "NotAvailable"), ("mode", 2, "None")]))
    for t in range(3, 3 * REMEMBERED):
        held.feed(samples([("state", t, "NotAvailable"), ("mode", t, "None")]))
    held.feed(samples([("mode", 1000, None)]))
    held.feed(samples([("state", 1001, "NotExecuting"), ("mode", 1001, "None")]))
    assert changes(held) == [(1, "SETUP"), (1001, "IDLE")]


# -- dwell, and what is confirmed ------------------------------------------------------------------


def test_a_change_that_does_not_dwell_never_was_whichever_input_made_it() -> None:
    held = machine(dwell_ns=5 * S)
    held.feed(samples([("state", 0, "Execute"), ("mode", 0, "Produce")]))
    held.confirm(5 * S)
    held.feed(samples([("mode", 10, "Manual")]))
    held.feed(samples([("mode", 12, "Produce")]))
    held.feed(samples([("mode", 20, "Manual")]))
    held.feed(samples([("starved", 26, 0)]))
    assert changes(held) == [(0, "RUN"), (20, "SETUP")]


def test_a_late_input_that_still_holds_dwells_from_its_own_time() -> None:
    held = machine(dwell_ns=5 * S)
    held.feed(samples([("state", 0, "Execute"), ("state", 10, "Execute")]))
    held.feed(samples([("mode", 8, "Manual")]))
    assert changes(held) == [(0, "RUN")]
    held.confirm(13 * S - 1)
    assert changes(held) == []
    held.confirm(13 * S)
    assert changes(held) == [(8, "SETUP")]


def test_what_is_known_of_a_machine_is_known_up_to_the_oldest_input_that_decides() -> None:
    table = TagTable([*TAGS.values(), TOTAL, SCRAP])
    engine = Engine(table, [], [spec(PackmlModel(), dwell_ns=5 * S)], ring_bytes=1_000_000)
    held = engine.machines["m"]
    engine.feed("m", samples([("state", 10, "Execute"), ("mode", 10, "Produce"), ("starved", 10, 0)]))
    engine.feed("m", samples([("machine_state", 10, None)]))
    engine.seen[TAGS["state"].position] = 40 * S
    engine.seen[TAGS["mode"].position] = 12 * S
    engine.seen[TAGS["starved"].position] = 11 * S
    engine.confirm()
    assert changes(held) == [], "the mode has not been seen for as long"
    engine.seen[TAGS["mode"].position] = 30 * S
    engine.confirm()
    assert changes(held) == [(10, "RUN")]
    assert engine.known_until(held, 100 * S) == 30 * S
    engine.feed("m", samples([("state", 41, None)]))
    assert engine.known_until(held, 100 * S) == 100 * S


def test_one_tag_may_be_two_inputs() -> None:
    held = machine(MachinetoolModel(), inputs={"channel": TAGS["channel"], "program": TAGS["channel"]})
    held.feed(samples([("channel", 1, 1)]))
    assert changes(held) == [(1, "RUN")]


@pytest.mark.parametrize("model", MODELS)
def test_a_machine_without_its_optional_inputs_works(model: StateModel) -> None:
    held = machine(model, inputs={"state": TAGS["state"]})
    held.feed(samples([("state", 1, "Execute" if isinstance(model, PackmlModel) else "Executing")]))
    assert held.current.state is MachineState.RUN
