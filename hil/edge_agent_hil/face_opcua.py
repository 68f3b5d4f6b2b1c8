"""Machines seen through OPC UA: one server for the plant, one object a machine, one variable a tag.

Each event is written when it happens (within a millisecond or two), with the event's own time as
source timestamp, which is exact: events lie on whole microseconds and OPC UA counts 100 ns. Only
what changed is written, so a subscription sees each change once. Anonymous, no security, loopback.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import Server, ua

from edge_agent_hil.machine import Event
from edge_agent_hil.plant_file import MachineFile, OpcuaServer, OpcuaTag
from edge_agent_hil.plant_file import OpcuaFace as FaceFile
from edge_agent_hil.tags import Show, Value, shown, state_map

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARIANT = {
    "boolean": "Boolean", "int32": "Int32", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
    "float": "Float", "double": "Double", "string": "String",
}  # fmt: skip


class Variable:
    """One tag as a node: what it shows, as what, and what was written last."""

    def __init__(self, signal: str, tag: OpcuaTag, name: str, machine: MachineFile, face: FaceFile) -> None:
        kind = tag.kind(signal)
        self.signal = signal
        self.identifier = tag.node or f"s={name}.{signal.capitalize()}"
        self.type = kind
        self.show: Show = shown(signal, kind, tag.start, machine, face.states)
        self.written: Value | None = None
        self.node_id: Any = None

    def sample(self, event: Event) -> Any:
        """The data value for an event, or None if it changes nothing."""
        value = self.show(event)
        if value == self.written:
            return None
        self.written = value
        moment = _EPOCH + timedelta(microseconds=event.t // 1_000)
        variant = ua.Variant(value, getattr(ua.VariantType, _VARIANT[self.type]))
        return ua.DataValue(variant, SourceTimestamp=moment, ServerTimestamp=moment)


class OpcuaFace:
    """The face of all OPC UA machines of the plant; see `plant.Face`."""

    def __init__(
        self,
        server: Any,
        config: OpcuaServer,
        machines: Mapping[str, MachineFile],
        join: Callable[[str], Event],
    ) -> None:
        """`join(machine)`: its reading now, of which every later event is a change (`Plant.join`)."""
        self._server = server
        self._config = config
        self._join = join
        self._port = config.port
        self._machines = {name: machine.opcua for name, machine in machines.items() if machine.opcua}
        self._variables = {
            name: [Variable(signal, tag, name, machines[name], face) for signal, tag in face.tags.items()]
            for name, face in self._machines.items()
        }

    async def start(self) -> None:
        """Make the nodes and listen. OSError if the port is taken."""
        self._server.set_endpoint(f"opc.tcp://127.0.0.1:{self._port}/plant")
        namespace = await self._server.register_namespace(self._config.namespace)
        for name, variables in self._variables.items():
            event = self._join(name)
            objects = self._server.nodes.objects
            folder = await objects.add_object(ua.NodeId(name, namespace), f"{namespace}:{name}")
            for variable in variables:
                await self._add(folder, variable, namespace, event)
        await self._server.start()
        self._port = self._server.bserver.port

    async def _add(self, folder: Any, variable: Variable, namespace: int, event: Event) -> None:
        variable.node_id = ua.NodeId.from_string(f"ns={namespace};{variable.identifier}")
        sample = variable.sample(event)
        browse = f"{namespace}:{variable.signal.capitalize()}"
        await folder.add_variable(variable.node_id, browse, sample.Value.Value, sample.Value.VariantType)
        await self._server.write_attribute_value(variable.node_id, sample)

    async def publish(self, name: str, events: Sequence[Event]) -> None:
        """Write every change of every event, in order."""
        for event in events:
            for variable in self._variables[name]:
                sample = variable.sample(event)
                if sample is not None:
                    await self._server.write_attribute_value(variable.node_id, sample)

    def describe(self, name: str) -> dict[str, object]:
        """Url, tags in the words of the site file, state codes."""
        space = self._config.namespace
        variables = self._variables[name]
        tags = {item.signal: {"node": f"nsu={space};{item.identifier}"} for item in variables}
        types = {item.signal: item.type for item in variables}
        states = state_map(types.get("state"), self._machines[name].states)
        url = f"opc.tcp://127.0.0.1:{self._port}/plant"
        return {"driver": "opcua", "url": url, "tags": tags, "types": types, "states": states}

    async def close(self) -> None:
        """Close the port and every session."""
        if self._server.bserver is not None:
            await self._server.stop()


async def standard_server() -> Any:
    """A server with the standard address space: seconds of work, to be done before a plant begins."""
    server = Server()
    await server.init()
    server.set_server_name("edge-hil")
    await server.set_application_uri("urn:edge-agent:hil:server")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    return server
