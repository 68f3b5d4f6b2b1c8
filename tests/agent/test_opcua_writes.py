"""Commands to OPC UA equipment by the same rules as to any other: limits, once, read back, audited."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge_agent import agent, registry
from edge_agent.config import load
from edge_agent.duties import Parts
from edge_agent.journal import audit_entries
from edge_agent.south.command import Command, Outcome
from tests.peers.no_api import without_api
from tests.peers.opcua_world import Process
from tests.peers.waiting import free_port

PEERS = Path(__file__).parents[1] / "peers"
SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: data}}
devices:
  plc:
    driver: opcua
    url: "opc.tcp://127.0.0.1:{port}"
    publish: 100ms
    tags:
      speed: {{node: "nsu=http://acme.example/cnc/;s=Speed", scale: 0.1, write: {{min: 0, max: 100, every: 1ms}}}}
      mode:  {{node: "nsu=http://acme.example/cnc/;s=Mode", names: true, write: {{values: [Manual, Automatic]}}}}
      reset: {{node: "nsu=http://acme.example/cnc/;s=Press", method: Reset, write: {{values: [true]}}}}
      count: {{node: "nsu=http://acme.example/cnc/;s=Counter"}}
journal: {{flush: 50ms}}
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def plc(port: int) -> Iterator[Process]:
    peer = Process([sys.executable, str(PEERS / "opcua_writable_server.py"), str(port)])
    yield peer
    peer.kill()


@pytest.fixture
async def parts(plc: Process, port: int, tmp_path: Path) -> AsyncIterator[Parts]:
    path = tmp_path / "site.yaml"
    path.write_text(without_api(SITE.format(port=port)))
    site = load(path, registry.drivers(), registry.publishers())
    running = await agent.build(site, registry.drivers(), registry.publishers())
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(running, stop))
    async with asyncio.timeout(60):
        while not running.engine.ring.latest.time[0] > 0:  # noqa: ASYNC110 — it is the agent's state that is watched
            await asyncio.sleep(0.02)
    yield running
    stop.set()
    await task


async def sent(parts: Parts, number: int, tag: str, value: object) -> Outcome:
    return await parts.commander.execute(Command(f"c-{number}", "plc", tag, value, "mqtt", "platform"))


async def test_a_command_is_scaled_limited_carried_out_once_and_audited(parts, plc, tmp_path):
    done = await sent(parts, 1, "speed", 23.4)
    assert (done.ok, done.read_back) == (True, 23.4)
    assert plc.ask("value", "Speed") == 234.0
    refused = await sent(parts, 2, "speed", 101)
    assert not refused.ok
    assert "the highest is 100" in refused.error
    assert (await sent(parts, 3, "mode", "Automatic")).read_back == "Automatic"
    assert (await sent(parts, 4, "reset", True)).ok
    assert (await sent(parts, 4, "reset", True)).ok         # the same command again is not carried out again
    assert plc.ask("calls") == [["Reset"]]
    assert "writing to plc.count is not allowed" in (await sent(parts, 5, "count", 1)).error
    steps = [(entry["tag"], entry["step"]) for entry in audit_entries(tmp_path / "data")]
    assert [step for tag, step in steps if tag == "reset"] == ["asked", "done", "repeated"]
    assert ("speed", "refused") in steps
