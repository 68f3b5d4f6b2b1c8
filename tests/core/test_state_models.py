"""The tables of the companion specifications, line by line (domain 3.2, 3.3, 3.4)."""

from __future__ import annotations

from typing import get_args

import pytest

from edge_agent.config.state import CodesName
from edge_agent.core.models import MapModel, StateModel, Value
from edge_agent.core.models.codes import CODES, CodesModel
from edge_agent.core.models.euromap import EuromapModel
from edge_agent.core.models.machinery import MachineryModel
from edge_agent.core.models.machinetool import MachinetoolModel
from edge_agent.core.models.mtconnect import MtconnectModel
from edge_agent.core.models.packml import NUMBERS, STATES, PackmlModel
from edge_agent.core.states import MachineState


def told(model: StateModel, memory: str = "", **values: Value | None) -> str:
    """`STATE`, or `STATE reason`, or `UNKNOWN <role that is lacking>`."""
    meaning = model.meaning(values, memory)
    lacks = f"<{meaning.lacks}>" if meaning.lacks else ""
    return " ".join(part for part in (meaning.state.name, meaning.reason, lacks) if part)


# -- PackML ----------------------------------------------------------------------------------------

PACKML = {
    "Execute": "RUN", "Completing": "RUN",
    "Held": "IDLE INTERRUPTED", "Holding": "IDLE INTERRUPTED", "Unholding": "IDLE INTERRUPTED",
    "Suspended": "IDLE WAIT_AUX", "Suspending": "IDLE WAIT_AUX", "Unsuspending": "IDLE WAIT_AUX",
    "Idle": "IDLE", "Starting": "IDLE STARTING", "Resetting": "IDLE STARTING",
    "Complete": "IDLE COMPLETE",
    "Stopped": "IDLE STOPPED", "Stopping": "IDLE STOPPED", "Clearing": "IDLE STOPPED",
    "Aborting": "FAULT ESTOP/abort", "Aborted": "FAULT ESTOP/abort",
}  # fmt: skip
OPC_30050 = {
    "Clearing": 1, "Stopped": 2, "Starting": 3, "Idle": 4, "Suspended": 5, "Execute": 6, "Stopping": 7,
    "Aborting": 8, "Aborted": 9, "Holding": 10, "Held": 11, "Unholding": 12, "Suspending": 13,
    "Unsuspending": 14, "Resetting": 15, "Completing": 16, "Complete": 17,
}  # fmt: skip
OPC_30060 = {
    "Stopped": 0, "Resetting": 1, "Idle": 2, "Starting": 3, "Execute": 4, "Completing": 5, "Complete": 6,
    "Aborting": 7, "Aborted": 8, "Stopping": 9, "Clearing": 10, "Suspending": 11, "Suspended": 12,
    "Unsuspending": 13, "Holding": 14, "Held": 15, "Unholding": 16,
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), PACKML.items())
def test_a_packml_state_means_what_the_table_says(name: str, expected: str) -> None:
    for mode in ({}, {"mode": "Produce"}, {"mode": 1}):
        assert told(PackmlModel(), state=name, **mode) == expected
    assert told(PackmlModel("opc-30050"), state=OPC_30050[name]) == expected
    assert told(PackmlModel("opc-30060"), state=OPC_30060[name]) == expected


def test_both_numberings_are_whole_and_name_only_states_of_the_table() -> None:
    assert len(PACKML) == len(STATES) == 17
    nested = {18: "running", 19: "cleared"}
    assert {**{n: name.lower() for name, n in OPC_30050.items()}, **nested} == NUMBERS["opc-30050"]
    assert {n: name.lower() for name, n in OPC_30060.items()} == NUMBERS["opc-30060"]


def test_a_number_means_nothing_until_the_site_says_whose_it_is() -> None:
    assert told(PackmlModel(), state=6) == "UNKNOWN UNMAPPED"
    assert told(PackmlModel("opc-30050"), state=6) == "RUN"
    assert told(PackmlModel("opc-30060"), state=6) == "IDLE COMPLETE"
    assert told(PackmlModel("opc-30060"), state=17) == "UNKNOWN UNMAPPED"


@pytest.mark.parametrize("name", ["EXECUTE", "execute", " Execute ", "Executing"])
def test_a_name_may_be_written_in_many_ways(name: str) -> None:
    assert told(PackmlModel(), state=name) == "RUN"


def test_names_with_spaces_or_hyphens_are_the_same_names() -> None:
    assert told(PackmlModel(), state="Un-Holding") == told(PackmlModel(), state="UN HOLDING") == "IDLE INTERRUPTED"


