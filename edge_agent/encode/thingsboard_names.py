"""What the devices of a ThingsBoard gateway are called: one for each device and for each machine of the plant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edge_agent.encode.isa95 import fill
from edge_agent.encode.profile import Scene

DEVICE: Final = "{device}"
MACHINE: Final = "{machine} machine"
DEVICE_LEVELS: Final = ("device", "agent", "enterprise", "site", "area")
MACHINE_LEVELS: Final = ("machine", "line", "agent", "enterprise", "site", "area")


class Names:
    """Names there and here. A device and a machine of one name are one: it has the values of both, the machine's type.

    devices   device → its name at ThingsBoard, in the order of the site file; so machines
    types     name → device profile
    """

    def __init__(self, scene: Scene, device: str, machine: str, device_type: str, machine_type: str) -> None:
        """ValueError if two devices, or two machines, would have one name."""
        known = {**scene.place, "agent": scene.agent}
        self.devices = {name: fill(device, {**known, "device": name}) for name in scene.tags.devices()}
        self.machines: dict[str, str] = {}
        for name, (area, line) in scene.machines.items():
            stands = {"area": area, "line": line}
            levels = {**known, **{level: given for level, given in stands.items() if given}, "machine": name}
            self.machines[name] = fill(machine, levels)
        self._device_of = _inverse(self.devices)
        self._machine_of = _inverse(self.machines)
        self.types = dict.fromkeys(self.devices.values(), device_type)
        self.types |= dict.fromkeys(self.machines.values(), machine_type)

    def device_of(self, name: str) -> str:
        """The device of that name; '' if there is none."""
        return self._device_of.get(name, "")

    def machine_of(self, name: str) -> str:
        """The machine of that name; '' if there is none."""
        return self._machine_of.get(name, "")


def _inverse(names: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for own, name in names.items():
        if not name:
            raise ValueError(f"gives {own} no name")
        if (other := found.setdefault(name, own)) != own:
            raise ValueError(f"gives {other} and {own} the same name, {name}")
    return found
