"""Simulated machines read by a real OPC UA client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import Client, ua

from edge_agent_hil.face_opcua import OpcuaServer
from edge_agent_hil.opcua_listener import standard_server
from tests.hil.watched import WatchedPlant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPACE = "urn:edge-agent:hil"
FACE: dict[str, Any] = {
    "tags": {
        "state": {"type": "string"},
        "total": {"node": "i=1002", "type": "uint16", "start": 65500},
        "scrap": {},
        "program": {},
        "power": {},
        "running": {},
    }
}


def ns_of(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1_000


class Listener:
    """Everything a subscription reports, by node."""

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[object, int]]] = {}

    def datachange_notification(self, node: Any, value: object, data: Any) -> None:
        source = data.monitored_item.Value.SourceTimestamp
        self.heard.setdefault(node.nodeid.to_string(), []).append((value, ns_of(source)))


async def test_a_client_reads_and_hears_every_change_with_the_events_own_time(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    plant = plant_of({"m": {"opcua": FACE}})
    face = OpcuaServer(await standard_server(), plant)
    await face.start()
    said: Any = face.describe("m", "opcua")
    try:
        async with Client(said["url"], timeout=4) as client:
            space = await client.get_namespace_index(SPACE)
            ids = {signal: tag["node"].removeprefix(f"nsu={SPACE};") for signal, tag in said["tags"].items()}
            nodes = {
                signal: client.get_node(f"ns={space};{identifier}") for signal, identifier in ids.items()
            }
            listener = Listener()
            subscription = await client.create_subscription(20, listener)
            await subscription.subscribe_data_change(list(nodes.values()), queuesize=10_000)
            for _ in range(40):
                clock.forward(1.0)
                plant.advance()
                await face.publish("m")
            await asyncio.sleep(0.3)
            value = await nodes["total"].read_data_value()
            kinds = {
                signal: (await node.read_data_value()).Value.VariantType.name
                for signal, node in nodes.items()
            }
            await subscription.delete()
    finally:
        await face.close()

    events = plant.events["m"]
    assert value.Value.Value == (65500 + plant.truths["m"].vector(plant.start, clock.now).total) % 65536
    assert ns_of(value.SourceTimestamp) == [e for e in events if e.what == "piece"][-1].t
    assert kinds == {
        "state": "String", "total": "UInt16", "scrap": "UInt32", "program": "String", "power": "Double",
        "running": "Boolean",
    }  # fmt: skip
    begun = events[0].t
    heard = {signal: listener.heard[node.nodeid.to_string()] for signal, node in nodes.items()}
    pieces = [((65500 + e.total) % 65536, e.t) for e in events if e.what == "piece"]
    assert heard["total"] == [(65500, begun), *pieces]
    assert heard["state"] == [(e.state.value, e.t) for e in events if e.what == "state"]
    assert heard["program"] == [(e.product, e.t) for e in events if e.what == "product"]
    assert [t for _, t in heard["scrap"]][1:] == [e.t for e in events if e.made == "scrap"]
    assert ua.NodeId.from_string(f"ns={space};i=1002") == nodes["total"].nodeid
