"""Servers with a model to find one's way in: opcua_model_server.py and node/model.js, and requests to them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from asyncua import Client

from edge_agent_opcua.asking import Requests
from edge_agent_opcua.limits import Operation
from tests.drivers.opcua.conftest import Peer
from tests.peers.waiting import free_port

PEERS = Path(__file__).parent
MACHINE, PARTS = "http://acme.example/machine/", "http://acme.example/parts/"
_SHARED, _SHARED_NODE = pytest.StashKey[Peer](), pytest.StashKey[Peer]()
AUTO_ID, OURS = "http://opcfoundation.org/UA/AutoID/", "http://acme.example/model/"


@contextmanager
def model_server(*options: str) -> Iterator[Peer]:
    """The asyncua one; options as in its head."""
    port = free_port()
    peer = Peer([sys.executable, str(PEERS / "opcua_model_server.py"), str(port), *options], port)
    yield peer
    peer.kill()


def shared_model(config: pytest.Config) -> Peer:
    """One without options for all tests of a run, each of which leaves it as it is."""
    if _SHARED not in config.stash:
        running = model_server()
        config.stash[_SHARED] = running.__enter__()
        config.add_cleanup(lambda: running.__exit__(None, None, None))
    return config.stash[_SHARED]


def shared_node_model(config: pytest.Config) -> Peer:
    """The one of node-opcua, where that is installed, for all tests of a run."""
    if shutil.which("node") is None or not (PEERS / "node" / "node_modules" / "node-opcua").is_dir():
        pytest.skip("needs node-opcua: install Node.js 18 or newer and run tests/peers/install.sh")
    if _SHARED_NODE not in config.stash:
        port, folder = free_port(), TemporaryDirectory()
        peer = Peer(["node", str(PEERS / "node" / "model.js"), str(port), folder.name], port)
        config.stash[_SHARED_NODE] = peer
        config.add_cleanup(folder.cleanup)
        config.add_cleanup(peer.kill)
    return config.stash[_SHARED_NODE]


class Counted(Requests):
    """Counts calls, and nodes in them, by operation."""

    def __init__(self, session: Any) -> None:
        super().__init__(session)
        self.calls: dict[Operation, int] = {}
        self.nodes: dict[Operation, int] = {}

    async def in_parts(
        self, operation: Operation, items: Sequence[Any], ask: Callable[[Sequence[Any]], Awaitable[Any]]
    ) -> list[Any]:
        async def counted(part: Sequence[Any]) -> Any:
            self.calls[operation] = self.calls.get(operation, 0) + 1
            self.nodes[operation] = self.nodes.get(operation, 0) + len(part)
            return await ask(part)

        return await super().in_parts(operation, items, counted)


@asynccontextmanager
async def asking(peer: Peer) -> AsyncIterator[tuple[Counted, list[str]]]:
    """Requests to a server, and its namespace array."""
    client = Client(peer.url, timeout=20, watchdog_intervall=20)
    await client.connect()
    try:
        yield Counted(client.uaclient.session), await client.get_namespace_array()
    finally:
        await client.disconnect()
