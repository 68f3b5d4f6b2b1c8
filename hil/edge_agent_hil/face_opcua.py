"""Machines seen through OPC UA: one server for the plant, one object a machine, one variable a tag.

Each event is written when it happens (within a millisecond or two), with the event's own time as
source timestamp, which is exact: events lie on whole microseconds and OPC UA counts 100 ns. Only
what changed is written, so a subscription sees each change once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from edge_agent_hil.equipment_faults import OPCUA
from edge_agent_hil.events import Event
from edge_agent_hil.opcua_listener import HOST, Listener
from edge_agent_hil.opcua_space import Space, identifier
from edge_agent_hil.plant import Plant
from edge_agent_hil.tags import state_map


class OpcuaServer:
    """The face of all OPC UA machines of the plant; see `plant.Face`."""

    def __init__(self, server: Any, plant: Plant, host: str = HOST) -> None:
        """`server`: of `standard_server`; `host`: where it listens."""
        self._server, self._plant = server, plant
        self._config = plant.file.opcua
        self._space = Space(server, plant)
        self._names = [name for name, machine in plant.file.machines.items() if machine.opcua]
        self._writing = asyncio.Lock()      # what is older must not be written after what is newer
        self._listener = Listener(server, self._config.port, self._config.security, self._delay, host)

    async def start(self) -> None:
        """Make the nodes and listen. OSError if the port is taken."""
        await self._space.build()
        await self._listener.open()

    async def publish(self, name: str) -> None:
        """Write every change of every event, in order."""
        async with self._writing:
            await self._catch_up(name)

    async def _catch_up(self, name: str) -> None:
        for event in self._plant.drain(name):
            await self._write(name, event, event.t)

    async def _write(self, name: str, event: Event, now: int) -> None:
        for variable in self._space.variables[name]:
            sample = variable.sample(event, now)
            if sample is not None:
                await self._server.write_attribute_value(variable.node_id, sample)

    async def disturb(self, name: str) -> None:
        """Close or open the server, and write what the equipment now makes of the reading."""
        async with self._writing:
            equipment = self._plant.equipment[name]
            if equipment.is_closed(self._plant.now()):
                await self._shut("namespace-reorder" in equipment.troubles, "certificate-change" in equipment.troubles)
                return
            if not self._listener.is_open:
                await self._listener.open()
            event, now = self._plant.look(name)
            await self._catch_up(name)
            await self._write(name, event, now)
            await self._write(name, event, now + 1_000)     # a glitch is over as soon as it was seen

    async def _shut(self, reorders: bool, renews: bool) -> None:
        if not self._listener.is_open:
            return
        await self._listener.shut()
        if reorders:
            await self._space.reorder()
        if renews:
            await self._listener.renew_certificate()

    def _delay(self) -> float:
        """How long a request waits, s: the slowest machine is the server's pace."""
        now = self._plant.now()
        return max((self._plant.equipment[name].number("slow", "by", now) for name in self._names), default=0) / 1e9

    def describe(self, name: str, _face: str) -> dict[str, object]:
        """Driver, url, tags in the words of the site file, state codes."""
        face = self._plant.file.machines[name].opcua
        assert face is not None, "it was asked about one of its machines"
        space = self._config.namespace
        tags = {
            signal: {"node": f"nsu={space};{identifier(name, signal, tag.node)}"} for signal, tag in face.tags.items()
        }
        instances = {model: {"node": f"nsu={space};{node}"} for model, node in face.instances(name).items()}
        types = {signal: tag.kind(signal) for signal, tag in face.tags.items()}
        return {
            "driver": OPCUA, "url": self._listener.url, "tags": tags, "types": types, "instances": instances,
            "states": state_map(types.get("state"), face.states),
        }  # fmt: skip

    async def close(self) -> None:
        """Close the port and every session."""
        await self._listener.end()
