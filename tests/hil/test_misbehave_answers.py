"""Faults of what a misbehaving server answers: refusals, wrong answers and none, seen byte by byte over TCP."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from tests.peers.misbehaving import Misbehaving
from tests.peers.raw_modbus import Wire, mbap, read, values

QUIET = 0.12                    # s: nothing in that time is silence, on loopback


@pytest.fixture(scope="module")
def server() -> Iterator[Misbehaving]:
    """One process for the file; every test switches it to its own faults."""
    with Misbehaving(units="1,2,7") as started:
        yield started


@pytest.fixture
def wire(server: Misbehaving) -> Iterator[Wire]:
    with Wire(server.port) as opened:
        yield opened


def test_without_faults_it_is_an_honest_device(server: Misbehaving, wire: Wire) -> None:
    server.switch()
    assert wire.ask(read(5, 3)) == bytes([3, 6, 0, 5, 0, 6, 0, 7])
    assert wire.ask(read(990, 10, 4), unit=7) == bytes([4, 20]) + struct.pack(">10H", *range(10990, 11000))
    assert wire.ask(read(0, 10, 1)) == bytes([1, 2, 0b01001001, 0b10])
    assert wire.ask(read(0, 6, 2)) == bytes([2, 1, 0b100001])
    assert wire.ask(read(999, 2)) == bytes([0x83, 2]), "past the end"
    assert wire.ask(read(0, 126)) == bytes([0x83, 3]), "more than the protocol allows"
    assert wire.ask(bytes([0x41, 1])) == bytes([0xC1, 1]), "a function nobody knows"
    assert wire.ask(bytes([3, 0])) == bytes([0x83, 3]), "a request cut short"
    assert wire.ask(read(0, 1), unit=3) == bytes([0x83, 11]), "no such unit"


def test_it_accepts_every_kind_of_write(server: Misbehaving, wire: Wire) -> None:
    server.switch()
    for pdu in (struct.pack(">BHH", 5, 100, 0xFF00), struct.pack(">BHH", 6, 100, 77)):
        assert wire.ask(pdu) == pdu
    assert wire.ask(struct.pack(">BHHBB", 15, 101, 3, 1, 0b101)) == struct.pack(">BHH", 15, 101, 3)
    assert wire.ask(struct.pack(">BHHBHH", 16, 101, 2, 4, 8, 9)) == struct.pack(">BHH", 16, 101, 2)
    mask = struct.pack(">BHHH", 22, 102, 0x00F2, 0x0025)
    assert wire.ask(mask) == mask
    assert server.values("coil", 100, 4) == [1, 1, 0, 1]
    assert server.values("holding", 100, 3) == [77, 8, 9 & 0xF2 | 0x25 & ~0xF2]
    assert server.values("holding", 100, 3, unit=2) == [100, 101, 102], "units have tables of their own"
    assert wire.ask(struct.pack(">BHH", 5, 0, 1)) == bytes([0x85, 3])


def test_it_says_what_it_is(server: Misbehaving, wire: Wire) -> None:
    server.switch()
    answer = wire.ask(bytes([43, 14, 1, 0])) or b""
    assert answer[:7] == bytes([43, 14, 1, 0x82, 0, 0, 3])
    assert answer[7:] == b"\x00\x0aEdge Agent\x01\x0dHIL-MISBEHAVE\x02\x031.0"
    assert (wire.ask(bytes([43, 14, 4, 1])) or b"")[7:] == b"\x01\x0dHIL-MISBEHAVE"
    assert wire.ask(bytes([43, 14, 4, 99])) == bytes([0xAB, 2])
    assert wire.ask(bytes([43, 13, 1, 0])) == bytes([0xAB, 1])


@pytest.mark.parametrize(("fault", "code"), [("max_registers=16", 3), ("max_registers=16,code=2", 2)])
def test_blocks_over_the_limit_are_refused(server: Misbehaving, wire: Wire, fault: str, code: int) -> None:
    server.switch(fault)
    assert values(wire.ask(read(0, 16)) or b"") == list(range(16))
    assert wire.ask(read(0, 17)) == bytes([0x83, code])
    assert (wire.ask(read(0, 256, 1)) or b"")[0] == 1, "as many bits as 16 registers have"
    assert wire.ask(read(0, 257, 1)) == bytes([0x81, code])
    assert wire.ask(struct.pack(">BHHB34x", 16, 0, 17, 34)) == bytes([0x90, code])


def test_touching_a_hole_is_an_illegal_address(server: Misbehaving, wire: Wire) -> None:
    server.switch("holes=50-59,70")
    for first, count, fine in [(0, 50, True), (49, 2, False), (59, 1, False), (60, 10, True), (60, 11, False)]:
        answer = wire.ask(read(first, count)) or b""
        assert (answer == bytes([0x83, 2])) != fine, (first, count)
    assert wire.ask(struct.pack(">BHH", 6, 70, 1)) == bytes([0x86, 2])
    server.switch("holes=10,fc=4", "holes=20,unit=2")
    assert (wire.ask(read(10, 11)) or b"")[0] == 3
    assert wire.ask(read(10, 1, 4)) == bytes([0x84, 2])
    assert wire.ask(read(20, 1), unit=2) == bytes([0x83, 2])


@pytest.mark.parametrize("code", [1, 4, 5, 6, 10, 11])
def test_exceptions_come_as_often_as_said_and_then_it_is_fine(
    server: Misbehaving, wire: Wire, code: int
) -> None:
    server.switch(f"exception={code},times=2")
    assert [wire.ask(read(0, 1)) for _ in range(3)] == [bytes([0x83, code])] * 2 + [bytes([3, 2, 0, 0])]
    assert server.counters()["shown"] == {"exception": 2}


def test_every_second_request_of_one_unit_can_be_chosen(server: Misbehaving, wire: Wire) -> None:
    server.switch("exception=6,unit=2,every=2")
    assert [(wire.ask(read(0, 1), unit=2) or b"")[0] for _ in range(4)] == [3, 0x83, 3, 0x83]
    assert [(wire.ask(read(0, 1)) or b"")[0] for _ in range(4)] == [3] * 4


def test_an_answer_names_the_wrong_unit(server: Misbehaving, wire: Wire) -> None:
    for fault, unit in (("wrong_unit", 2), ("wrong_unit=7", 7)):
        server.switch(fault)
        wire.send(mbap(read(0, 1), 1, 9))
        assert wire.heard() == mbap(bytes([3, 2, 0, 0]), unit, 9)


def test_fewer_registers_than_asked_come_with_a_fitting_byte_count(server: Misbehaving, wire: Wire) -> None:
    server.switch("short")
    assert values(wire.ask(read(10, 5)) or b"") == [10, 11, 12, 13]
    assert wire.ask(read(0, 17, 1)) == bytes([1, 2, 0b01001001, 0b10010010])
    server.switch("short=3")
    assert values(wire.ask(read(10, 5)) or b"") == [10, 11]
    assert wire.ask(read(999, 2)) == bytes([0x83, 2]), "an exception has nothing to leave out"


def test_on_tcp_the_length_the_count_or_the_protocol_is_garbled(server: Misbehaving, wire: Wire) -> None:
    good = mbap(bytes([3, 4, 0, 0, 0, 1]), 1, 1)
    seen = {}
    for how in ("length", "count", "protocol"):
        server.switch(f"garble={how},times=1")
        wire.send(mbap(read(0, 2), 1, 1))
        seen[how] = wire.heard()
        assert len(seen[how]) == len(good)
        assert [n for n in range(len(good)) if seen[how][n] != good[n]] == [
            {"length": 5, "count": 8, "protocol": 3}[how]
        ]
    server.switch("garble")
    drawn = set()
    for _ in range(12):
        wire.send(mbap(read(0, 2), 1, 1))
        drawn.add(wire.exactly(len(good)))
    assert drawn == {seen["length"], seen["count"]}


def test_some_units_are_silent_and_the_others_are_not(server: Misbehaving, wire: Wire) -> None:
    server.switch("silent_units=7,9")
    wire.send(mbap(read(0, 1), 7))
    assert wire.hear(QUIET) == b""
    assert wire.ask(read(0, 1)) == bytes([3, 2, 0, 0])


def test_a_deaf_server_accepts_and_never_answers(server: Misbehaving, wire: Wire) -> None:
    server.switch("deaf")
    wire.send(mbap(read(0, 1)))
    assert wire.pieces(QUIET) == []
    server.switch()
    assert wire.ask(read(0, 1)) == bytes([3, 2, 0, 0]), "it hears again"


def test_functions_that_a_device_does_not_have_are_illegal(server: Misbehaving, wire: Wire) -> None:
    server.switch("no_fc22", "no_single_write")
    assert wire.ask(struct.pack(">BHHH", 22, 300, 0, 1)) == bytes([0x96, 1])
    assert wire.ask(struct.pack(">BHH", 5, 300, 0xFF00)) == bytes([0x85, 1])
    assert wire.ask(struct.pack(">BHH", 6, 300, 1)) == bytes([0x86, 1])
    assert wire.ask(struct.pack(">BHHBH", 16, 300, 1, 2, 5)) == struct.pack(">BHH", 16, 300, 1)
    assert server.values("holding", 300) == [5]


def test_a_write_is_acknowledged_and_ignored(server: Misbehaving, wire: Wire) -> None:
    server.switch("ignores_writes")
    for pdu in (
        struct.pack(">BHH", 5, 400, 0xFF00),
        struct.pack(">BHH", 6, 400, 1),
        struct.pack(">BHHH", 22, 400, 0, 1),
    ):
        assert wire.ask(pdu) == pdu
    assert wire.ask(struct.pack(">BHHBH", 16, 400, 1, 2, 5)) == struct.pack(">BHH", 16, 400, 1)
    assert wire.ask(read(400, 1)) == struct.pack(">BBH", 3, 2, 400)
    assert server.values("coil", 400) == [0]


def test_every_answer_comes_twice(server: Misbehaving, wire: Wire) -> None:
    server.switch("duplicate")
    wire.send(mbap(read(0, 1), 1, 5))
    assert wire.heard() == 2 * mbap(bytes([3, 2, 0, 0]), 1, 5)


def test_faults_combine(server: Misbehaving, wire: Wire) -> None:
    server.switch("max_registers=16", "holes=50-59", "short,fc=4", "wrong_unit,times=1", "duplicate,fc=4")
    wire.send(mbap(read(0, 4, 4), 1, 3))
    three = bytes([4, 6]) + struct.pack(">3H", 10_000, 10_001, 10_002)
    assert wire.heard() == 2 * mbap(three, 2, 3)
    assert wire.ask(read(40, 17)) == bytes([0x83, 3])
    assert wire.ask(read(40, 16)) == bytes([0x83, 2])
    assert wire.ask(read(34, 16)) is not None
    shown = server.counters()["shown"]
    assert shown == {"max_registers": 1, "holes": 1, "short": 1, "wrong_unit": 1, "duplicate": 1}
