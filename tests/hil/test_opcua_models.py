"""Simulated machines as instances of companion specifications: read by node-opcua, and followed by the agent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from edge_agent import agent, registry
from edge_agent.config import load
from edge_agent.duties import Parts
from edge_agent_hil.equipment_control import EquipmentControl
from edge_agent_hil.events import BLOCKED, STARVED, Event, State, What
from edge_agent_hil.face_opcua import OpcuaServer
from edge_agent_hil.opcua_listener import standard_server
from edge_agent_hil.opcua_models import machinery, nested
from edge_agent_hil.plant import pump, simulated_clock, whole_now
from edge_agent_hil.plant_file import PlantFile
from tests.hil.watched import WatchedPlant
from tests.peers.no_api import without_api

NODE = Path(__file__).parents[1] / "peers" / "node"
MACHINE: dict[str, Any] = {
    "products": {"A": {"code": 7, "ideal_cycle": "100ms"}, "B": {"code": 8, "ideal_cycle": "150ms"}},
    "jobs": [{"product": "A", "pieces": 12}, {"product": "B", "pieces": 10}],
    "setup": ["700ms", "900ms"],
    "micro_stops": {"every": ["1s", "2s"], "for": ["700ms", "900ms"]},
    "faults": {"every": ["3s", "4s"], "for": ["700ms", "900ms"]},
    "scrap": 0.2,
    "rework": 0.1,
    "opcua": {"models": ["packml", "machinetool"], "tags": {"total": {}, "scrap": {}}},
}
SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: data}}
devices:
  hall: {{driver: opcua, url: "{url}", publish: 100ms, tags: {{
    total: {{node: "nsu=urn:edge-agent:hil;s=m.Total"}}, scrap: {{node: "nsu=urn:edge-agent:hil;s=m.Scrap"}}}}}}
machines:
  filler:
    packml: {{device: hall, node: "{packml}"}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 100ms
  lathe:
    machinetool: {{device: hall, node: "{machinetool}"}}
    counts: {{total: hall.total, scrap: hall.scrap}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 100ms
journal: {{flush: 50ms}}
kpi: {{windows: [day]}}
"""


def reading(state: State, reason: str = "") -> Event:
    return Event(0, What.STATE, state, reason, "A", 0, 0, 0, 0, 0)


def test_each_state_has_its_place_in_the_nested_machines_of_packml() -> None:
    def states(state: State, reason: str = "") -> list[str | None]:
        return [nested(reading(state, reason), depth) for depth in range(3)]

    assert states(State.RUN) == ["Cleared", "Running", "Execute"]
    assert states(State.IDLE) == states(State.IDLE, "break") == ["Cleared", "Running", "Idle"]
    assert states(State.IDLE, "micro_stop") == ["Cleared", "Running", "Held"]
    assert states(State.IDLE, STARVED) == states(State.IDLE, BLOCKED) == ["Cleared", "Running", "Suspended"]
    assert states(State.SETUP, "job_change") == ["Cleared", "Stopped", None]
    assert states(State.FAULT, "fault") == ["Aborted", None, None]
    item, mode = machinery("m")[-2:]
    items = {str(state): item.show(reading(state)) for state in State}
    assert items == {"IDLE": "NotExecuting", "SETUP": "NotExecuting", "RUN": "Executing", "FAULT": "OutOfService"}
    assert [mode.show(reading(state)) for state in State] == ["Processing", "Setup", "Processing", "Processing"]


@pytest.fixture
async def hall() -> AsyncIterator[tuple[WatchedPlant, dict[str, Any]]]:
    """A plant that runs by the wall clock, and how its machine is reached."""
    file = PlantFile.model_validate({"machines": {"m": MACHINE}})
    server = await standard_server()
    start = whole_now()
    plant = WatchedPlant(file, 3, start, simulated_clock(start, Fraction(1)))
    face = OpcuaServer(server, plant)
    await face.start()
    control = EquipmentControl(plant, {"m": [face]})
    pumping = asyncio.create_task(pump(plant, {"m": [face]}, control.settle, Fraction(1), print))
    yield plant, face.describe("m", "opcua")
    pumping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await pumping
    await face.close()


@pytest.mark.peer
async def test_node_opcua_reads_states_and_decodes_the_counter_structures(hall: Any, tmp_path: Path) -> None:
    if shutil.which("node") is None or not (NODE / "node_modules" / "node-opcua").is_dir():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    plant, said = hall
    keys = [
        "m.PackML.BaseStateMachine.CurrentState", "m.PackML.Status.UnitModeCurrent",
        "m.PackML.Admin.ProdProcessedCount", "m.Machine.MachineryBuildingBlocks.MachineryItemState.CurrentState",
        "m.Machine.Monitoring.Channel1.ChannelState",
    ]  # fmt: skip
    ask = {"url": said["url"], "namespace": "urn:edge-agent:hil", "folder": str(tmp_path), "keys": keys}
    before = plant.look("m")[0].total
    process = await asyncio.create_subprocess_exec(
        "node", str(NODE / "uaread.js"), json.dumps(ask), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(90):
        out, _ = await process.communicate()
    base, mode, count, item, channel = json.loads(out.decode().splitlines()[-1])["values"]
    assert {one["status"] for one in (base, mode, count, item, channel)} == {"Good"}
    assert base["value"]["text"] in ("Cleared", "Aborted")
    assert mode["value"] in (1, 3)
    [counted] = count["value"]
    assert counted["name"] in ("A", "B")
    assert before <= counted["accCount"] <= plant.look("m")[0].total
    assert item["value"]["text"] in ("Executing", "NotExecuting", "OutOfService")
    assert channel["value"] in (0, 1, 2)


async def test_the_agent_follows_both_instances_by_nothing_but_their_nodes(hall: Any, tmp_path: Path) -> None:
    plant, said = hall
    nodes = {model: instance["node"] for model, instance in said["instances"].items()}
    path = tmp_path / "site.yaml"
    path.write_text(without_api(SITE.format(url=said["url"], **nodes)))
    drivers, publishers = registry.drivers(), registry.publishers()
    parts = await agent.build(load(path, drivers, publishers), drivers, publishers)
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(parts, stop))
    try:
        seen: set[str] = set()
        ledger = parts.engine.machines["filler"].ledger

        def all_seen() -> bool:
            states = {state_of(parts, name) for name in ("filler", "lathe")}
            seen.update(states if len(states) == 1 else ())
            return {"RUN", "IDLE", "SETUP", "FAULT"} <= seen

        await until(all_seen)
        await until(lambda: ledger.cell(0, 2**62, parts.clock()).pq >= 20)
        cell = ledger.cell(0, 2**62, parts.clock())
        truth = plant.truths["m"].vector(plant.start, plant.advance())
        assert cell.pq <= truth.total
        assert cell.sq <= truth.scrap + truth.rework, "defective is all that is not good"
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def state_of(parts: Parts, machine: str) -> str:
    return str(parts.engine.machines[machine].current.state.name)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not is_so():  # noqa: ASYNC110 — it is the agent's state that is watched
            await asyncio.sleep(0.05)
