"""Probing variables of OPC UA servers, and what servers can take: what a tag makes of them, and why not."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent import cli, field_tools
from edge_agent.api import Inquiry, Measured, NotConnected, Refused
from edge_agent_opcua.commission import described
from edge_agent_opcua.commission.tools import OpcUaTools
from edge_agent_opcua.config import OpcUaTag
from tests.peers.opcua_world import Farm, Process
from tests.peers.waiting import free_port

MODEL = Path(__file__).parents[2] / "peers" / "opcua_model_server.py"
M = "nsu=http://acme.example/machine/;s="
CNC = "nsu=http://acme.example/cnc/;s="


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """A server with units, enumerations, structures and arrays; its URL."""
    port = free_port()
    peer = Process([sys.executable, str(MODEL), str(port)], patience=60)
    yield f"opc.tcp://127.0.0.1:{port}"
    peer.kill()


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    """Where servers with faults come from."""
    made = Farm()
    yield made
    made.close()


async def probe(url: str, *addresses: str, **options: str) -> list[Mapping[str, Any]]:
    """The rows of `edge-agent probe`, read twice."""
    given = {"reads": "2", "every": "10ms", **options}
    return list(await OpcUaTools().probe(url, addresses, Inquiry(lambda _: None, options=given)))


async def limits(url: str, *addresses: str, tell: Any = lambda _: None, **options: str) -> dict[str, Measured]:
    """What `edge-agent probe --limits` finds, by key."""
    found: Sequence[Measured] = await OpcUaTools().limits(url, addresses, Inquiry(tell, options=options))
    assert len({one.key for one in found}) == len(found)
    return {one.key: one for one in found}


async def test_a_variable_is_shown_with_type_unit_range_and_access_and_the_tag_that_gives_it(model: str) -> None:
    [row] = await probe(model, M + "Speed")
    assert row["about"] == f"{M}Speed, Speed: Double, mm/s (mm/s), 0 to 80, read only"
    assert row["values"] == [12.5, 12.5]
    assert (row["type"], row["score"], row["why"]) == ("Double", 99, "does not change")
    assert yaml.safe_load(row["tag"]) == {"node": M + "Speed", "unit": "mm/s", "range": [0, 80]}
    assert set(row) == {"address", "about", "type", "order", "values", "score", "why", "tag"}


async def test_a_browse_path_leads_to_the_node_by_its_namespace_uri(model: str) -> None:
    [row] = await probe(model, "/Objects/Line/Press/Speed")
    assert row["about"].startswith(f"/Objects/Line/Press/Speed is {M}Speed, ")
    assert yaml.safe_load(row["tag"])["node"] == M + "Speed"


async def test_an_enumeration_is_shown_as_its_number_and_as_its_name(model: str) -> None:
    number, name = await probe(model, M + "Mode")
    assert (number["values"], name["values"]) == ([3, 3], ["Run", "Run"])
    assert yaml.safe_load(name["tag"]) == {"node": M + "Mode", "names": True}


async def test_each_element_of_an_array_and_each_field_of_a_structure_is_a_way_to_read_it(model: str) -> None:
    rows = {yaml.safe_load(row["tag"])["node"]: row for row in await probe(model, M + "Position")}
    assert rows[M + "Position#Mode"]["values"] == [7, 7]
    assert rows[M + "Position#Last"]["values"] == [0.25, 0.25]
    assert rows[M + "Position#Name"]["values"] == ["A1", "A1"]
    assert rows[M + "Position#Offset"]["values"] == []
    assert "structure" in rows[M + "Position#Offset"]["why"]
    first, *_ = await probe(model, M + "Positions")
    assert yaml.safe_load(first["tag"]) == {"node": M + "Positions#[0].Name"}
    assert first["values"] == ["A1", "A1"]


async def test_every_tag_that_is_shown_is_one_that_the_site_file_takes(model: str) -> None:
    names = ("Speed", "Mode", "Level", "Multi", "Two", "Position", "Positions", "Some", "Tree", "Range", "Matrix")
    rows = await probe(model, *(M + name for name in names))
    assert {row["address"] for row in rows} == {M + name for name in names}
    for row in rows:
        OpcUaTag.model_validate(yaml.safe_load(row["tag"]))


async def test_what_cannot_be_read_says_why_and_the_others_are_read_all_the_same(model: str) -> None:
    rows = await probe(model, M + "Sped", M + "Speed", "/Objects/Line/Pres", "/Objects/Line", "nsu=urn:gone;i=1")
    why = {row["address"]: (row["why"], row["score"]) for row in rows}
    assert why[M + "Sped"] == ("BadNodeIdUnknown", 0)
    assert why["/Objects/Line"] == ("is no variable but a node of class Object", 0)
    assert why["nsu=urn:gone;i=1"] == ("the server has no namespace urn:gone", 0)
    assert "did you mean" in why["/Objects/Line/Pres"][0]
    assert why[M + "Speed"] == ("does not change", 99)
    with pytest.raises(Refused, match=r"s=Sped cannot be read: BadNodeIdUnknown$"):
        await probe(model, M + "Sped")


async def test_a_status_that_comes_and_goes_is_counted(farm: Farm) -> None:
    server = farm.start(many=2, hz=20)
    [changing] = await probe(server.url, CNC + "n0", reads="4", every="100ms")
    assert changing["why"] == "changes"
    server.fault("refuse", {"n1": "BadSensorFailure"})
    rows = await probe(server.url, CNC + "n0", CNC + "n1")
    assert [(row["values"] != [], row["why"]) for row in rows] == [(True, rows[0]["why"]), (False, "BadSensorFailure")]


async def test_a_value_that_cannot_be_decoded_spoils_no_other(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Requests:
        async def attributes(self, nodes: Sequence[str]) -> list[str]:
            if "broken" in nodes:
                raise NotConnected("decoding") from ValueError("not enough data")
            return [f"value of {node}" for node in nodes]

    class Asked:
        requests = Requests()

    values = await described.values_of(Asked(), ["a", "b", "broken", "c", "d"])  # type: ignore[arg-type]  # all it needs
    assert values == ["value of a", "value of b", None, "value of c", "value of d"]
    assert described.status_of(None) == "what the server sends as its value cannot be decoded"


@pytest.mark.parametrize(
    ("addresses", "options", "what"),
    [
        (["Speed"], {}, "'Speed' is neither a node id nor a browse path"),
        (["ns=2;s=A"], {"reads": "0"}, "--reads 0: not a number from 1 to 1000"),
        (["ns=2;s=A"], {"every": "1"}, "--every 1: not a duration"),
        (["ns=2;s=A"], {"units": "1"}, "there is no --units with an OPC UA server"),
        ([f"ns=2;i={n}" for n in range(126)], {}, "126 addresses are more than 125"),
    ],
)
async def test_what_is_wrong_is_named(addresses: list[str], options: dict[str, str], what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        await probe("opc.tcp://127.0.0.1:1", *addresses, **options)
    if len(addresses) == 1:
        with pytest.raises(ValueError, match=re.escape(what)):
            await limits("opc.tcp://127.0.0.1:1", *addresses, **options)


# -- limits --------------------------------------------------------------------------------------


async def test_limits_that_the_server_does_not_announce_are_found_and_nothing_is_left_behind(farm: Farm) -> None:
    server = farm.start(many=3)
    server.fault("most", {"CreateMonitoredItems": 13, "Read": 70})
    found = await limits(server.url, CNC + "n0", CNC + "n1", reads="3")
    assert yaml.safe_load(found["limits"].value) == {"reads_per_call": 70, "items_per_call": 13}
    assert re.fullmatch(r"3 reads of one value took .* ms \(median\), .* ms at most", found["timeout"].why)
    assert found["publish"].value == "500ms"
    assert found["sample"].value == ""
    seen = server.ask("seen")
    assert (seen["sessions"], seen["items"]) == (0, [])


async def test_a_server_that_cannot_be_subscribed_to_is_to_be_polled(farm: Farm) -> None:
    server = farm.start(many=1)
    server.fault("fail", {"CreateSubscription": "BadServiceUnsupported"})
    found = await limits(server.url, CNC + "n0", reads="2")
    assert found["poll"].value == "1s"
    assert "BadServiceUnsupported" in found["poll"].why
    assert found["limits"].value == ""


async def test_limits_need_a_variable_that_is_there(farm: Farm) -> None:
    server = farm.start(many=1)
    with pytest.raises(Refused, match="BadNodeIdUnknown"):
        await limits(server.url, CNC + "ghost")


async def test_enough_ends_it_with_what_was_measured(farm: Farm) -> None:
    server = farm.start(many=1)
    told: list[str] = []
    found = await OpcUaTools().limits(
        server.url, [CNC + "n0"], Inquiry(told.append, lambda: any(line.startswith("timeout") for line in told))
    )
    assert [one.key for one in found] == ["server", "timeout"]
    assert told[-1] == "ended before everything was measured"


@pytest.mark.peer
async def test_what_a_server_announces_is_what_it_does(node_server: Any) -> None:
    found = await limits(node_server.url, "ns=1;s=Speed", reads="3")
    assert "it says that it takes 50 items a call" in found["server"].why
    assert found["limits"].value == "{items_per_call: 50}"
    assert re.fullmatch(r"asked for 10 ms, the server grants \d+ ms at the fastest", found["publish"].why)


# -- as a person sees it -------------------------------------------------------------------------


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools are found for opc.tcp, whichever drivers are plugged in."""
    monkeypatch.setattr(field_tools, "tools_for", lambda _: OpcUaTools())


@pytest.mark.usefixtures("plugged")
def test_a_tag_is_printed_as_the_site_file_has_it(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(("probe", model, M + "Speed", M + "Sped", "--reads", "1")) == 0
    about, head, best, _, other, _, refused = capsys.readouterr().out.splitlines()
    assert about.startswith(f"{M}Speed, Speed: Double")
    assert head.split() == ["score", "tag", "values", "why"]
    assert best.split(maxsplit=1)[1].startswith(f"{{node: '{M}Speed', unit: mm/s, range: [0, 80]}}  12.5")
    assert other == M + "Sped"
    assert refused.split() == ["0", "BadNodeIdUnknown"]


@pytest.mark.usefixtures("plugged")
def test_limits_are_lines_of_a_device_section(farm: Farm, capsys: pytest.CaptureFixture[str]) -> None:
    server = farm.start(many=1)
    server.fault("most", {"CreateMonitoredItems": 10})
    assert cli.main(("probe", server.url, CNC + "n0", "--limits", "--reads", "2")) == 0
    keys = yaml.safe_load(capsys.readouterr().out)
    assert keys["limits"] == {"items_per_call": 10}
    assert list(keys) == ["timeout", "publish", "limits"]
