"""An agent with its API on a free port, in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge_agent import agent, registry
from edge_agent.config import load
from edge_agent.parts import Parts
from edge_agent.telling import status
from edge_agent.web import serve
from edge_agent.web.routes import Hands
from edge_agent.web.serve import Api
from edge_agent.web.view import View
from tests.peers.http_client import Reply, ask

TOKEN = "a-token-of-the-test-0123456789"
SITE = """
agent: {id: gw-1, timezone: UTC, data_dir: data}
devices:
  press-1:
    driver: simulated
    url: "simulated://"
    poll: 100ms
    tags: {level: {signal: sine, low: 0, high: 10, unit: bar}, total: {signal: counter, every: 1s}}
  plc:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:PLC?unit=1"
    poll: 100ms
    timeout: 300ms
    tags:
      state: {address: "holding:0"}
      temp: {address: "holding:5", unit: Cel, range: [0, 100]}
journal: {flush: 50ms}
api: {listen: "127.0.0.1:0", tokens: {ops: "TOKEN"}}
"""


@dataclass
class Running:
    """A running agent: its parts, and the port of its API."""

    parts: Parts
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def port(self) -> int:
        assert self.parts.api
        return self.parts.api.port

    async def get(self, path: str, **more: Any) -> Reply:
        return await ask(self.port, "GET", path, **more)

    async def post(self, path: str, body: Any, **more: Any) -> Reply:
        return await ask(self.port, "POST", path, body, **more)


async def until(what: Callable[[], object], why: str, seconds: float = 60) -> None:
    """Return once `what()` is true."""
    end = asyncio.get_running_loop().time() + seconds
    while not what():
        if asyncio.get_running_loop().time() > end:
            pytest.fail(f"waited in vain: {why}")
        await asyncio.sleep(0.01)


def view_of(parts: Parts) -> View:
    drivers = {reader.device: reader.driver for reader in parts.readers}
    return View(parts.site, parts.engine, drivers, parts.health, parts.journal, parts.clock, lambda: status(parts))


@pytest.fixture
def run_site(tmp_path: Path) -> Callable[..., Any]:
    """`async with run_site(text)`: an agent on this site, once its API listens."""

    @contextlib.asynccontextmanager
    async def run(text: str, listening: bool = True, write: Any = None) -> AsyncIterator[Running]:
        path = tmp_path / "site.yaml"
        path.write_text(text)
        site = load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
        running = Running(await agent.build(site, registry.drivers(), registry.publishers()))
        if write is not None:
            lobby = serve.lobby(tmp_path / "data")
            running.parts.api = Api(site.api, view_of(running.parts), Hands(write), lobby)
        task = asyncio.create_task(agent.run(running.parts, running.stop))
        try:
            if listening:
                await until(lambda: running.port or task.done(), "the API listens")
            yield running
        finally:
            running.stop.set()
            await task

    return run


@pytest.fixture
def site_text() -> Callable[..., str]:
    """The site with a PLC at this port."""
    return lambda plc=9: SITE.replace("PLC", str(plc)).replace("TOKEN", TOKEN)


@pytest.fixture
async def running(run_site: Callable[..., Any], site_text: Callable[..., str]) -> AsyncIterator[Running]:
    """An agent whose PLC is not there."""
    async with run_site(site_text()) as held:
        yield held
