"""Writing variables and calling methods of a real server: what may be, what it becomes, what is said if it does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from edge_agent.api import Kind, Reason, Refused, WritableSession, bad
from edge_agent_opcua import plugin
from tests.drivers.opcua.conftest import PEERS, Device, Peer
from tests.peers.waiting import free_port

CNC = "nsu=http://acme.example/cnc/;s="
ANY = {"write": {"min": -1e20, "max": 1e20}}


@pytest.fixture(scope="module")
def plc() -> Iterator[Peer]:
    port = free_port()
    peer = Peer([sys.executable, str(PEERS / "opcua_writable_server.py"), str(port)], port)
    yield peer
    peer.kill()


async def opened(make, plc, **tags) -> tuple[Device, WritableSession]:
    cnc = make(plc.url, {name: {**ANY, **tag} for name, tag in tags.items()})
    session = await cnc.connect()
    assert isinstance(session, WritableSession)
    return cnc, session


@pytest.mark.parametrize(
    ("name", "raw", "kind"),
    [
        ("Boolean", True, Kind.BOOL), ("SByte", -128, Kind.INT), ("Byte", 255, Kind.INT), ("Int16", -300, Kind.INT),
        ("UInt16", 65_535, Kind.INT), ("Int32", -70_000, Kind.INT), ("UInt32", 4_000_000_000, Kind.INT),
        ("Int64", -(2**40), Kind.INT), ("UInt64", 2**63 + 5, Kind.INT), ("Float", 23.4, Kind.FLOAT),
        ("Double", 23.4, Kind.FLOAT), ("String", "A100", Kind.TEXT), ("Text", "Ü1", Kind.TEXT), ("Any", 12, Kind.FLOAT),
    ],
)  # fmt: skip
async def test_a_value_of_each_type_is_written_and_read_back(plc, device, name, raw, kind):
    cnc, session = await opened(device, plc, it={"node": CNC + name})
    assert cnc.tag["it"].kind is kind
    held = await session.write(cnc.tag["it"], raw, 0)
    assert held == (pytest.approx(raw, rel=1e-6) if name == "Float" else raw)
    assert plc.ask("value", name) == (pytest.approx(raw, rel=1e-6) if name == "Float" else raw)


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("Byte", 256, "does not fit a Byte; from 0 to 255"),
        ("Int16", 12.5, "12.5 is no whole number, and the variable is a Int16"),
        ("Boolean", 2, "is not true or false"),
        ("String", 5.0, "is no text"),
        ("Double", "fast", "is no number"),
        ("Float", 1e300, "does not fit a Float"),
    ],
)
async def test_what_does_not_fit_is_not_sent(plc, device, name, raw, words):
    cnc, session = await opened(device, plc, it={"node": CNC + name})
    before = plc.ask("value", name)
    with pytest.raises(Refused, match=words) as caught:
        await session.write(cnc.tag["it"], raw, 0)
    assert not caught.value.sent
    assert plc.ask("value", name) == before


async def test_a_server_without_index_ranges_is_read_all_the_same_but_its_arrays_are_not_overwritten(plc, device):
    third = {"node": CNC + "Array", "index": 2}
    cnc, session = await opened(device, plc, it=third, past={"node": CNC + "Array", "index": 4})
    got = await cnc.first()
    assert got["it"][0] == 3.0
    assert got["past"][1] == bad(Reason.DEVICE)
    assert "the array has 4 elements, and no index 4" in cnc.driver.why(cnc.tag["past"])[0]
    with pytest.raises(Refused, match="would overwrite the whole array") as caught:
        await session.write(cnc.tag["it"], 30.5, 0)
    assert not caught.value.sent
    assert plc.ask("value", "Array") == [1.0, 2.0, 3.0, 4.0]


async def test_a_name_of_an_enumeration_is_written_as_its_number(plc, device):
    names = {"node": CNC + "Mode", "names": True, "write": {"values": ["Manual", "Automatic"]}}
    cnc, session = await opened(device, plc, mode=names)
    assert (await cnc.values())["mode"] in ("Manual", "Automatic")
    assert await session.write(cnc.tag["mode"], "Automatic", 0) == "Automatic"
    assert plc.ask("value", "Mode") == 1
    with pytest.raises(Refused, match=r"'Turbo' is no name of .*Mode; there are Automatic, Manual"):
        await session.write(cnc.tag["mode"], "Turbo", 0)


async def test_a_server_that_refuses_or_holds_something_else_is_told(plc, device):
    cnc, session = await opened(
        device, plc, fixed={"node": CNC + "ReadOnly"}, own={"node": CNC + "Stubborn"}, gone={"node": CNC + "Gone"}
    )
    with pytest.raises(Refused, match=r"the server refuses to write .*ReadOnly: Bad"):
        await session.write(cnc.tag["fixed"], 6, 0)
    with pytest.raises(Refused, match="written 9, but the server holds 7") as caught:
        await session.write(cnc.tag["own"], 9, 0)
    assert caught.value.sent
    with pytest.raises(Refused, match="BadNodeIdUnknown") as caught:
        await session.write(cnc.tag["gone"], 6, 0)
    assert not caught.value.sent


async def test_what_is_written_comes_back_by_the_subscription(plc, device):
    cnc, session = await opened(device, plc, speed={"node": CNC + "Speed"})
    await cnc.first()
    await session.write(cnc.tag["speed"], 55.5, 0)
    assert (await cnc.changes("speed"))[0][0] == 55.5


async def test_methods_are_called_with_the_value_of_the_command(plc, device):
    press = CNC + "Press"
    cnc, session = await opened(
        device, plc,
        reset={"node": press, "method": "Reset", "write": {"values": [True]}},
        speed={"node": press, "method": "SetSpeed"},
        load={"node": press, "method": CNC + "Load", "arguments": ["A100", "value"]},
    )  # fmt: skip
    kinds = {name: tag.kind for name, tag in cnc.tag.items()}
    assert kinds == {"reset": Kind.BOOL, "speed": Kind.FLOAT, "load": Kind.INT}
    assert await session.write(cnc.tag["reset"], True, 0) is True
    assert await session.write(cnc.tag["speed"], 80.0, 0) == 40.0
    assert await session.write(cnc.tag["load"], 12, 0) == 12
    assert plc.ask("calls")[-3:] == [["Reset"], ["SetSpeed", 80.0], ["Load", "A100", 12]]


async def test_a_method_that_fails_or_is_not_there_is_told(plc, device):
    press = CNC + "Press"
    cnc, session = await opened(
        device, plc,
        jam={"node": press, "method": "Jam", "write": {"values": [True]}},
        none={"node": press, "method": "Rest", "write": {"values": [True]}},
        few={"node": press, "method": "Load"},
    )  # fmt: skip
    with pytest.raises(Refused, match="the server refuses to call Jam: BadInvalidState") as caught:
        await session.write(cnc.tag["jam"], True, 0)
    assert caught.value.sent
    with pytest.raises(Refused, match=r"the method Rest cannot be called: .*Reset"):
        await session.write(cnc.tag["none"], True, 0)
    with pytest.raises(Refused, match="takes 2 arguments, not 1; name all of them in arguments:"):
        await session.write(cnc.tag["few"], 5, 0)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ({"node": "i=1", "write": {"min": 1}}, "needs both min and max, or values"),
        ({"node": "i=1", "write": {"min": 5, "max": 1}}, "1 is less than min: 5"),
        ({"node": "i=1", "write": {"values": []}}, "lists nothing"),
        ({"node": "i=1", "write": {"values": [1], "max": 3}}, "values already says which"),
        ({"node": "i=1#Field", "write": {"values": [1]}}, "a field of a structure cannot be written"),
        ({"node": "i=1", "names": True, "write": {"min": 0, "max": 1}}, "needs values: the names"),
        ({"node": "i=1", "method": "Reset"}, "is never called without write:"),
        ({"node": "i=1", "method": "Reset", "sample": "1s", "write": {"values": [1]}}, "has no meaning for a method"),
        ({"node": "i=1", "arguments": [1]}, "belong to a method"),
        ({"node": "i=1", "method": "R", "arguments": ["value", "value"], "write": {"values": [1]}}, "value twice"),
    ],
)
def test_a_mistake_in_what_may_be_written_shows_before_anything_starts(tag, words):
    device = {"driver": "opcua", "url": "opc.tcp://10.0.0.7", "tags": {"t": tag}}
    with pytest.raises(ValidationError, match=words):
        plugin.config.model_validate(device)
