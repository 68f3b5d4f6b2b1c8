"""Alarms of an OPC UA server, all the way: subscribed to, made into spans, told over the API's view, over a restart."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent import agent, registry
from edge_agent.config import load
from edge_agent.duties import Parts
from tests.peers.no_api import without_api
from tests.peers.opcua_world import Process
from tests.peers.waiting import free_port

PEERS = Path(__file__).parents[1] / "peers"
SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: data}}
devices:
  cnc-7:
    driver: opcua
    url: "opc.tcp://127.0.0.1:{port}"
    publish: 100ms
    alarms: {{}}
    tags: {{clock: {{node: i=2258}}}}
journal: {{flush: 50ms}}
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(port: int) -> Iterator[Callable[[], Process]]:
    peers: list[Process] = []

    def start() -> Process:
        peers.append(Process([sys.executable, str(PEERS / "opcua_alarm_server.py"), str(port)]))
        return peers[-1]

    yield start
    for peer in peers:
        with contextlib.suppress(Exception):
            peer.kill()


@pytest.fixture
async def parts(server: Any, port: int, tmp_path: Path) -> AsyncIterator[tuple[Parts, Process]]:
    peer = server()
    path = tmp_path / "site.yaml"
    path.write_text(without_api(SITE.format(port=port)))
    site = load(path, registry.drivers(), registry.publishers())
    running = await agent.build(site, registry.drivers(), registry.publishers())
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(running, stop))
    yield running, peer
    stop.set()
    await task


def raise_alarm(peer: Process, severity: int = 700) -> None:
    fields = {"ActiveState/Id": True, "AckedState/Id": False, "Retain": True, "Severity": severity,
              "SourceName": "Spindle1", "Message": "too hot"}  # fmt: skip
    assert peer.ask("condition", "hot", "AlarmConditionType", fields) == "ok"
    assert peer.ask("tell", "hot", {}, 0) == "ok"


async def spans_of(running: Parts, is_so: Callable[[list[Any]], bool]) -> list[Any]:
    """The alarm spans once they are as wanted."""
    found: list[Any] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while not is_so(found := running.engine.alarms.spans(0, 2**62)):  # noqa: ASYNC110 — as below
                await asyncio.sleep(0.02)
    assert is_so(found), found
    return found


async def test_an_alarm_becomes_a_span_with_its_reason_acknowledgement_and_end(parts):
    running, peer = parts
    await connected(running)
    raise_alarm(peer)
    [span] = await spans_of(running, lambda found: len(found) == 1)
    assert (span.reason, span.severity, span.source, span.acknowledged, span.end) == (
        "too hot", 700, "Spindle1", False, None
    )  # fmt: skip
    peer.ask("tell", "hot", {"AckedState/Id": True}, 0)
    await spans_of(running, lambda found: found[0].acknowledged is True)
    peer.ask("tell", "hot", {"ActiveState/Id": False, "Retain": False}, 0)
    [span] = await spans_of(running, lambda found: found[0].end is not None)
    assert 0 < span.end - span.start < 20e9
    assert not span.end_uncertain


async def test_what_ended_while_the_server_was_away_has_an_uncertain_end(parts, server):
    running, peer = parts
    await connected(running)
    raise_alarm(peer)
    await spans_of(running, lambda found: len(found) == 1)
    peer.kill()
    await spans_of(running, lambda found: not found[0].known)
    server()
    [span] = await spans_of(running, lambda found: found[0].end is not None)
    assert span.end_uncertain


async def connected(running: Parts) -> None:
    """Until the alarms are watched: the clock of the server has been seen."""
    async with asyncio.timeout(60):
        while not running.engine.ring.latest.time[0] > 0:  # noqa: ASYNC110 — it is the agent's state that is watched
            await asyncio.sleep(0.02)
