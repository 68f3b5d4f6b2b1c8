"""Tags of every kind of address and type, subscribed to and polled from servers with a model."""

from __future__ import annotations

import pytest

from edge_agent.api import Kind, Reason, bad
from tests.peers.opcua_model import shared_node_model

OURS = "nsu=http://acme.example/model/;s="
PLANT = "/Objects/Plant"
TAGS = {
    "speed": {"node": f"{PLANT}/Speed", "unit": "{rev}/min"},
    "colour": {"node": OURS + "Colour", "names": True},
    "number": {"node": OURS + "Colour"},
    "multi": {"node": f"{PLANT}/Multi", "names": True},
    "line": {"node": f"{PLANT}/Line4*/V7", "each": ["1", "2"]},
    "x": {"node": OURS + "Scan#Location.Local.X"},
    "antenna": {"node": OURS + "Scan#Sighting[1].Antenna"},
    "code": {"node": OURS + "AnyScan#CodeType"},
    "second": {"node": OURS + "Scans#[1].Sighting[0].Strength"},
    "cycles": {"node": OURS + "Optional#Cycles"},
    "lost": {"node": OURS + "Scan#Lost"},
    "whole": {"node": OURS + "Scan"},
    "many": {"node": f"{PLANT}/Line?/V1"},
    "maybe": {"node": f"{PLANT}/Nothing", "optional": True},
}
VALUES = {
    "speed": 1450.0, "colour": "Green", "number": 5.0, "multi": "Open", "line-1": 41.07, "line-2": 42.07, "x": 1.5,
    "antenna": 2.0, "code": "UID", "second": -40.0, "cycles": 3.0,
}  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize("options", [{}, {"poll": "100ms"}], ids=["subscribed", "polled"])
async def test_paths_names_fields_and_elements_arrive_as_values(request, device, options):
    peer = shared_node_model(request.config)
    cnc = device(peer.url, TAGS, **options)
    await cnc.connect()
    wanted = set(cnc.tag) - ({"maybe"} if not options else set())
    got = {}
    for name, value, quality, _ in await cnc.gather(lambda seen: {name for name, *_ in seen} >= wanted):
        got.setdefault(name, (value, quality))
    assert {name: got[name][0] for name in VALUES} == pytest.approx(VALUES)
    assert all(got[name][1] == 0 for name in VALUES)
    kinds = {cnc.tag[name].kind for name in ("colour", "multi", "code")}
    assert kinds == {Kind.TEXT}
    assert got["lost"][1] == got["whole"][1] == bad(Reason.DEVICE)
    assert got["many"][1] == bad(Reason.REFUSED)
    why = {name: " ".join(cnc.driver.why(cnc.tag[name])) for name in ("lost", "whole", "many", "maybe")}
    assert "has no field Lost" in why["lost"]
    assert "name a field with # behind the node" in why["whole"]
    assert "means 10 nodes: /Objects/4:Plant/4:Line0/4:V1" in why["many"]
    assert "which it need not" in why["maybe"]
