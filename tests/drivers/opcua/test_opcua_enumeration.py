"""What servers say of variables besides their values: names of numbers, types, access, ranges and units."""

from __future__ import annotations

import pytest
from asyncua import ua

from edge_agent_opcua.enumeration import defined, names_in, names_of
from edge_agent_opcua.limits import Limits, Operation
from edge_agent_opcua.nodefacts import READ, SCALAR, WRITE, facts
from edge_agent_opcua.typetree import TypeTree
from edge_agent_opcua.unit import shown_as, ucum
from tests.peers.opcua_model import OURS, asking, shared_model, shared_node_model


@pytest.fixture
async def model(pytestconfig):
    """Requests to the asyncua server."""
    async with asking(shared_model(pytestconfig)) as (requests, _):
        yield requests


@pytest.fixture
async def node_model(pytestconfig):
    """Requests to the node-opcua server, and the index of our namespace there."""
    async with asking(shared_node_model(pytestconfig)) as (requests, namespaces):
        yield requests, namespaces.index(OURS)


def ours(*names):
    return [ua.NodeId(name, 2) for name in names]


async def test_numbers_have_the_names_that_their_variable_or_their_type_gives_them(model):
    names = await names_of(model, ours("Mode", "Level", "Gear", "Multi", "Valued", "Two"))
    assert names == [
        {0: "Idle", 3: "Run", 7: "Fault"},      # by the DataTypeDefinition, not by what is shown to people
        {0: "Low", 2: "High"},                  # EnumStrings of the type; 1 does not occur
        {-1: "R", 0: "N", 5: "V"},              # EnumValues of the type
        {0: "Closed", 1: "Open"},               # EnumStrings of the variable
        {20: "Twenty"},                         # EnumValues of the variable
        {0: "off", 1: "on"},                    # TrueState and FalseState
    ]


async def test_numbers_without_names_bits_and_missing_nodes_have_none(model):
    assert await names_of(model, ours("Speed", "Bits", "Nowhere", "Position")) == [None] * 4


async def test_the_standards_own_enumerations_have_names_too(model):
    [state] = await names_of(model, [ua.NodeId(2259)])
    assert state[0] == "Running"
    assert state[7] == "Unknown"


async def test_many_variables_of_one_type_cost_a_few_requests(model):
    names = await names_of(model, ours("Mode") * 200)
    assert names == [{0: "Idle", 3: "Run", 7: "Fault"}] * 200
    assert sum(model.calls.values()) <= 5


async def test_a_server_that_takes_one_node_at_a_time_gives_the_same(model):
    model.limits = Limits({Operation.READ: 1, Operation.BROWSE: 1})
    assert (await names_of(model, ours("Mode", "Two")))[1] == {0: "off", 1: "on"}


def test_properties_that_make_no_sense_are_no_names():
    assert names_in({}) is None
    assert names_in({"EnumStrings": []}) is None
    assert names_in({"EnumStrings": "Idle"}) is None
    assert names_in({"EnumStrings": ["", ""]}) is None
    assert names_in({"EnumValues": [1, 2]}) is None
    assert names_in({"EnumStrings": ["Idle", "Run"]}) == {0: "Idle", 1: "Run"}
    assert names_in({"TrueState": ua.LocalizedText("on")}) == {0: "false", 1: "on"}
    assert defined(None) == {}
    assert defined(ua.StructureDefinition()) == {}
    shown = ua.EnumField(Value=4, DisplayName=ua.LocalizedText("Shown"))
    assert defined(ua.EnumDefinition(Fields=[shown])) == {4: "Shown"}


async def test_a_variable_is_described_as_a_whole(model):
    [speed, mode, matrix, scan] = await facts(model, ours("Speed", "Mode", "Matrix", "Position"))
    assert (speed.name, speed.description) == ("Speed", "of the ram")
    assert (speed.data_type, speed.builtin, speed.rank) == (ua.NodeId(11), 11, SCALAR)
    assert (speed.range, speed.unit, speed.unit_shown) == ((0.0, 80.0), "mm/s", "mm/s")
    assert (speed.access & READ, speed.access & WRITE, speed.user_access & READ) == (READ, 0, READ)
    assert speed.names is None
    assert (mode.builtin, mode.names) == (6, {0: "Idle", 3: "Run", 7: "Fault"})
    assert (matrix.rank, matrix.dimensions) == (2, (2, 3))
    assert scan.builtin == 22
    assert speed.is_variable