@pytest.mark.parametrize("state", [*PACKML, "Nonsense"])
def test_maintenance_and_manual_count_in_any_packml_state(state: str) -> None:
    for mode, expected in (("Maintenance", "MAINT"), (2, "MAINT"), ("Manual", "SETUP"), (3, "SETUP")):
        assert told(PackmlModel(), state=state, mode=mode) == expected


def test_running_in_a_mode_that_is_none_of_the_standards_is_flagged() -> None:
    for mode in (0, "Invalid", 17, "Cleaning"):
        assert told(PackmlModel(), state="Execute", mode=mode) == "RUN MODE_UNKNOWN"
        assert told(PackmlModel(), state="Idle", mode=mode) == "IDLE"


def test_the_flags_tell_why_a_unit_is_suspended() -> None:
    model = PackmlModel()
    for state in ("Suspending", "Suspended", "Unsuspending"):
        assert told(model, state=state, starved=1, blocked=0) == "IDLE STARVED"
        assert told(model, state=state, starved=0, blocked=1) == "IDLE BLOCKED"
        assert told(model, state=state, starved=1, blocked=1) == "IDLE STARVED"
        assert told(model, state=state, starved=0, blocked=0) == "IDLE WAIT_AUX"
        assert told(model, state=state, starved="False", blocked="true") == "IDLE BLOCKED"
    assert told(model, state="Held", starved=1) == "IDLE INTERRUPTED"
    assert told(model, state="Execute", starved=1) == "RUN"


def test_a_stop_reason_is_part_of_the_reason_of_a_stop_and_of_nothing_else() -> None:
    model = PackmlModel()
    assert told(model, state="Stopped", stop_reason=1042) == "IDLE STOPPED: 1042"
    assert told(model, state="Aborted", stop_reason=" Guard door open ") == "FAULT ESTOP/abort: Guard door open"
    assert told(model, state="Stopped", stop_reason=0) == told(model, state="Stopped", stop_reason="") == "IDLE STOPPED"
    assert told(model, state="Execute", stop_reason=1042) == "RUN"
    assert len(told(model, state="Stopped", stop_reason="x" * 500)) < 100


def test_of_nested_state_machines_the_deepest_that_is_active_counts() -> None:
    model = PackmlModel()
    assert told(model, state="Cleared", machine_state="Running", execute_state="Held") == "IDLE INTERRUPTED"
    assert told(model, state="Cleared", machine_state="Stopped", execute_state=None) == "IDLE STOPPED"
    assert told(model, state="Cleared", machine_state="Stopped", execute_state="Execute") == "IDLE STOPPED"
    assert told(model, state="Aborted", machine_state="Running", execute_state="Execute") == "FAULT ESTOP/abort"
    assert told(model, state="Running", execute_state="Execute") == "RUN"
    assert told(PackmlModel("opc-30050"), state=19, machine_state=18, execute_state=16) == "RUN"


def test_a_nested_state_that_is_not_known_is_what_is_lacking() -> None:
    model = PackmlModel()
    assert told(model, state="Cleared", machine_state=None) == "UNKNOWN <machine_state>"
    assert told(model, state="Cleared", machine_state="Running") == "UNKNOWN <execute_state>"
    assert told(model, state="Running", execute_state="Running") == "UNKNOWN UNMAPPED"
    assert told(model, state=None, mode="Maintenance") == "UNKNOWN <state>"
    assert told(model) == "UNKNOWN <state>"


def test_a_mode_once_told_and_lost_is_lacking() -> None:
    assert told(PackmlModel(), state="Execute", mode=None) == "UNKNOWN <mode>"
    assert told(MachineryModel(), state="Executing", mode=None) == "UNKNOWN <mode>"
    assert told(MachinetoolModel(), channel=0, operation_mode=None) == "UNKNOWN <operation_mode>"


# -- OPC 40001-1 -----------------------------------------------------------------------------------

MODES = ("None", "Processing", "Setup", "Maintenance")
MACHINERY = [
    ("NotAvailable", "OFF OFF SETUP MAINT"),
    ("OutOfService", "FAULT FAULT SETUP MAINT"),
    ("NotExecuting", "IDLE IDLE SETUP MAINT"),
    ("Executing", "RUN+MODE_UNKNOWN RUN SETUP MAINT"),
]
ITEM_NUMBERS = {"NotAvailable": 0, "OutOfService": 1, "NotExecuting": 2, "Executing": 3}
MODE_NUMBERS = {"None": 0, "Maintenance": 1, "Setup": 2, "Processing": 3}


