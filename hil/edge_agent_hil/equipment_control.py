"""Faults of the equipment, given and ended while a plant runs, and the log of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from edge_agent_hil.equipment_faults import MODBUS, OPCUA, SECURE, Order, parse
from edge_agent_hil.events import NEVER
from edge_agent_hil.face_file import signals
from edge_agent_hil.plant import Face, Plant
from edge_agent_hil.plant_file import PlantFile

KEPT: Final = 10_000            # entries of the log; more than any scenario has, and no more memory with time
OF_THE_SERVER: Final = ("namespace-reorder", "certificate-change")


@dataclass(slots=True)
class Entry:
    """One fault of the log; times in ns."""

    kind: str
    at: int
    until: int | None
    machines: list[str]
    signals: list[str]


def read_order(question: Mapping[str, Any], plant: PlantFile) -> Order:
    """The fault that a machine of the plant is to have. ValueError says what would be right."""
    machine = plant.machines[question["machine"]]
    shown = dict.fromkeys(signal for face in machine.faces.values() for signal in signals(face))
    secure = [SECURE] if machine.opcua and plant.opcua.security else []
    can = [*([MODBUS] if machine.modbus_faces else []), *([OPCUA] if machine.opcua else []), *secure]
    return parse(question, list(shown), can)


class EquipmentControl:
    """Gives faults to the machines of a plant and tells their faces."""

    def __init__(self, plant: Plant, faces: Mapping[str, Iterable[Face]]) -> None:
        self._plant, self._faces = plant, faces
        self._log: deque[Entry] = deque(maxlen=KEPT)
        self._faulty: set[str] = set()
        """machines with a fault that lasts"""

    async def begin(self, question: object) -> dict[str, object]:
        """A fault begins now: `{"machine": …, "kind": …, "for": …}`. ValueError says what would be right."""
        if not isinstance(question, dict) or question.get("machine") not in self._plant.machines:
            said = question.get("machine") if isinstance(question, dict) else question
            raise ValueError(f"machine: no machine {said!r}; there are {', '.join(self._plant.machines)}")
        order = read_order(question, self._plant.file)
        alike = self._reached(order)
        _, now = self._plant.look(order.machine)
        away = replace(order, said={**order.said, "counters": "keep"})      # for those that only share the server
        for name in alike:
            event, _ = self._plant.look(name)
            until = self._plant.equipment[name].begin(order if name == order.machine else away, event, now)
        if order.kind == "restart":
            self._plant.halt(order.machine, until)
        self._faulty.update(alike)
        entry = Entry(order.kind, now, None if until == NEVER else until, alike, list(order.signals))
        self._log.append(entry)
        await self._disturb(alike)
        return {"at": entry.at, "until": entry.until, "machines": alike}

    async def clear(self, name: object) -> dict[str, object]:
        """All faults of one machine, or of all (`true`), end now."""
        names = list(self._plant.machines) if name is True else [str(name)]
        if unknown := [one for one in names if one not in self._plant.machines]:
            raise ValueError(f"clear: no machine {unknown[0]!r}; there are {', '.join(self._plant.machines)}, or true")
        now = self._plant.advance()
        for one in names:
            self._plant.equipment[one].clear()
        for entry in self._log:
            if set(names) & set(entry.machines):
                entry.until = now if entry.until is None else min(entry.until, now)
        await self._disturb(names)
        return {"at": now, "machines": names}

    def log(self) -> list[dict[str, object]]:
        """Every fault so far: what, of which machines and signals, from when until when."""
        return [asdict(entry) for entry in self._log]

    async def settle(self) -> int:
        """End what is over; when the next fault is, ns."""
        if not self._faulty:
            return NEVER
        now, equipment = self._plant.now(), self._plant.equipment
        await self._disturb([name for name in sorted(self._faulty) if equipment[name].settle(now)])
        ends = {name: equipment[name].next_end() for name in self._faulty}
        self._faulty = {name for name, end in ends.items() if end < NEVER}
        return min(ends.values())

    def _reached(self, order: Order) -> list[str]:
        """The machines that have it: all of an OPC UA server, where it is the server's; else the one."""
        machine = self._plant.file.machines[order.machine]
        if order.kind in OF_THE_SERVER or (order.kind == "restart" and machine.opcua):
            return [name for name, spec in self._plant.file.machines.items() if spec.opcua]
        return [order.machine]

    async def _disturb(self, names: Iterable[str]) -> None:
        for name in names:
            for face in self._faces[name]:
                await face.disturb(name)


