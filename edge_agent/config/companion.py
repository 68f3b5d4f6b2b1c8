"""`packml:`, `machinery:` and `machinetool:` of a machine: its tags are put into the device's section, and what
they mean into the machine's, before anything is checked.

The instance's variables have the names that their specification gives them; so a site file says only where the
instance is. What the specification lets a server leave out is `optional`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from edge_agent.config.explain import Found, Source, value_at
from edge_agent.config.names import is_id
from edge_agent.config.state import FORMS
from edge_agent.config.yaml_lines import Key

DRIVER: Final = "opcua"
"""What the instances are found by."""

_BLOCKS: Final = "MachineryBuildingBlocks"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an instance: its role, its browse path from the instance, the element of an array."""

    role: str
    path: str
    optional: bool = False
    index: int | None = None

    def tag(self, node: str) -> dict[str, Any]:
        """The tag, as a device section has it."""
        told: dict[str, Any] = {"node": node, "path": self.path}
        if self.index is not None:
            told["index"] = self.index
        return told | ({"optional": True} if self.optional else {})


# OPC 40001-1, 12 and 13: building blocks are add-ins, and none is mandatory; without a state there is nothing to tell.
_MACHINERY: Final = (
    Variable("state", f"{_BLOCKS}/MachineryItemState/CurrentState"),
    Variable("mode", f"{_BLOCKS}/MachineryOperationMode/CurrentState", optional=True),
)
STATE: Final[Mapping[str, tuple[Variable, ...]]] = {
    # OPC 30050, 6.2 to 6.5: PackMLBaseObjectType. The inner machines are left out where one variable tells all states.
    "packml": (
        Variable("state", "BaseStateMachine/CurrentState"),
        Variable("machine_state", "BaseStateMachine/MachineState/CurrentState", optional=True),
        Variable("execute_state", "BaseStateMachine/MachineState/ExecuteState/CurrentState", optional=True),
        Variable("mode", "Status/UnitModeCurrent"),
        Variable("starved", "Status/EquipmentStarved"),
        Variable("blocked", "Status/EquipmentBlocked"),
        Variable("stop_reason", "Admin/StopReason#Message", optional=True),
    ),
    "machinery": _MACHINERY,
    # OPC 40501-1, 8.3: the building blocks came with version 1.02; channels have names of the maker's choosing.
    "machinetool": (
        *(Variable(one.role, one.path, optional=True) for one in _MACHINERY),
        Variable("channel", "Monitoring/Channel*/ChannelState", optional=True),
        Variable("operation_mode", "Monitoring/MachineTool/OperationMode", optional=True),
    ),
}
COUNTS: Final[Mapping[str, tuple[Variable, ...]]] = {
    "packml": (
        Variable("total", "Admin/ProdProcessedCount#AccCount", index=0),
        Variable("scrap", "Admin/ProdDefectiveCount#AccCount", index=0),
    ),
}
_NO_COUNTERS: Final[Mapping[str, str]] = {
    "machinery": "OPC 40001-1 knows no piece counters; write counts: {total: device.tag, scrap: device.tag}",
    "machinetool": "OPC 40501-1 knows no counters of good pieces; write counts: {total: device.tag, scrap: device.tag}",
}