async def test_what_is_no_variable_stops_no_other(model):
    [nowhere, folder, temp] = await facts(model, [*ours("Nowhere"), ua.NodeId(85), *ours("Temp")])
    assert (nowhere.is_variable, nowhere.status.name) == (False, "BadNodeIdUnknown")
    assert (folder.is_variable, folder.name, folder.builtin) == (False, "Objects", 0)
    assert (temp.is_variable, temp.unit, temp.range) == (True, "", None)


async def test_a_data_type_is_followed_up_to_what_travels_and_asked_about_once(model):
    tree = TypeTree(model)
    pieces, mode, duration = ua.NodeId("type Pieces", 2), ua.NodeId("type Mode", 2), ua.NodeId(290)
    await tree.learn([pieces, mode, duration, ua.NodeId(26), ua.NodeId(29), ua.NodeId("gone", 2), ua.NodeId(), None])
    assert [tree.builtin(one) for one in (pieces, mode, duration, ua.NodeId(26), ua.NodeId(29))] == [5, 6, 11, 24, 6]
    assert [tree.is_enumeration(one) for one in (pieces, mode, ua.NodeId(29))] == [False, True, True]
    assert tree.builtin(ua.NodeId("gone", 2)) == 0
    before = dict(model.nodes)
    await tree.learn([pieces, mode, duration, ua.NodeId("gone", 2)])
    assert model.nodes == before


async def test_types_in_a_circle_end():
    class Circle:
        async def browse(self, nodes, **_):
            up = {ua.NodeId(1, 1): ua.NodeId(2, 1), ua.NodeId(2, 1): ua.NodeId(1, 1)}
            return [
                type("Browsed", (), {"references": [ua.ReferenceDescription(NodeId=up[node])]}) for node in nodes
            ]

    tree = TypeTree(Circle())
    await tree.learn([ua.NodeId(1, 1)])
    assert tree.builtin(ua.NodeId(1, 1)) == 0


@pytest.mark.parametrize(
    ("code", "shown", "unit"),
    [
        ("CEL", "°C", "Cel"), ("KWT", "kW", "kW"), ("KWH", "kW·h", "kW.h"), ("BAR", "bar", "bar"),
        ("MMT", "mm", "mm"), ("RPM", "r/min", "{rev}/min"), ("HTZ", "Hz", "Hz"), ("P1", "%", "%"), ("NU", "N·m", "N.m"),
        ("4K", "mA", "mA"), ("", "kg", "kg"), ("", "°C", "Cel"), ("", "Nm", "N.m"), ("ZZZ", "bar", "bar"),
        ("ZZZ", "furlong", ""), ("", "", ""),
    ],
)  # fmt: skip
def test_units_are_translated_where_they_are_known(code, shown, unit):
    number = int.from_bytes(code.encode(), "big") if code else -1
    information = ua.EUInformation(UnitId=number, DisplayName=ua.LocalizedText(shown))
    assert ucum(information) == unit
    assert shown_as(information) == shown


def test_what_is_no_unit_has_none():
    assert ucum(None) == shown_as(None) == ""
    assert ucum("mm") == ""


@pytest.mark.peer
async def test_node_opcua_says_the_same_in_its_own_way(node_model):
    requests, index = node_model
    nodes = [ua.NodeId(name, index) for name in ("Colour", "Multi", "Speed", "L7V3")]
    assert await names_of(requests, [*nodes, ua.NodeId(2259)]) == [
        {1: "Red", 5: "Green"}, {0: "Closed", 1: "Open"}, None, None,
        dict(enumerate(("Running", "Failed", "NoConfiguration", "Suspended", "Shutdown", "Test", "CommunicationFault",
                        "Unknown"))),
    ]  # fmt: skip
    [colour, multi, speed, plain] = await facts(requests, nodes)
    assert (colour.builtin, colour.names) == (6, {1: "Red", 5: "Green"})
    assert multi.names == {0: "Closed", 1: "Open"}
    assert (speed.range, speed.unit, speed.unit_shown) == ((0.0, 3000.0), "{rev}/min", "rpm")
    assert (plain.builtin, plain.range, plain.unit) == (11, None, "")
