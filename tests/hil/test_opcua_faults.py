"""Faults of simulated equipment as an OPC UA client sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import Client, ua

from edge_agent_hil.equipment_control import EquipmentControl
from edge_agent_hil.face_opcua import OpcuaServer
from edge_agent_hil.opcua_listener import standard_server
from tests.hil.watched import WatchedPlant

SPACE = "urn:edge-agent:hil"
FACE: dict[str, Any] = {"tags": {"total": {"type": "uint16"}, "power": {}, "state": {"type": "string"}}}


class Bench:
    """Two machines on one server, and who gives them faults."""

    def __init__(self, plant: WatchedPlant, clock: Any, face: OpcuaServer) -> None:
        self.plant, self.clock, self.face = plant, clock, face
        self.control = EquipmentControl(plant, {"m": [face], "n": [face]})

    @property
    def url(self) -> str:
        return str(self.face.describe("m", "opcua")["url"])

    async def give(self, kind: str, **said: Any) -> dict[str, Any]:
        return await self.control.begin({"machine": "m", "kind": kind, **said})

    async def after(self, seconds: float) -> None:
        self.clock.forward(seconds)
        self.plant.advance()
        for name in self.plant.news():
            await self.face.publish(name)
        await self.control.settle()

    async def read(self, *names: str, machine: str = "m") -> list[Any]:
        async with Client(self.url, timeout=20) as client:
            space = await client.get_namespace_index(SPACE)
            nodes = [client.get_node(f"ns={space};s={machine}.{name}") for name in names]
            return list(await client.read_attributes(nodes, ua.AttributeIds.Value))


@pytest.fixture
async def bench(plant_of: Callable[..., WatchedPlant], clock: Any) -> AsyncIterator[Bench]:
    plant = plant_of({"m": {"opcua": FACE}, "n": {"opcua": FACE}}, opcua={"security": True})
    face = OpcuaServer(await standard_server(), plant)
    await face.start()
    made = Bench(plant, clock, face)
    await made.after(30)
    yield made
    await face.close()


async def test_a_restart_ends_every_session_and_the_server_is_back_at_its_port(bench: Bench) -> None:
    url, before = bench.url, (await bench.read("Total"))[0].Value.Value
    client = Client(url, timeout=5)
    await client.connect()
    told = await bench.give("restart", counters="reset")
    assert told["machines"] == ["m", "n"], "they share the server"
    with pytest.raises((OSError, TimeoutError, ua.UaError)):
        await client.nodes.server_state.read_value()
    with pytest.raises((OSError, TimeoutError)):
        await bench.read("Total")
    await client.disconnect()
    await bench.after(5)
    assert bench.url == url
    [total], [other] = await bench.read("Total"), await bench.read("Total", machine="n")
    assert total.Value.Value == 0 < before
    assert other.Value.Value == bench.plant.look("n")[0].total > 0, "it was only out of reach"
    await bench.after(20)
    event, _ = bench.plant.look("m")
    assert (await bench.read("Total"))[0].Value.Value == event.total - before > 0


async def test_namespaces_come_back_in_another_order_and_values_go_on(bench: Bench) -> None:
    async with Client(bench.url, timeout=20) as client:
        before = await client.get_namespace_array()
    await bench.give("namespace-reorder")
    await bench.after(2)
    async with Client(bench.url, timeout=20) as client:
        after = await client.get_namespace_array()
        assert after[:2] == before[:2]
        assert sorted(after) == sorted(before)
        assert after.index(SPACE) != before.index(SPACE)
        old = client.get_node(f"ns={before.index(SPACE)};s=m.Total")
        with pytest.raises(ua.UaStatusCodeError, match="BadNodeIdUnknown"):
            await old.read_value()
    await bench.after(10)
    event, _ = bench.plant.look("m")
    assert (await bench.read("Total"))[0].Value.Value == event.total > 0


async def test_a_changed_certificate_is_another_one(bench: Bench) -> None:
    async def certificates() -> set[bytes]:
        endpoints = await Client(bench.url, timeout=20).connect_and_get_server_endpoints()
        assert {endpoint.SecurityMode.name for endpoint in endpoints} == {"None_", "Sign", "SignAndEncrypt"}
        assert len(endpoints) == 3
        return {endpoint.ServerCertificate for endpoint in endpoints}

    before = await certificates()
    await bench.give("certificate-change")
    await bench.after(2)
    after = await certificates()
    assert len(before) == len(after) == 1
    assert before != after


async def test_a_clock_of_2000_is_in_every_source_time_until_it_is_set_again(bench: Bench) -> None:
    await bench.give("clock", **{"for": "60s"})
    await bench.after(30)
    [total] = await bench.read("Total")
    assert datetime(2000, 1, 1, tzinfo=UTC) < total.SourceTimestamp < datetime(2000, 1, 1, 0, 0, 31, tzinfo=UTC)
    await bench.after(60)
    await bench.after(20)
    [total] = await bench.read("Total")
    assert total.SourceTimestamp.year == 2025


async def test_a_glitch_is_a_change_and_a_change_back(bench: Bench) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()

    class Listener:
        def datachange_notification(self, _node: Any, value: Any, _data: Any) -> None:
            heard.put_nowait(value)

    async with Client(bench.url, timeout=20) as client:
        space = await client.get_namespace_index(SPACE)
        subscription = await client.create_subscription(20, Listener())
        await subscription.subscribe_data_change(client.get_node(f"ns={space};s=m.Total"), queuesize=10)
        await bench.give("glitch")
        async with asyncio.timeout(60):
            event, _ = bench.plant.look("m")
            assert [await heard.get() for _ in range(3)] == [event.total, 0, event.total]


async def test_stuck_nan_bad_and_slow_are_seen_until_cleared(bench: Bench) -> None:
    await bench.give("nan")
    [power] = await bench.read("Power")
    assert power.Value.Value != power.Value.Value
    await bench.give("stuck", signal="total")
    [before] = await bench.read("Total")
    await bench.after(20)
    assert (await bench.read("Total"))[0].SourceTimestamp == before.SourceTimestamp
    await bench.give("exception")
    assert {value.StatusCode.name for value in await bench.read("Total", "State")} == {"BadDeviceFailure"}
    assert (await bench.read("Total", machine="n"))[0].StatusCode.is_good()
    await bench.control.clear("m")
    event, _ = bench.plant.look("m")
    assert [value.Value.Value for value in await bench.read("Total", "State")] == [event.total, str(event.state)]
    await bench.give("slow", by="300ms")
    began = asyncio.get_running_loop().time()
    await bench.read("Total")
    assert asyncio.get_running_loop().time() - began > 0.9, "several requests, each of them late"