@dataclass(slots=True)
class Companions:
    """Expands the machines of `data` and of `source`, which then look as if written out.

    found   what is wrong about it
    """

    data: dict[str, Any]
    source: Source
    found: list[Found] = field(default_factory=list)

    def run(self) -> None:
        """Expand every machine that names an instance."""
        machines = self.data.get("machines")
        for name, section in machines.items() if isinstance(machines, dict) else ():
            if not isinstance(section, dict):
                continue
            forms = [form for form in FORMS if section.get(form) is not None]
            if forms:
                self._machine(name, section, forms)

    def _machine(self, name: str, section: dict[str, Any], forms: list[str]) -> None:
        key: Key = ("machines", name)
        form = forms[0]
        others = [*forms[1:], *(["state"] if section.get("state") is not None else [])]
        for other in others:
            self.found.append(Found((*key, form), f"and {other}: exclude each other", "remove one of the two"))
        counted = section.get("counts") is not None
        if not counted and form in _NO_COUNTERS:
            self.found.append(Found((*key, "counts"), "is missing", _NO_COUNTERS[form], role="missing"))
        added = {"state": STATE[form], **({} if counted else {"counts": COUNTS.get(form, ())})}
        device = None if others else self._device(key, form, section)
        if device is None or not self._add_tags(key, form, device, [one for part in added.values() for one in part]):
            self._leave(key, [part for part in added if section.get(part) is None])
            return
        for part, variables in added.items():
            if not variables:
                self._leave(key, [part])
                continue
            told = {one.role: f"{device}.{_name(name, one.role)}" for one in variables}
            self._put((*key, part), [{form: told} if part == "state" else told] * 2, (*key, form))

    def _device(self, key: Key, form: str, section: dict[str, Any]) -> str | None:
        """The device that has the instance; None if that is not known, or something is wrong with it."""
        said = section[form]
        device = said.get("device") if isinstance(said, dict) else None
        failed = any((*key, form, part) in self.source.secrets.failed for part in ("device", "node"))
        if failed or not isinstance(device, str) or not isinstance(said.get("node"), str) or not said["node"]:
            return None     # which its model will say
        devices = self.data.get("devices")
        there = devices.get(device) if isinstance(devices, dict) else None
        if not isinstance(there, dict) or not isinstance(there.get("driver"), str):
            return None     # and so will others
        if there["driver"] != DRIVER:
            what = f"names a device of driver {there['driver']}"
            hint = f"only {DRIVER} devices have instances; write state: {{{form}: …}} with a tag for each input"
            self.found.append(Found((*key, form, "device"), what, hint, self.source.written((*key, form, "device"))))
            return None
        return device

    def _add_tags(self, key: Key, form: str, device: str, variables: list[Variable]) -> bool:
        """Put the tags into the device's section; False and a finding where that cannot be."""
        here: Key = ("devices", device, "tags")
        there = self.data["devices"][device]
        tags = {} if there.get("tags") is None else there["tags"]
        if not isinstance(tags, dict):
            return False    # which is a mistake of its own
        named = {_name(str(key[1]), one.role): one for one in variables}
        taken = [name for name in named if name in tags]
        if taken:
            what = f"adds the tag {taken[0]}, and devices.{device}.tags has one of that name"
            self.found.append(Found((*key, form), what, "rename that tag, or the machine"))
            return False
        wrong = [name for name in named if not is_id(name)]
        if wrong and is_id(str(key[1])):
            what = f"adds the tag {wrong[0]}, whose name is too long: {len(wrong[0])} characters, at most 63"
            self.found.append(Found((*key, form), what, "give the machine a shorter id"))
        if wrong:
            return False
        nodes = [value_at(data, (*key, form, "node")) for data in (self.data, self.source.document.data)]
        for name, one in named.items():
            self._put((*here, name), [one.tag(node) for node in nodes], (*key, form, "node"))
        return True

    def _leave(self, key: Key, parts: list[str]) -> None:
        """These parts of a machine cannot be known, and it is said already why."""
        self.source.secrets.failed.update((*key, part) for part in parts)

    def _put(self, key: Key, values: list[Any], because: Key) -> None:
        """A value at `key`, for the data and as messages may show it, as if it stood in the line of `because`."""
        secrets, document = self.source.secrets, self.source.document
        for data, value in zip((self.data, document.data), values, strict=True):
            holder = data
            for part in key[:-1]:
                if holder.get(part) is None:
                    holder[part] = {}
                holder = holder[part]
            holder[key[-1]] = value
        for inner in (key, *_below(key, values[0])):
            document.key_lines.setdefault(inner, document.line(because))
        if because in secrets.written:
            node = (*key, "node")
            secrets.written[node], secrets.pieces[node] = secrets.written[because], secrets.pieces[because]


def _below(key: Key, value: Any) -> list[Key]:
    if not isinstance(value, dict):
        return []
    return [one for name, item in value.items() for one in ((*key, name), *_below((*key, name), item))]


def _name(machine: str, role: str) -> str:
    return f"{machine}-{role.replace('_', '-')}"
