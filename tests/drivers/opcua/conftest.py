"""Servers in processes of their own, and devices that are closed behind each test."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_agent.api import Batch, Session, Tag
from edge_agent_opcua import plugin
from tests.peers.opcua_world import Farm, Process
from tests.peers.waiting import free_port

PEERS = Path(__file__).parents[2] / "peers"
NODE = PEERS / "node"


class Peer(Process):
    """A server process: `ready` within 30 s, one line in, one line out."""

    def __init__(self, command: list[str], port: int) -> None:
        self.port, self.url = port, f"opc.tcp://127.0.0.1:{port}"
        super().__init__(command)

    def do(self, *command: Any) -> None:
        assert self.ask(*command) == "ok"

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def farm() -> Iterator[Farm]:
    """Where servers that misbehave come from."""
    one = Farm()
    yield one
    one.close()


def asyncua_server(*options: str, port: int = 0) -> Peer:
    port = port or free_port()
    return Peer([sys.executable, str(PEERS / "opcua_server.py"), str(port), *options], port)


@pytest.fixture(scope="session")
def server() -> Iterator[Peer]:
    """One asyncua server for all tests that leave it alive; 1000 variables n0 … n999 among its own."""
    peer = asyncua_server("--many", "1000")
    yield peer
    peer.kill()


@pytest.fixture
def start() -> Iterator[Callable[..., Peer]]:
    """Start an asyncua server of one's own: `start(*options, port=…)`."""
    peers: list[Peer] = []

    def run(*options: str, port: int = 0) -> Peer:
        peers.append(asyncua_server(*options, port=port))
        return peers[-1]

    yield run
    for peer in peers:
        peer.kill()


@pytest.fixture(scope="session")
def node_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A node-opcua server; installed only where EDGE_AGENT_NODE_PEERS=1 allows it."""
    if shutil.which("node") is None:
        pytest.skip("needs node: install Node.js 18 or newer")
    if not (NODE / "node_modules" / "node-opcua").is_dir():
        if os.environ.get("EDGE_AGENT_NODE_PEERS") != "1" or shutil.which("npm") is None:
            pytest.skip("needs node-opcua: run tests/peers/install.sh or set EDGE_AGENT_NODE_PEERS=1")
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
        subprocess.run(install, cwd=NODE, check=True, timeout=300)
    port = free_port()
    folder = tmp_path_factory.mktemp("certificates")
    peer = Peer(["node", str(NODE / "uaserver.js"), str(port), str(folder)], port)
    yield peer
    peer.kill()


Row = tuple[str, Any, int, int]
"""tag name, value or text, quality, time"""


class Device:
    """A configured device and its one open session."""

    def __init__(self, url: str, nodes: Mapping[str, str | Mapping[str, Any]], **options: Any) -> None:
        tags = {name: node if isinstance(node, Mapping) else {"node": node} for name, node in nodes.items()}
        where = {"url": url} if url else {}         # else `urls` are among the options
        self.config = plugin.config.model_validate({"driver": "opcua", **where, "tags": tags, **options})
        self.tags = [Tag(i, "cnc", name) for i, name in enumerate(self.config.tags)]    # `each` makes several of one
        self.tag = {tag.name: tag for tag in self.tags}
        self.driver = plugin.build("cnc", self.config, self.tags, time.time_ns)
        self.session: Session | None = None

    async def connect(self) -> Session:
        await self.close()
        self.session = await self.driver.connect()
        return self.session

    async def close(self) -> None:
        if self.session is not None:
            await self.session.close()
            self.session = None

    async def gather(self, enough: Callable[[list[Row]], bool]) -> list[Row]:
        """Read until `enough` of what has come."""
        assert self.session is not None
        samples: list[Row] = []
        async with asyncio.timeout(60):
            while not enough(samples):
                samples += self.rows(await self.session.read())
        return samples

    async def first(self) -> dict[str, tuple[Any, int, int]]:
        """(value, quality, time) of each tag once every tag has one."""
        samples = await self.gather(lambda got: len({name for name, *_ in got}) == len(self.tags))
        return {name: (value, quality, at) for name, value, quality, at in reversed(samples)}

    async def values(self) -> dict[str, Any]:
        """The value of each tag once every tag has one."""
        return {name: value for name, (value, _, _) in (await self.first()).items()}

    async def changes(self, name: str, count: int = 1) -> list[tuple[Any, int, int]]:
        """The next `count` samples of one tag."""
        samples = await self.gather(lambda got: sum(n == name for n, *_ in got) >= count)
        return [(value, quality, at) for n, value, quality, at in samples if n == name]

    def rows(self, batch: Batch) -> list[Row]:
        columns = zip(batch.tag, batch.value, batch.quality, batch.time, strict=True)
        rows = ((self.tags[t], float(v), int(q), int(at)) for t, v, q, at in columns)
        return [(tag.name, self._shown(tag, value), quality, at) for tag, value, quality, at in rows]

    def _shown(self, tag: Tag, value: float) -> Any:
        return tag.vocabulary.text(value) if tag.kind.name == "TEXT" and value == value else value


@pytest.fixture
async def device() -> AsyncIterator[Callable[..., Device]]:
    """Make devices: `device(url, {tag: node or options}, **options)`; no task may be left of them."""
    devices: list[Device] = []
    before = asyncio.all_tasks()

    def make(url: str, nodes: Mapping[str, str | Mapping[str, Any]], **options: Any) -> Device:
        devices.append(Device(url, nodes, **{"publish": "100ms", **options}))
        return devices[-1]

    yield make
    for one in devices:
        await one.close()
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}
