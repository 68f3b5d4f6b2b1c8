"""Simulated machines read by clients that are not ours: mbpoll, libmodbus and node-opcua, all at the same instant."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edge_agent_hil.face_modbus import ModbusServer
from edge_agent_hil.face_opcua import OpcuaServer
from edge_agent_hil.opcua_listener import standard_server
from tests.hil.watched import WatchedPlant
from tests.peers.build import compiled

NODE = Path(__file__).parents[1] / "peers" / "node"
TAGS = {
    "total": {"address": "holding:0", "type": "uint32"}, "state": {"address": "holding:2"},
    "running": {"address": "discrete:0"}, "red": {"address": "discrete:1"}, "green": {"address": "discrete:2"},
}  # fmt: skip
METER = {"power": {"address": "input:0", "type": "uint32"}, "energy": {"address": "input:2", "type": "uint32"}}
UA = {"total": {}, "state": {"type": "string"}, "program": {}, "energy": {"type": "uint32"}, "recipe-heat": {}}
PRODUCTS = {
    "A": {"code": 1, "ideal_cycle": "200ms", "recipe": {"heat": 180.5}},
    "B": {"code": 2, "ideal_cycle": "0.35s", "recipe": {"heat": 95.25}},
}


def machine(unit: int) -> dict[str, Any]:
    return {
        "products": PRODUCTS,
        "modbus": {"gateway": "gw", "unit": unit, "tags": TAGS},
        "rtu": {"gateway": "bus", "unit": unit + 10, "tags": TAGS},
        "meter": {"gateway": "bus", "unit": unit + 20, "tags": METER},
        "opcua": {"tags": UA},
    }


class Served:
    """Two machines with every face, on a clock that stands."""

    def __init__(self, plant: WatchedPlant, urls: dict[tuple[str, str], str]) -> None:
        self.plant, self.urls = plant, urls

    def true(self, name: str) -> dict[str, Any]:
        event, now = self.plant.look(name)
        return {"total": event.total, "state": str(event.state), "program": event.product, "power": event.power,
                "energy": event.energy_at(now) // 3_600_000_000}  # fmt: skip


@pytest.fixture
async def served(plant_of: Callable[..., WatchedPlant], clock: Any, tmp_path: Path) -> AsyncIterator[Served]:
    gateways = {"gw": {}, "bus": {"baud": 115_200, "link": str(tmp_path / "bus")}}
    plant = plant_of({"a": machine(1), "b": machine(2)}, gateways=gateways)
    faces: list[Any] = [ModbusServer(gateway, behind, plant) for gateway, behind in plant.file.doors()]
    opcua = OpcuaServer(await standard_server(), plant)
    urls = {}
    for face in (*faces, opcua):
        await face.start()
    clock.forward(200)
    for name in plant.advance() and plant.news():
        await opcua.publish(name)
    for (_, behind), face in zip(plant.file.doors(), faces, strict=True):
        urls.update({key: str(face.describe(*key)["url"]) for key in behind})
    urls["a", "opcua"] = str(opcua.describe("a", "opcua")["url"])
    yield Served(plant, urls)
    for face in (*faces, opcua):
        await face.close()


async def said(*command: object) -> str:
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(90):
        out, _ = await process.communicate()
    return out.decode()


async def poll(where: list[object], unit: int, table: str, first: int, count: int) -> list[int]:
    """Values that mbpoll prints."""
    out = await said("mbpoll", "-a", unit, "-t", table, "-0", "-r", first, "-c", count, "-B", "-1", "-o", 10, *where)
    return [int(line.split(":")[1].split()[0]) for line in out.splitlines() if line.startswith("[")]


@pytest.mark.peer
async def test_mbpoll_reads_two_machines_through_a_gateway_and_on_a_serial_line(served: Served) -> None:
    if shutil.which("mbpoll") is None:
        pytest.skip("needs mbpoll (apt install mbpoll)")
    tcp: list[object] = ["-p", urlsplit(served.urls["a", "modbus"]).port, "127.0.0.1"]
    rtu: list[object] = ["-m", "rtu", "-b", 115_200, "-P", "none", urlsplit(served.urls["a", "rtu"]).path]
    for name, unit in (("a", 1), ("b", 2)):
        true = served.true(name)
        for where, behind in ((tcp, unit), (rtu, unit + 10)):
            assert await poll(where, behind, "4:int", 0, 1) == [true["total"]]
            assert await poll(where, behind, "4", 2, 1) == [["IDLE", "RUN", "FAULT", "SETUP"].index(true["state"])]
            lamps = [true["state"] == state for state in ("RUN", "FAULT", "RUN")]
            assert await poll(where, behind, "1", 0, 3) == lamps
        assert await poll(rtu, unit + 20, "3:int", 0, 2) == [true["power"], true["energy"]]
    assert await poll(tcp, 9, "4", 0, 1) == [], "nobody has that unit id"


@pytest.mark.peer
async def test_libmodbus_reads_what_the_truth_holds(served: Served, tmp_path: Path) -> None:
    program, port = compiled("mbread", tmp_path), urlsplit(served.urls["a", "modbus"]).port
    high, low = map(int, (await said(program, port, 2, "holding", 0, 2)).split())
    assert (high << 16) + low == served.true("b")["total"]
    assert (await said(program, port, 2, "write", 0, 1)).startswith("refused: Illegal function")
    assert (await said(program, port, 7, "holding", 0, 1)).startswith("refused: Target device failed to respond")


@pytest.mark.peer
async def test_node_opcua_reads_the_same_machines(served: Served, tmp_path: Path) -> None:
    if shutil.which("node") is None or not (NODE / "node_modules" / "node-opcua").is_dir():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    keys = [f"{name}.{signal.capitalize()}" for name in "ab" for signal in UA]
    ask = {"url": served.urls["a", "opcua"], "namespace": "urn:edge-agent:hil", "folder": str(tmp_path), "keys": keys}
    told = json.loads((await said("node", NODE / "uaread.js", json.dumps(ask))).splitlines()[-1])
    values = iter(told["values"])
    for name in "ab":
        true = served.true(name)
        total, state, program, energy, heat = (next(values) for _ in UA)
        assert (total["value"], total["type"], total["status"]) == (true["total"], "UInt32", "Good")
        assert (state["value"], program["value"]) == (true["state"], true["program"])
        assert abs(energy["value"] - true["energy"]) <= 1, "told with the last event"
        assert heat["value"] == PRODUCTS[true["program"]]["recipe"]["heat"]