@pytest.mark.parametrize(("item", "row"), MACHINERY)
def test_item_state_and_mode_mean_what_the_table_says(item: str, row: str) -> None:
    for mode, cell in zip(MODES, row.split(), strict=True):
        expected = cell.replace("+", " ")
        assert told(MachineryModel(), state=item, mode=mode) == expected
        assert told(MachineryModel(), state=ITEM_NUMBERS[item], mode=MODE_NUMBERS[mode]) == expected
        assert told(MachinetoolModel(), state=item, mode=mode, channel="Reset") == expected
    assert told(MachineryModel(), state=item) == row.split()[0].replace("+", " "), "without a mode: as None"


def test_while_unavailable_the_last_mode_sent_before_counts() -> None:
    model = MachineryModel()
    memory = model.remember({"state": "Executing", "mode": "Setup"}, "")
    gone: dict[str, Value | None] = {"state": "NotAvailable", "mode": "None"}
    assert model.meaning(gone, memory).state is MachineState.SETUP
    memory = model.remember(gone, memory)
    assert model.meaning({"state": "NotAvailable", "mode": None}, memory).state is MachineState.SETUP
    memory = model.remember({"state": None, "mode": None}, memory)
    assert model.meaning(gone, memory).state is MachineState.SETUP
    memory = model.remember({"state": "NotExecuting", "mode": "Processing"}, memory)
    assert model.meaning(gone, memory).state is MachineState.OFF


def test_where_nothing_was_sent_before_the_mode_that_is_sent_counts() -> None:
    model = MachineryModel()
    values: dict[str, Value | None] = {"state": "Not Available", "mode": "Maintenance"}
    assert model.meaning(values).state is MachineState.MAINT
    assert model.meaning({"state": "NotAvailable", "mode": "None"}, model.remember(values, "")).state is (
        MachineState.MAINT
    )
    assert told(model, state="NotAvailable", mode=None) == "OFF"


def test_an_alarm_makes_a_fault_of_out_of_service_while_setting_up_only() -> None:
    for item, row in MACHINERY:
        for mode, cell in zip(MODES, row.split(), strict=True):
            expected = "FAULT" if (item, mode) == ("OutOfService", "Setup") else cell.replace("+", " ")
            assert told(MachineryModel(), state=item, mode=mode, alarm=1) == expected


def test_what_the_table_does_not_know_is_unknown() -> None:
    assert told(MachineryModel(), state="Broken") == told(MachineryModel(), state=4) == "UNKNOWN UNMAPPED"
    assert told(MachineryModel(), state="Executing", mode="Turbo") == "UNKNOWN UNMAPPED"
    assert told(MachineryModel(), state="Executing", mode=9) == "UNKNOWN UNMAPPED"
    assert told(MachineryModel(), mode="Processing") == "UNKNOWN <state>"


# -- OPC 40501-1 and 40502 -------------------------------------------------------------------------

CHANNEL = [(0, "Active", "RUN"), (1, "Interrupted", "IDLE INTERRUPTED"), (2, "Reset", "IDLE")]
PROGRAM = [
    (0, "Stopped", "IDLE"), (1, "Running", "RUN"), (2, "Waiting", "IDLE WAIT_AUX"),
    (3, "Interrupted", "IDLE INTERRUPTED"), (4, "Canceled", "IDLE"),
]  # fmt: skip


@pytest.mark.parametrize(("role", "number", "name", "expected"), [
    *(("channel", *row) for row in CHANNEL), *(("program", *row) for row in PROGRAM),
])  # fmt: skip
def test_channel_and_program_mean_what_the_domain_says(role: str, number: int, name: str, expected: str) -> None:
    for value in (number, name):
        for mode in ({}, {"operation_mode": "Automatic"}, {"operation_mode": 3}):
            assert told(MachinetoolModel(), **{role: value}, **mode) == expected
        setup = "SETUP" if expected == "RUN" else expected
        for mode_by_hand in (2, "Setup", 0, "Manual"):
            assert told(MachinetoolModel(), **{role: value}, operation_mode=mode_by_hand) == setup
        assert told(MachinetoolModel(), **{role: value}, operation_mode=4) == "MAINT"


def test_a_canceled_program_is_a_fault_where_there_is_an_alarm() -> None:
    for name in (4, "Canceled", "Cancelled"):
        assert told(MachinetoolModel(), program=name, alarm=1) == "FAULT"
        assert told(MachinetoolModel(), program=name, alarm=0) == "IDLE"
    assert told(MachinetoolModel(), program=3, alarm=1) == "IDLE INTERRUPTED"


