"""Fields of structures, as the server describes them: nothing is known beforehand, nor shared between servers."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from asyncua import ua
from asyncua.ua import ua_binary

from edge_agent_opcua.address import parse
from edge_agent_opcua.layout import Layout
from edge_agent_opcua.structure import layouts_of, learn
from edge_agent_opcua.typestore import TypeStore
from tests.peers.opcua_model import OURS, asking, shared_model, shared_node_model

WHEN = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
OFFSET = struct.pack("<dd", 8.5, -9.5)


def field(text):
    return parse(f"i=1#{text}").field if text else ()


class Model:
    """Variables of one server with their layouts."""

    def __init__(self, requests, namespace):
        self.requests, self.namespace = requests, namespace

    async def layout(self, name):
        [layout] = await layouts_of(self.requests, [self._node(name)])
        return layout

    async def value(self, name, text="", layout=None):
        layout = layout or await self.layout(name)
        assert isinstance(layout, Layout), layout
        return layout.value(await self.read(name), field(text))

    async def read(self, name):
        [answer] = await self.requests.attributes([self._node(name)])
        return answer.Value.Value

    async def why(self, name, text=""):
        with pytest.raises(ValueError) as told:
            await self.value(name, text)
        return str(told.value)

    def _node(self, name):
        return name if isinstance(name, ua.NodeId) else ua.NodeId(name, self.namespace)


@pytest.fixture
def peer(pytestconfig):
    return shared_model(pytestconfig)


@pytest.fixture
async def model(peer):
    async with asking(peer) as (requests, _):
        yield Model(requests, 2)


@pytest.fixture
async def node_model(pytestconfig):
    async with asking(shared_node_model(pytestconfig)) as (requests, namespaces):
        yield Model(requests, namespaces.index(OURS))


async def test_every_kind_of_field_is_read(model):
    layout, value = await model.layout("Position"), await model.read("Position")
    expected = {
        "Name": "A1", "Offset.X": 1.5, "Offset.Y": -2.5, "Mode": 7, "Loads": [0.5, 1.5], "Loads[1]": 1.5,
        "Points[2].Y": -2.0, "At": WHEN, "Text": ua.LocalizedText("hallo", "de"), "Count": 60_000, "Unit.UnitId": 5,
        "Unit.DisplayName": ua.LocalizedText("mm"), "Raw": b"\x01\xff", "On": True, "Last": 0.25,
    }  # fmt: skip
    assert {text: layout.value(value, field(text)) for text in expected} == expected
    assert [layout.why_not(field(text)) for text in expected] == [""] * len(expected)
    assert [one.name for one in layout.members()][:3] == ["Name", "Offset", "Mode"]


async def test_a_field_that_is_an_enumeration_has_names(model):
    layout = await model.layout("Position")
    assert layout.names(field("Mode")) == {0: "Idle", 3: "Run", 7: "Fault"}
    assert layout.names(field("Count")) is layout.names(field("Nothing")) is None


async def test_optional_fields_are_there_or_not(model):
    assert [await model.value("Some", one) for one in ("Id", "Factor", "Last")] == [9, 2.5, 200]
    assert [await model.value("None", one) for one in ("Id", "Last")] == [10, 201]
    assert await model.why("None", "Factor") == "Factor is optional, and not in this value"
    assert await model.why("Some", "Sizes") == "Sizes is optional, and not in this value"


async def test_a_union_holds_one_of_its_fields(model):
    assert await model.value("Word", "Word") == "seven"
    assert await model.value("Place", "Offset.Y") == 4.0
    assert await model.why("Word", "Number") == "Number is not what the union holds at present: it holds Word"
    assert await model.why("Nothing", "Word") == "Word is not what the union holds at present: it holds nothing"


async def test_structures_hold_structures_of_their_own_type(model):
    assert await model.value("Tree", "Children[1].Children[0].Value") == 4
    assert await model.value("Tree", "Children[0].Children") == []
    why = await model.why("Tree", "Children[0].Children[0].Value")
    assert why == "Children[0].Children has 0 elements at present, counted from 0"


async def test_an_array_of_structures_is_read_by_element(model):
    assert await model.value("Positions", "[1].Points[1].X") == 1.0
    assert await model.why("Positions", "[2].Name") == "the value has 2 elements at present, counted from 0"
    assert await model.why("Positions", "Name") == "the value is an array of 2; say which element, as in #[0].Name"


async def test_variables_of_abstract_types_are_read_by_what_they_hold(model):
    assert await model.value("Open", "X") == 8.0
    assert await model.value("Anything", "Y") == 7.0
    layout = await model.layout("Open")
    assert layout.why_not(field("Whatever.It[2].Is")) == ""


async def test_structures_of_the_standard_are_read(model):
    assert await model.value("Range", "High") == 2.0
    why = await model.why("Range", "Hihg")
    assert why == "Range has no field Hihg; did you mean High? its fields are Low, High"
    assert await model.value(ua.NodeId(2256), "BuildInfo.ProductUri") == "urn:freeopcua.github.io:python:server"
    assert await model.value(ua.NodeId(2256), "State") == 0
    assert type(await model.value(ua.NodeId(2256), "State")) is int


async def test_types_that_only_a_dictionary_describes_are_read(model):
    layout = await model.layout("Old")
    expected = {"Name": "old", "Inner.X": 1.0, "Loads": [0.5, 1.5], "Inners[1].X": 3.0, "Last": -7}
    assert {text: await model.value("Old", text, layout) for text in expected} == expected


async def test_inherited_fields_come_first(model, peer):
    body = struct.pack("<ii2sd", 5, 2, b"ab", 1.25)
    peer.do("raw", "raw Derived", "ns=2;s=derived encoding", body.hex())
    assert [await model.value("raw Derived", one) for one in "ABC"] == [5, "ab", 1.25]


def holder(encoding, body):
    inner = ua_binary.nodeid_to_binary(ua.NodeId.from_string(encoding)) + b"\1" + struct.pack("<i", len(body)) + body
    return ua_binary.variant_to_binary(ua.Variant(6.5, ua.VariantType.Double)) + inner + struct.pack("<h", -3)


async def test_what_a_field_of_any_type_holds_is_read_by_its_own_type(model, peer):
    body = holder(peer.ask("encoding", "Offset"), OFFSET)
    peer.do("raw", "raw Holder", peer.ask("encoding", "Holder"), body.hex())
    held = [await model.value("raw Holder", one) for one in ("Any", "Inner.X", "Inner.Y", "After")]
    assert held == [6.5, 8.5, -9.5, -3]
    standard = ua_binary.struct_to_binary(ua.Range(1.0, 5.0))
    peer.do("raw", "raw Holder", peer.ask("encoding", "Holder"), holder("i=886", standard).hex())
    assert await model.value("raw Holder", "Inner.High") == 5.0


async def test_a_type_that_comes_up_later_is_learnt_when_it_is_asked_for(model, peer):
    encoding = peer.ask("encoding", "Holder")
    peer.do("raw", "raw Holder", encoding, holder("i=886", ua_binary.struct_to_binary(ua.Range())).hex())
    layout = await model.layout("raw Holder")
    inner = peer.ask("encoding", "Choice")
    peer.do("raw", "raw Holder", encoding, holder(inner, struct.pack("<Id", 1, 2.5)).hex())
    with pytest.raises(ValueError, match="nothing is known yet of the type"):
        await model.value("raw Holder", "Inner.Number", layout)
    assert layout.missed == {ua.NodeId.from_string(inner)}
    assert await model.value("raw Holder", "After", layout) == -3
    assert await learn([layout])
    assert await model.value("raw Holder", "Inner.Number", layout) == 2.5
    assert not await learn([layout])


async def test_a_type_nobody_knows_stops_only_the_field_that_has_it(model, peer):
    peer.do("raw", "raw Holder", peer.ask("encoding", "Holder"), holder("ns=2;s=strange", b"\1\2").hex())
    layout = await model.layout("raw Holder")
    assert await model.value("raw Holder", "After", layout) == -3
    with pytest.raises(ValueError, match="the server does not say which data type ns=2;s=strange encodes"):
        await model.value("raw Holder", "Inner.X", layout)
    assert layout.missed == set()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("Position", "Lost", "Position has no field Lost; did you mean Last? its fields are Name, Offset, Mode,"),
        ("Position", "Offset", "Offset is a structure; name one of its fields: X, Y"),
        ("Position", "", "the value is a structure; name one of its fields: Name, Offset,"),
        ("Position", "Offset.Z", "Offset has no field Z; its fields are X, Y"),
        ("Position", "Points", "Points[0] is a structure; name one of its fields: X, Y"),
        ("Position", "Name.X", "Name is a text and has no field X"),
        ("Position", "Last[0]", "Last is a number, no array; leave out [0]"),
        ("Position", "Loads[2]", "Loads has 2 elements at present, counted from 0"),
        ("Position", "Unit.Sign", "EUInformation has no field Sign; its fields are NamespaceUri,"),
    ],
)
async def test_a_field_that_is_not_there_says_what_is(model, name, text, why):
    assert (await model.why(name, text)).startswith(why)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Lost", "Position has no field Lost; did you mean Last?"),
        ("Offset", "Offset is a structure; name one of its fields: X, Y"),
        ("", "the value is a structure; name one of its fields: Name"),
        ("Name.X", "Name has no fields, so no X"),
        ("Last[0]", "Last is no array; leave out [0]"),
        ("Unit.Sign", "i=887 has no field Sign; its fields are NamespaceUri"),
    ],
)
async def test_a_field_that_no_value_can_have_is_told_by_the_type_alone(model, text, why):
    layout = await model.layout("Position")
    assert layout.why_not(field(text)).startswith(why)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Speed", "its values are no structures but of type Double; leave out the #"),
        ("Mode", "its values are no structures but of type Int32"),
        ("Nowhere", "ns=2;s=Nowhere has no data type: BadNodeIdUnknown"),
        ("raw Bare", "the server describes its data type ns=2;i="),
    ],
)
async def test_a_variable_without_fields_says_why_and_stops_no_other(model, name, why):
    nodes = [ua.NodeId(one, 2) for one in ("Open", name, "Position")]
    first, told, last = await layouts_of(model.requests, nodes)
    assert told.startswith(why)
    assert isinstance(first, Layout)
    assert isinstance(last, Layout)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda body: body[:-1], "the value ends before its type does"),
        (lambda body: body + b"\0", "the value goes on for 1 bytes after its type"),
        (lambda body: b"", "the value ends before its type does"),
        (lambda body: body[:4] + struct.pack("<i", 2**30) + body[8:], "the value ends before its type does"),
    ],
)
async def test_bytes_that_are_not_what_the_type_says_are_no_value(model, peer, change, why):
    body = change(struct.pack("<ii2sd", 5, 2, b"ab", 1.25))
    peer.do("raw", "raw Derived", "ns=2;s=derived encoding", body.hex())
    assert (await model.why("raw Derived", "B")).startswith(why)


async def test_an_empty_structure_has_no_fields(model):
    layout = await model.layout("Position")
    for nothing in (None, ua.ExtensionObject()):
        with pytest.raises(ValueError, match=r"^the value is empty|^the structure is empty: the server has sent none"):
            layout.value(nothing, field("Name"))


async def test_nothing_of_a_server_is_registered_with_the_library(model):
    before = dict(ua.extension_objects_by_typeid)
    await model.value("Position", "Name")
    assert ua.extension_objects_by_typeid == before
    assert not hasattr(ua, "Position")


async def test_many_fields_of_one_value_cost_one_decoding(model, monkeypatch):
    decoded = []
    layout, value = await model.layout("Position"), await model.read("Position")
    original = layout._decoded
    monkeypatch.setattr(layout, "_decoded", lambda one: decoded.append(one) or original(one))
    for text in ("Name", "Offset.X", "Last", "Loads[0]"):
        layout.value(value, field(text))
    assert len(decoded) == 1
    layout.value(await model.read("Position"), field("Name"))
    assert len(decoded) == 2
    assert len(layout._opened) == 1     # and only the last value is kept


async def test_many_variables_of_few_types_cost_few_requests(model):
    nodes = [ua.NodeId(name, 2) for name in ("Position", "Some", "Word", "Tree", "Positions")] * 20
    layouts = await layouts_of(model.requests, nodes)
    assert all(isinstance(one, Layout) for one in layouts)
    assert sum(model.requests.calls.values()) <= 20


async def test_types_known_already_are_not_asked_for_again(model):
    types = TypeStore(model.requests)
    await layouts_of(model.requests, [ua.NodeId("Position", 2)], types)
    model.requests.calls.clear()
    await layouts_of(model.requests, [ua.NodeId("Position", 2)], types)
    assert sum(model.requests.calls.values()) == 2      # the data type of the variable, and its value


@pytest.mark.peer
async def test_scans_of_a_companion_specification_are_read_from_node_opcua(node_model):
    expected = {
        "CodeType": "UID", "ScanData.String": "E200 3412", "Timestamp": WHEN, "Location.Local.Z": 3.5,
        "Location.Local.Timestamp": WHEN, "Sighting[0].Antenna": 1, "Sighting[1].Strength": -55,
    }  # fmt: skip
    for name, before in (("Scan", ""), ("AnyScan", ""), ("Anything", ""), ("Scans", "[1].")):
        layout = await node_model.layout(name)
        got = {text: await node_model.value(name, before + text, layout) for text in expected}
        assert got == expected, name
    why = await node_model.why("Scan", "ScanData.Epc.PC")
    assert why == "ScanData.Epc is not what the union holds at present: it holds String"


@pytest.mark.peer
async def test_optional_fields_of_node_opcua_are_there_or_not(node_model):
    layout = await node_model.layout("Optional")
    held = [await node_model.value("Optional", one, layout) for one in ("Duration", "Cycles", "LocationType")]
    assert held == [1500.0, 3, 2]
    assert layout.names(field("LocationType"))[2] == "WGS84"
    assert await node_model.value(ua.NodeId(2256), "BuildInfo.ProductName") == "NodeOPCUA-Server"
