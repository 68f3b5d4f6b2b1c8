"""`machines.<id>.state`: the inputs of a specification's state model, each a tag of any driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from edge_agent.api import Kind, StrictModel
from edge_agent.config.finding import Finding, report
from edge_agent.config.names import NumberTagRef, TagRef, names_of
from edge_agent.core import models
from edge_agent.core.judges import Stall, Watch
from edge_agent.core.models.euromap import EuromapModel
from edge_agent.core.models.machinery import MachineryModel
from edge_agent.core.models.machinetool import MachinetoolModel
from edge_agent.core.models.mtconnect import MtconnectModel, condition
from edge_agent.core.models.packml import NUMBERS, PackmlModel


class RolesModel(StrictModel):
    """Tags by role."""

    def inputs(self) -> dict[str, str]:
        """Role → `device.tag`, of those given, in the order of the keys."""
        told = {role: getattr(self, role) for role in type(self).model_fields if role != "numbering"}
        return {role: tag for role, tag in told.items() if tag is not None}

    def core(self) -> models.StateModel:
        """The model of these roles."""
        raise NotImplementedError

    def watches(self, wait_ns: int) -> Mapping[str, Watch]:
        """Roles of which it matters how long they last; `wait_ns`: how long the machine may wait for a cycle."""
        return {}

    def rules(self) -> str:
        """What, beside the tags, tells it from another of its kind."""
        return ""


class PackmlStateModel(RolesModel):
    """PackML (ISA-TR88.00.02, OPC 30050): tags that tell the unit's state, mode and flags."""

    state: TagRef
    """state, as its name or, with `numbering`, its number; in OPC 30050's nested machines the outermost"""
    machine_state: TagRef | None = None
    """the state within Cleared, where states are nested as in OPC 30050"""
    execute_state: TagRef | None = None
    """the state within Running, likewise"""
    mode: TagRef | None = None
    """unit mode, as name or number: 1 Produce, 2 Maintenance, 3 Manual; without it Produce"""
    starved: NumberTagRef | None = None
    """true while material is missing"""
    blocked: NumberTagRef | None = None
    """true while the output is blocked"""
    stop_reason: TagRef | None = None
    """number or text that says why it was stopped or aborted; becomes part of the reason"""
    numbering: Literal["opc-30050", "opc-30060"] | None = Field(default=None, validate_default=True)
    """whose numbers the states have: opc-30050 (as TR88: Execute is 6) | opc-30060 (Execute is 4)"""

    @field_validator("numbering")
    @classmethod
    def _numbers_have_an_owner(cls, numbering: str | None, info: ValidationInfo) -> str | None:
        names = names_of(info)
        tags = [info.data.get(role) for role in ("state", "machine_state", "execute_state")]
        numeric = [tag for tag in tags if tag and names and names.kind(tag) in (Kind.INT, Kind.BOOL)]
        if numbering is None and numeric:
            hint = f"two specifications number the states differently; write one of {', '.join(NUMBERS)}"
            report([Finding(f"is missing: {numeric[0]} has numbers", hint)])
        return numbering

    def rules(self) -> str:
        """Whose numbers."""
        return self.numbering or ""

    def core(self) -> models.StateModel:
        """The model of these roles."""
        return PackmlModel(self.numbering or "")


class MachineryStateModel(RolesModel):
    """OPC UA for Machinery (OPC 40001-1): tags that tell item state and operation mode."""

    state: TagRef
    """item state, as name or number: 0 NotAvailable, 1 OutOfService, 2 NotExecuting, 3 Executing"""
    mode: TagRef | None = None
    """operation mode, as name or number: 0 None, 1 Maintenance, 2 Setup, 3 Processing"""
    alarm: NumberTagRef | None = None
    """true while an alarm is active: out of service while setting up is a fault then"""

    def core(self) -> models.StateModel:
        """The model of these roles."""
        return MachineryModel()