def test_an_active_channel_in_mode_other_is_flagged() -> None:
    assert told(MachinetoolModel(), channel=0, operation_mode=5) == "RUN MODE_UNKNOWN"


def test_whichever_input_of_a_machine_tool_has_a_value_decides() -> None:
    model = MachinetoolModel()
    assert told(model, state="OutOfService", program=1, channel=0) == "FAULT"
    assert told(model, state=None, program=2, channel=0) == "IDLE WAIT_AUX"
    assert told(model, state=None, program=None, channel=0, mode=None) == "RUN"
    assert told(model, program=None, channel=None) == "UNKNOWN <program>"
    assert told(model, state=None, channel=None) == "UNKNOWN <state>"
    assert told(model) == "UNKNOWN <state>"
    assert told(model, channel=7) == "UNKNOWN UNMAPPED"


def test_a_machine_tool_remembers_the_mode_as_any_machine_does() -> None:
    model = MachinetoolModel()
    memory = model.remember({"state": "Executing", "mode": "Maintenance"}, "")
    assert told(model, memory, state="NotAvailable", mode="None") == "MAINT"


# -- one tag with a map ----------------------------------------------------------------------------


def test_a_map_is_the_simplest_model() -> None:
    model = MapModel({0: MachineState.IDLE, "on": MachineState.RUN})
    assert [told(model, state=value) for value in (0, "on", 5)] == ["IDLE", "RUN", "UNKNOWN UNMAPPED"]
    assert told(MapModel({}, MachineState.OFF), state=5) == "OFF"
    assert told(model, state=None) == told(model) == "UNKNOWN <state>"


@pytest.mark.parametrize("model", [PackmlModel(), MachineryModel(), MachinetoolModel(), MapModel()])
def test_every_role_is_named_once(model: StateModel) -> None:
    roles = [one.role for one in model.inputs]
    assert len(set(roles)) == len(roles)


# -- MTConnect -------------------------------------------------------------------------------------

EXECUTION = {
    "ACTIVE": "RUN", "WAIT": "IDLE WAIT_AUX", "FEED_HOLD": "IDLE INTERRUPTED", "INTERRUPTED": "IDLE INTERRUPTED",
    "OPTIONAL_STOP": "IDLE NO_OPERATOR", "PROGRAM_OPTIONAL_STOP": "IDLE NO_OPERATOR",
    "PROGRAM_STOPPED": "IDLE NO_OPERATOR", "PROGRAM_COMPLETED": "IDLE COMPLETE", "READY": "IDLE", "STOPPED": "IDLE",
    "UNAVAILABLE": "UNKNOWN UNAVAILABLE", "DREAMING": "UNKNOWN UNMAPPED",
}  # fmt: skip


@pytest.mark.parametrize(("execution", "expected"), EXECUTION.items())
def test_an_execution_of_mtconnect_means_what_the_table_says(execution: str, expected: str) -> None:
    assert told(MtconnectModel(), execution=execution) == expected
    assert told(CodesModel("mtconnect"), state=execution) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"availability": "UNAVAILABLE", "emergency_stop": "TRIGGERED"}, "UNKNOWN UNAVAILABLE"),
        ({"emergency_stop": "TRIGGERED", "functional_mode": "MAINTENANCE"}, "FAULT ESTOP"),
        ({"functional_mode": "MAINTENANCE", "condition-0": "FAULT"}, "MAINT"),
        ({"functional_mode": "SETUP"}, "SETUP"),
        ({"functional_mode": "TEARDOWN"}, "SETUP"),
        ({"functional_mode": "PROCESS_DEVELOPMENT"}, "SETUP TRIAL"),
        ({"functional_mode": "PRODUCTION", "condition-1": "FAULT"}, "RUN"),
        ({"controller_mode": "AUTOMATIC"}, "RUN"),
        ({"controller_mode": "SEMI_AUTOMATIC"}, "RUN"),
        ({"controller_mode": "MANUAL"}, "SETUP"),
        ({"controller_mode": "MANUAL_DATA_INPUT"}, "SETUP"),
        ({"controller_mode": "EDIT"}, "SETUP"),
        ({"controller_mode": "FEED_HOLD"}, "RUN MODE_UNKNOWN"),
        ({"controller_mode": None}, "UNKNOWN <controller_mode>"),
        ({"execution": "INTERRUPTED", "condition-1": "FAULT"}, "FAULT"),
        ({"execution": "INTERRUPTED", "condition-1": "WARNING"}, "IDLE INTERRUPTED"),
        ({"execution": None, "functional_mode": "SETUP"}, "UNKNOWN <execution>"),
    ],
)
def test_of_mtconnect_the_first_line_that_fits_counts(more: dict[str, str | None], expected: str) -> None:
    assert told(MtconnectModel(2), **{"execution": "ACTIVE", **more}) == expected


