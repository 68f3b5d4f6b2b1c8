"""One level of a server's address space at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edge_agent.api import Browser, Inquiry, NotConnected, Refused
from edge_agent_opcua.commission.tools import OpcUaTools
from tests.drivers.opcua.test_opcua_discover import Server
from tests.peers.waiting import free_port


@pytest.fixture(scope="module")
def plant() -> Iterator[Server]:
    with Server("--many", 60) as running:
        yield running


async def children(plant: Server, node: str = "", told: list[str] | None = None) -> dict[str, Any]:
    """What stands below the node, by name."""
    tell = (told if told is not None else []).append
    branch = await OpcUaTools().browse(plant.url, node, Inquiry(tell))
    assert not branch.cut
    return {row["name"]: row for row in branch.children}


async def test_it_begins_at_the_objects_and_says_what_the_server_is(plant: Server) -> None:
    told: list[str] = []
    found = await children(plant, told=told)
    assert isinstance(OpcUaTools(), Browser)
    assert "Plant" in found
    assert "Server" not in found
    assert found["Plant"]["sort"] == "object"
    assert any("FreeOpcUa" in line for line in told)


async def test_variables_have_a_value_a_unit_and_the_tag_that_reads_them(plant: Server) -> None:
    top = await children(plant)
    press = (await children(plant, top["Plant"]["node"]))["Press 1"]
    found = await children(plant, press["node"])
    speed = found["CurMachSpeed"]
    assert (speed["sort"], speed["kind"], speed["value"], speed["status"]) == ("variable", "Double", "61.5", "")
    assert speed["tag"]["node"] == speed["node"]
    assert speed["tag"]["range"] == [0, 120]
    assert found["Order"]["value"] == "'A100'"


async def test_each_field_of_a_structure_has_the_tag_that_reads_it(plant: Server) -> None:
    press = (await children(plant, (await children(plant))["Plant"]["node"]))["Press 1"]
    job = (await children(plant, press["node"]))["Job"]
    assert job["tag"] is None
    assert list(job["field_tags"]) == job["fields"]
    assert job["field_tags"]["DataType"] == {"node": f"{job['node']}#DataType"}
    found = await OpcUaTools().probe(plant.url, [job["field_tags"]["DataType"]["node"]], Inquiry(lambda _: None))
    assert {row["address"] for row in found} == {job["field_tags"]["DataType"]["node"]}


async def test_machines_of_a_companion_specification_are_recognised(plant: Server) -> None:
    seen: set[str] = set()
    waiting = [row["node"] for row in (await children(plant)).values() if row["sort"] == "object"]
    for node in waiting:
        for row in (await children(plant, node)).values():
            seen.add(str(row["machine"]))
    assert {"packml", "machinetool"} & seen


async def test_a_node_that_is_not_there_is_named(plant: Server) -> None:
    with pytest.raises(Refused, match="never"):
        await children(plant, "nsu=http://acme.example/plant/;s=never")
    with pytest.raises(ValueError, match="nonsense"):
        await children(plant, "nonsense")
    with pytest.raises(NotConnected):
        await OpcUaTools().browse(f"opc.tcp://127.0.0.1:{free_port()}", "", Inquiry(lambda _: None))
