"""Machines of companion specifications on a server with the published models: no tag list, yet states and counts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from edge_agent import agent, registry
from edge_agent.config import load
from edge_agent.parts import Parts
from tests.peers.no_api import without_api
from tests.peers.opcua_world import NODE, NodeServer, Process
from tests.peers.waiting import free_port

pytestmark = pytest.mark.peer

SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: data}}
devices:
  hall: {{driver: opcua, url: "opc.tcp://127.0.0.1:{port}", publish: 100ms, tags: {{
    total: {{node: "ns=1;s=Total"}}, scrap: {{node: "ns=1;s=Scrap"}}}}}}
machines:
  filler:
    packml: {{device: hall, node: "/Objects/Filler"}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 100ms
  robot:
    machinery: {{device: hall, node: "/Objects/Machines/Robot"}}
    counts: {{total: hall.total, scrap: hall.scrap}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 100ms
  lathe:
    machinetool: {{device: hall, node: "/Objects/Machines/Lathe"}}
    counts: {{total: hall.total, scrap: hall.scrap}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 100ms
journal: {{flush: 50ms}}
kpi: {{windows: [day]}}
"""
BASE, INNER = "Filler/BaseStateMachine", "Filler/BaseStateMachine/MachineState"
EXECUTE = f"{INNER}/ExecuteState"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def hall(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    if not NodeServer.is_there():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    folder = tmp_path_factory.mktemp("companion")
    peer = Process(["node", str(NODE / "companion.js"), str(port), str(folder)], 60)
    yield peer
    peer.kill()


@pytest.fixture
async def parts(hall: Process, port: int, tmp_path: Path) -> AsyncIterator[Parts]:
    packml(hall, "Cleared", "Running", "Idle")
    put(hall, "Filler/Status/UnitModeCurrent", "Int32", 1)
    path = tmp_path / "site.yaml"
    path.write_text(without_api(SITE.format(port=port)))
    site = load(path, registry.drivers(), registry.publishers())
    running = await agent.build(site, registry.drivers(), registry.publishers())
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(running, stop))
    yield running
    stop.set()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def put(hall: Process, path: str, kind: str, value: object) -> None:
    assert hall.ask("set", path, kind, value) == "ok"


def packml(hall: Process, base: str | None, inner: str | None, execute: str | None) -> None:
    for path, state in ((BASE, base), (INNER, inner), (EXECUTE, execute)):
        put(hall, f"{path}/CurrentState", "LocalizedText", state)


async def soon(is_so: Callable[[], bool], seconds: float = 10.0) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not is_so():  # noqa: ASYNC110 — it is the agent's state that is watched
                await asyncio.sleep(0.02)
    return is_so()


def state_of(parts: Parts, machine: str) -> tuple[str, str]:
    current = parts.engine.machines[machine].current
    return current.state.name, current.reason


async def test_a_packml_unit_is_followed_through_its_nested_states_modes_and_counters(hall, parts):
    assert await soon(lambda: state_of(parts, "filler") == ("IDLE", "")), state_of(parts, "filler")
    packml(hall, "Cleared", "Running", "Execute")
    assert await soon(lambda: state_of(parts, "filler") == ("RUN", "")), state_of(parts, "filler")
    put(hall, "Filler/Status/EquipmentStarved", "Boolean", True)
    packml(hall, "Cleared", "Running", "Suspended")
    assert await soon(lambda: state_of(parts, "filler") == ("IDLE", "STARVED")), state_of(parts, "filler")
    packml(hall, "Cleared", "Stopped", None)
    assert await soon(lambda: state_of(parts, "filler")[0] == "IDLE" and state_of(parts, "filler")[1] != "STARVED")
    packml(hall, "Aborted", None, None)
    assert await soon(lambda: state_of(parts, "filler")[0] == "FAULT"), state_of(parts, "filler")
    put(hall, "Filler/Status/UnitModeCurrent", "Int32", 2)
    assert await soon(lambda: state_of(parts, "filler")[0] == "MAINT"), state_of(parts, "filler")


async def test_its_counts_come_from_the_counter_structures(hall, parts):
    for total, scrap in ((10, 0), (15, 1), (40, 3)):
        assert hall.ask("count", "Filler/Admin/ProdProcessedCount", total) == "ok"
        assert hall.ask("count", "Filler/Admin/ProdDefectiveCount", scrap) == "ok"
        value = parts.engine.ring.latest.value
        table = parts.engine.table
        at = table.position("hall.filler-total"), table.position("hall.filler-scrap")
        assert await soon(lambda: (value[at[0]], value[at[1]]) == (total, scrap))  # noqa: B023 — asked at once
    cell = parts.engine.machines["filler"].ledger.cell(0, 2**62, parts.clock())
    assert (cell.pq, cell.sq) == (30, 3)


async def test_a_machine_of_40001_1_and_a_machine_tool_are_followed(hall, parts):
    item = "Robot/MachineryBuildingBlocks/MachineryItemState/CurrentState"
    for name, state in (("Executing", "RUN"), ("OutOfService", "FAULT"), ("NotExecuting", "IDLE")):
        put(hall, item, "LocalizedText", name)
        assert await soon(lambda: state_of(parts, "robot")[0] == state), state_of(parts, "robot")  # noqa: B023 — at once
    why = state_of(parts, "lathe")
    assert why[0] == "UNKNOWN", "this instance has neither building blocks nor a channel"