class MachinetoolStateModel(RolesModel):
    """A machine tool (OPC 40501-1, OPC 40502): tags of which `state`, `program` or `channel` tells the state."""

    state: TagRef | None = None
    """item state of OPC 40001-1; counts before the two below"""
    mode: TagRef | None = None
    """operation mode of OPC 40001-1"""
    program: TagRef | None = None
    """program status of OPC 40502: 0 Stopped, 1 Running, 2 Waiting, 3 Interrupted, 4 Canceled; before `channel`"""
    channel: TagRef | None = None
    """channel state of OPC 40501-1: 0 Active, 1 Interrupted, 2 Reset"""
    operation_mode: TagRef | None = None
    """operation mode of OPC 40501-1: 0 Manual to 5 Other; Setup and Manual are SETUP, Service is MAINT"""
    alarm: NumberTagRef | None = Field(default=None, validate_default=True)
    """true while an alarm is active: a canceled program is a fault then"""

    @field_validator("alarm")
    @classmethod
    def _something_tells_the_state(cls, alarm: str | None, info: ValidationInfo) -> str | None:
        roles = ("state", "program", "channel")
        if all(role in info.data for role in roles) and not any(info.data[role] for role in roles):
            report([Finding("needs at least one of state, program, channel", "each is a device.tag", ("..",))])
        return alarm

    def core(self) -> models.StateModel:
        """The model of these roles."""
        return MachinetoolModel()


class MtconnectStateModel(RolesModel):
    """MTConnect: tags that tell execution, modes and conditions of a device, as the names of MTConnectStreams."""

    execution: TagRef
    """Execution: ACTIVE, READY, STOPPED, FEED_HOLD, …"""
    availability: TagRef | None = None
    """Availability: while UNAVAILABLE nothing is known"""
    emergency_stop: TagRef | None = None
    """EmergencyStop: TRIGGERED is a fault"""
    functional_mode: TagRef | None = None
    """FunctionalMode: PRODUCTION, SETUP, TEARDOWN, MAINTENANCE, PROCESS_DEVELOPMENT"""
    controller_mode: TagRef | None = None
    """ControllerMode: executing by hand (MANUAL, MANUAL_DATA_INPUT, EDIT) is SETUP; without it AUTOMATIC"""
    conditions: tuple[TagRef, ...] = ()
    """conditions: one that is FAULT while the machine does not execute is a fault"""

    def inputs(self) -> dict[str, str]:
        """Conditions are numbered."""
        told = {role: getattr(self, role) for role in type(self).model_fields if role != "conditions"}
        told |= {condition(n): tag for n, tag in enumerate(self.conditions)}
        return {role: tag for role, tag in told.items() if tag is not None}

    def core(self) -> models.StateModel:
        """The model of these roles."""
        return MtconnectModel(len(self.conditions))


class EuromapStateModel(RolesModel):
    """An injection moulding machine, Euromap 77 or 83 (OPC 40077, OPC 40083): tags that tell mode and status."""

    status: TagRef
    """production status: 0 OTHER, 1 NO_PRODUCTION, 2 START_UP, 3 READY_FOR_PRODUCTION, 4 PRODUCTION, 5 DRY_RUN"""
    mode: TagRef | None = None
    """machine mode, as name or number: 0 OTHER, 1 AUTOMATIC, 2 SEMI_AUTOMATIC, 3 MANUAL, 4 SETUP, 5 SLEEP"""
    cycles: NumberTagRef | None = None
    """cycle counter: standing still in semi-automatic for three ideal cycles, at least `micro_stop`, it is IDLE"""

    def inputs(self) -> dict[str, str]:
        """The model wants to know whether the counter stands still."""
        told = {"status": self.status, "mode": self.mode, "waiting": self.cycles}
        return {role: tag for role, tag in told.items() if tag is not None}

    def watches(self, wait_ns: int) -> Mapping[str, Watch]:
        """The counter."""
        return {"waiting": Stall(wait_ns)} if self.cycles else {}

    def core(self) -> models.StateModel:
        """The model of these roles."""
        return EuromapModel()
