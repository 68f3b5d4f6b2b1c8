"""`assets:`: the register of all equipment, also of what the agent cannot reach; it makes the denominators."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import inf
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from edge_agent.api import StrictModel
from edge_agent.config.alarms import DeviceRef
from edge_agent.config.finding import Finding, did_you_mean, report
from edge_agent.config.identifier import HINT, scheme_of
from edge_agent.config.names import CalendarRefs, NumberTagRef, TagRef, names_of
from edge_agent.core.asset_class import CLASSES, GENERAL

Declared = Literal["digital", "connected", "complete", "measured", "interoperable", "cloud"]


def _check_class(text: str) -> str:
    if text not in CLASSES:
        report([Finding("is no class of equipment", did_you_mean(text, CLASSES, "classes"))])
    return text


def _check_machine(text: str, info: ValidationInfo) -> str:
    names = names_of(info)
    if names is not None:
        names.check_machine(text)
    return text


def _check_identifier(text: str) -> str:
    if scheme_of(text) is None:
        form = " of the form 88.node.enterprise/suffix" if text.startswith("88.") else ""
        report([Finding(f"is no identifier{form}", HINT)])
    return text


def _exact(value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
        raise ValueError("is not an amount of money; write a number above 0, such as 850000")
    return Fraction(str(value))


ClassName = Annotated[str, AfterValidator(_check_class), WithJsonSchema({"enum": list(CLASSES)})]
MachineRef = Annotated[str, AfterValidator(_check_machine)]
Identifier = Annotated[str, AfterValidator(_check_identifier)]
Money = Annotated[
    Fraction, BeforeValidator(_exact), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})
]


class AssetTags(StrictModel):
    """Tags that tell what a linked machine does not: the required tags of the ladder's level 3."""

    state: TagRef | None = None
    """device.tag with the state, where no machine is linked"""
    total: NumberTagRef | None = None
    """device.tag that counts every piece, likewise"""
    scrap: NumberTagRef | None = None
    """device.tag that counts scrapped or good pieces, likewise"""
    alarm: TagRef | None = None
    """device.tag with an alarm word, number or text"""
    cycle: NumberTagRef | None = None
    """device.tag with the cycle time"""
    energy: NumberTagRef | None = None
    """device.tag with power or energy"""
    job: TagRef | None = None
    """device.tag with program, recipe or order"""

    def named(self) -> dict[str, str]:
        """Item → `device.tag`, of those given."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: tag for name, tag in given.items() if tag is not None}


class PowerCheck(StrictModel):
    """A machine that runs draws power: held against its state every minute."""

    tag: NumberTagRef
    """device.tag with the machine's power or current"""
    running_above: float = Field(allow_inf_nan=False)
    """above this value it is running, in the tag's unit"""


class AssetModel(StrictModel):
    """A piece of equipment as the plant's register has it."""

    name: str = ""
    """name for people, in any language; default its id"""
    kind: ClassName = Field(default=GENERAL, alias="class")
    """class of equipment, which tells its required tags; default general"""
    type: str = ""
    """the maker's type"""
    location: str = ""
    """where it stands"""
    identifier: Identifier | None = None
    """registered identifier: 88.node.enterprise/suffix, OID, GS1, VAA, MA, a URI, or scheme:code"""
    is_production: bool = True
    """production equipment; what is not counts nowhere"""
    status: Literal["in-use", "spare", "scrapped"] = "in-use"
    """in-use | spare | scrapped; only what is in use counts"""
    key_operation: str = ""
    """name of the key operation (关键工序) it does, if any"""
    automatic: bool | None = None
    """numerically or automatically controlled (数控化); default as its class"""
    value: Money | None = None
    """replacement value, a number in the plant's currency, for weighted indices; it is never published"""
    declared: tuple[Declared, ...] = ()
    """what it has although the agent does not see it, shown apart: digital, connected, complete, measured,
    interoperable, cloud"""
    semantic_model: str = ""
    """standard semantic model that describes it, for the record; level 5 asks for one by which it is read"""
    data_grade: Literal[1, 2, 3] | None = None
    """grade of its data by 工业数据分类分级指南, 3 the highest; without it they are not classified"""
    machine: MachineRef | None = None
    """id of the machine whose state and counts it has"""
    devices: tuple[DeviceRef, ...] = ()
    """ids of devices all of whose tags are its own"""
    tags: AssetTags = AssetTags()
    """single tags that tell about it"""
    power: PowerCheck | None = None
    """power tag to hold the state of the machine against"""
    calendar: CalendarRefs | None = Field(default=None, validate_default=True)
    """when it is planned to be busy, for weighted indices, where no machine is linked"""

    # On the last field, so that it runs even while another part of the asset is wrong.
    @field_validator("calendar")
    @classmethod
    def _fits_together(cls, calendar: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        report(_contradictions(calendar, info.data))
        return calendar

    def links(self) -> list[str]:
        """`device.tag` of every single tag it names."""
        return [*self.tags.named().values(), *([self.power.tag] if self.power else [])]


def _contradictions(calendar: tuple[str, ...] | None, said: Mapping[str, object]) -> list[Finding]:
    found: list[Finding] = []
    machine, power, tags = said.get("machine"), said.get("power"), said.get("tags")
    if machine and calendar:
        found.append(Finding("is not needed: the machine has its own", "remove it"))
    if power and "machine" in said and machine is None:
        found.append(Finding("has no machine whose state it could be held against", "name machine:", ("..", "power")))
    if said.get("is_production") is False and said.get("key_operation"):
        hint = "leave out one of the two"
        found.append(Finding("is for production equipment only", hint, ("..", "key_operation")))
    linked = machine or said.get("devices") or (isinstance(tags, AssetTags) and tags.named())
    if said.get("status") == "scrapped" and linked:
        hint = "remove its links, or status"
        found.append(Finding("is scrapped, but something is read from it", hint, ("..", "status")))
    declared = said.get("declared")
    if isinstance(declared, tuple) and (twice := _twice(declared)):
        found.append(Finding(f"declares {twice} twice", "name each once", ("..", "declared")))
    return found


def _twice(names: tuple[str, ...]) -> str:
    return next((name for at, name in enumerate(names) if name in names[:at]), "")
