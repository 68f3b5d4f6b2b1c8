"""An OPC UA recording served again: the same nodes in the same namespaces, each change when it came."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncua import Server, ua

from edge_agent_hil.json_file import write_json
from edge_agent_hil.recording_opcua import Change, node_id

HOST = "127.0.0.1"
LOOKS_S = 0.05                  # whether there is somebody, before the recording begins


class OpcuaReplay:
    """A server without security on loopback."""

    def __init__(self, namespaces: Sequence[str], changes: Sequence[Change]) -> None:
        self._namespaces, self._changes = namespaces, changes
        self._ids = {change.node: node_id(change.node, namespaces) for change in changes}
        self._server: Any = Server()

    async def start(self, port: int) -> int:
        """Serve what stood first; the port. OSError if it is taken."""
        server = self._server
        await server.init()
        server.set_server_name("edge-hil replay")
        if len(self._namespaces) > 1:           # the second is the server's own, by OPC 10000-5, 6.3.1
            await server.set_application_uri(self._namespaces[1])
        for uri in self._namespaces[2:]:
            await server.register_namespace(uri)
        server.set_endpoint(f"opc.tcp://{HOST}:{port}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await self._make()
        await server.start()
        return int(server.bserver.port)

    async def _make(self) -> None:
        """Each variable, of the type it has as soon as it has one, with its first value."""
        first: dict[str, Change] = {}
        typed: dict[str, Change] = {}
        for change in reversed(self._changes):
            first[change.node] = change
            if change.node not in typed or change.value.Value.VariantType is not ua.VariantType.Null:
                typed[change.node] = change
        for node, change in typed.items():
            id_ = self._ids[node]
            if id_ not in self._server.iserver.aspace:
                name = ua.QualifiedName(str(id_.Identifier), id_.NamespaceIndex)
                await self._server.nodes.objects.add_variable(id_, name, change.value.Value)
        now = datetime.now(UTC)
        for change in first.values():
            await self._put(change, now)

    async def play(self) -> None:
        """From when somebody has a session, to the end; the last values stand."""
        while not self._server.iserver._external_sessions:      # noqa: ASYNC110 — the library tells nobody of one
            await asyncio.sleep(LOOKS_S)
        began = datetime.now(UTC)
        for change in self._changes:
            due = began + timedelta(microseconds=change.at_us)
            await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
            await self._put(change, began)

    async def _put(self, change: Change, began: datetime) -> None:
        id_ = self._ids[change.node]
        # Without a former value the server does not insist on its type, which the device did not either.
        self._server.iserver.aspace[id_].attributes[ua.AttributeIds.Value].value = None
        await self._server.write_attribute_value(id_, change.value_at(began))

    async def close(self) -> None:
        """Be gone."""
        await self._server.stop()


async def replay_opcua(
    namespaces: Sequence[str], changes: Sequence[Change], port: int, stop: asyncio.Event,
    show: Callable[[str], None], ready_file: Path | None,
) -> None:  # fmt: skip
    """Serve until `stop` is set. ValueError names a node that cannot be; OSError if the port is taken."""
    replay = OpcuaReplay(namespaces, changes)
    there = await replay.start(port)
    playing = asyncio.create_task(replay.play(), name="play")
    stopping = asyncio.create_task(stop.wait(), name="wait for stop")
    try:
        ready = {"url": f"opc.tcp://{HOST}:{there}", "host": HOST, "port": there, "pid": os.getpid()}
        if ready_file:
            write_json(ready_file, ready)
        show(json.dumps(ready))
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            playing.result()
            await stopping
    finally:
        playing.cancel()
        stopping.cancel()
        await asyncio.gather(playing, stopping, return_exceptions=True)
        await replay.close()