# -- Euromap ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "mode", "expected"),
    [
        (4, 1, "RUN"), ("PRODUCTION", "AUTOMATIC", "RUN"), (4, 2, "RUN"), (2, 1, "SETUP WARMUP"),
        (3, 1, "SETUP RELEASE_WAIT"), (5, 1, "SETUP DRY_RUN"), (1, 1, "IDLE"), (4, 4, "SETUP"), (1, 3, "SETUP"),
        (1, 5, "OFF SLEEP"), (4, 0, "RUN MODE_UNKNOWN"), (0, 1, "UNKNOWN UNMAPPED"), (9, 1, "UNKNOWN UNMAPPED"),
        (4, None, "UNKNOWN <mode>"), (None, 1, "UNKNOWN <status>"),
    ],
)  # fmt: skip
def test_a_moulding_machine_means_what_the_table_says(
    status: Value | None, mode: Value | None, expected: str
) -> None:
    assert told(EuromapModel(), status=status, mode=mode) == expected


def test_a_moulding_machine_waits_for_its_operator_in_semi_automatic_only() -> None:
    assert told(EuromapModel(), status=4, mode=2, waiting=1) == "IDLE NO_OPERATOR"
    assert told(EuromapModel(), status=4, mode=1, waiting=1) == "RUN"
    assert told(EuromapModel(), status=4, waiting=1) == "RUN"


# -- dictionaries ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("packml-opc-30050", 6, "RUN"), ("packml-opc-30060", 6, "IDLE COMPLETE"),
        ("packml-opc-30050", "Execute", "RUN"), ("packml-opc-30050", 18, "UNKNOWN UNMAPPED"),
        ("opc-40001-1", 3, "RUN MODE_UNKNOWN"), ("opc-40501-1", 2, "IDLE"), ("opc-40502", 2, "IDLE WAIT_AUX"),
        ("focas", 3, "RUN"), ("focas", 2, "IDLE INTERRUPTED"), ("focas", "MSTR", "SETUP"), ("umh", 10000, "RUN"),
        ("umh", 20000, "RUN LOW_SPEED"), ("umh", 30000, "UNKNOWN NO_DATA"), ("umh", 60000, "IDLE STARVED"),
        ("umh", 70000, "IDLE BLOCKED"), ("umh", 100000, "SETUP"), ("umh", 110000, "SETUP CLEANING"),
        ("umh", 130000, "SETUP WARMUP"), ("umh", 140000, "IDLE NO_OPERATOR"), ("umh", 170000, "IDLE NO_ORDER"),
        ("umh", 180007, "FAULT"), ("umh", 190000, "IDLE EXTERNAL"), ("umh", 210000, "MAINT PREVENTIVE"),
        ("umh", 220000, "FAULT"), ("umh", 230000, "UNKNOWN UNMAPPED"), ("umh", 5, "UNKNOWN UNMAPPED"),
        ("weihenstephan", 128, "RUN"), ("weihenstephan", 8, "IDLE STARVED"), ("weihenstephan", 16, "IDLE BLOCKED"),
        ("weihenstephan", 1024, "FAULT"), ("weihenstephan", 4096, "FAULT ESTOP"), ("weihenstephan", 32768, "IDLE"),
        ("weihenstephan", 0, "UNKNOWN NO_DATA"), ("weihenstephan", "Tailback Branch Line", "IDLE BLOCKED"),
        ("weihenstephan", 136, "UNKNOWN UNMAPPED"), ("mtconnect", 3, "UNKNOWN UNMAPPED"),
    ],
)  # fmt: skip
def test_a_code_means_what_its_dictionary_says(name: str, value: Value, expected: str) -> None:
    assert told(CodesModel(name), state=value) == expected


def test_a_map_comes_before_the_dictionary_and_its_default_after_it() -> None:
    own = MapModel({6: MachineState.SETUP, 99: (MachineState.IDLE, "TOOL")}, MachineState.OFF)
    model = CodesModel("packml-opc-30050", own)
    assert [told(model, state=value) for value in (6, 99, 2, 77)] == ["SETUP", "IDLE TOOL", "IDLE STOPPED", "OFF"]
    assert told(model, state=None) == "UNKNOWN <state>"


def test_every_dictionary_may_be_named_in_a_site_file() -> None:
    assert set(CODES) == set(get_args(CodesName))
