"""Who subscribes at an OPC UA server, and writes down every change that comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncua import Client, ua

from edge_agent_hil.recording import begun
from edge_agent_hil.recording_opcua import is_known, node_id, node_text, written

MOST = 10_000                   # variables, found by browsing
AT_ONCE = 100                   # nodes a request; small controllers take no more
ANSWER_S = 10.0


class OpcuaRecorder:
    """Records from `start` on until it is closed. OSError if the server cannot be reached or refuses."""

    def __init__(self, url: str, file: Path, every_s: float) -> None:
        self.changes = self.variables = 0
        self.left_out: list[str] = []
        """what could not be subscribed to, or holds what cannot be written down"""
        self.lost = asyncio.Event()
        """the server is gone"""
        self._url, self._every_ms = url, 1000 * every_s
        self._file = file.open("w", encoding="utf-8", buffering=1)
        self._client = Client(url, timeout=ANSWER_S)
        self._client.connection_lost_callback = self._lost
        self._is_connected = False
        self._namespaces: list[str] = []
        self._began = datetime.now(UTC)

    async def start(self, asked: Sequence[str]) -> None:
        """These nodes, or all variables below Objects that are not the server's own. ValueError names one that cannot
        be."""
        try:
            await self._client.connect()
            self._is_connected = True
            self._namespaces = await self._client.get_namespace_array()
            ids = [node_id(text, self._namespaces) for text in asked] or await self._browsed()
            self._began = datetime.now(UTC)
            when = self._began.isoformat(timespec="milliseconds")
            self._write(begun("opcua", self._url, when, namespaces=self._namespaces))
            subscription = await self._client.create_subscription(self._every_ms, self)
            for n in range(0, len(ids), AT_ONCE):
                nodes = [self._client.get_node(one) for one in ids[n : n + AT_ONCE]]
                handles = await subscription.subscribe_data_change(nodes, sampling_interval=self._every_ms)
                for node, handle in zip(nodes, handles, strict=True):
                    if isinstance(handle, ua.StatusCode):
                        self.left_out.append(f"{self._text(node)}: {handle.name}")
                    else:
                        self.variables += 1
        except (ua.UaError, OSError) as error:
            raise OSError(f"{self._url}: {error or type(error).__name__}") from error

    async def _browsed(self) -> list[Any]:
        """Breadth first, each once."""
        found: list[Any] = []
        level, seen = [self._client.nodes.objects], set[Any]()
        while level and len(found) < MOST:
            references: list[Any] = []
            for n in range(0, len(level), AT_ONCE):
                references += await self._below(level[n : n + AT_ONCE])
            level = []
            for reference in references:
                id_ = ua.NodeId(reference.NodeId.Identifier, reference.NodeId.NamespaceIndex)
                if not id_.NamespaceIndex or id_ in seen:
                    continue
                seen.add(id_)
                level.append(self._client.get_node(id_))
                if reference.NodeClass == ua.NodeClass.Variable:
                    found.append(id_)
        return found[:MOST]

    async def _below(self, nodes: list[Any]) -> list[Any]:
        """What objects and variables refer to."""
        results = await self._client.browse_nodes(nodes)
        wanted = (ua.NodeClass.Object, ua.NodeClass.Variable)
        return [one for _, said in results for one in said.References if one.IsForward and one.NodeClass in wanted]

    def datachange_notification(self, node: Any, _value: object, data: Any) -> None:
        """A change; called by the subscription."""
        value, text = data.monitored_item.Value, self._text(node)
        if not is_known(value):
            if text not in self.left_out:
                self.left_out.append(f"{text}: {value.Value.VariantType.name}")
            return
        self.changes += 1
        passed = (datetime.now(UTC) - self._began) // timedelta(microseconds=1)
        self._write(written(passed, text, value, self._began))

    def _text(self, node: Any) -> str:
        return node_text(node.nodeid, self._namespaces)

    async def _lost(self, _error: Exception) -> None:
        self.lost.set()

    def _write(self, said: object) -> None:
        self._file.write(json.dumps(said) + "\n")

    async def close(self) -> None:
        """Hang up; what has come is in the file."""
        try:
            if self._is_connected:
                async with asyncio.timeout(ANSWER_S):
                    await self._client.disconnect()
        except (ua.UaError, OSError):
            pass                # it is gone already
        finally:
            self._file.close()
