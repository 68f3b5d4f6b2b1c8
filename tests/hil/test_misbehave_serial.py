"""A misbehaving server on serial lines and their bytes over TCP, and the lines themselves: framing, noise, speed."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.misbehaving import Misbehaving
from tests.peers.raw_modbus import Port, Wire, ascii_frame, read, rtu
from tests.peers.serial_pair import SerialPair, SocatPair

QUIET = 0.12                    # s: nothing in that time is silence
ONE = bytes([3, 2, 0, 1])       # the answer to reading holding 1


@pytest.fixture(scope="module")
def over_tcp() -> Iterator[Misbehaving]:
    """RTU over TCP."""
    with Misbehaving(face="rtuovertcp", units="1,2") as started:
        yield started


@pytest.fixture
def wire(over_tcp: Misbehaving) -> Iterator[Wire]:
    over_tcp.switch()
    with Wire(over_tcp.port) as opened:
        yield opened


def test_rtu_over_tcp_is_the_serial_frame(over_tcp: Misbehaving, wire: Wire) -> None:
    wire.send(rtu(read(1, 1)))
    assert wire.heard() == rtu(ONE)
    wire.send(rtu(struct.pack(">BHHBHH", 16, 20, 2, 4, 8, 9), 2))
    assert wire.heard() == rtu(struct.pack(">BHH", 16, 20, 2), 2)
    wire.send(rtu(struct.pack(">BHHH", 22, 20, 0, 7), 2) + rtu(bytes([43, 14, 4, 2])))
    said = struct.pack(">BHHH", 22, 20, 0, 7)
    assert wire.heard() == rtu(said, 2) + rtu(bytes([43, 14, 4, 0x82, 0, 0, 1]) + b"\x02\x031.0")
    assert over_tcp.values("holding", 20, 2, unit=2) == [7, 9]
    wire.send(rtu(bytes([0x41, 1, 2])))
    assert wire.heard() == rtu(bytes([0xC1, 1])), "a function nobody knows"


def test_a_unit_that_is_not_on_the_line_is_silent_and_everyone_obeys_a_broadcast(
    over_tcp: Misbehaving, wire: Wire
) -> None:
    wire.send(rtu(read(1, 1), 9))
    assert wire.hear(QUIET) == b""
    wire.send(rtu(struct.pack(">BHH", 6, 30, 5), 0))
    assert wire.hear(QUIET) == b""
    assert [over_tcp.values("holding", 30, unit=unit) for unit in (1, 2)] == [[5], [5]]


def test_a_request_is_found_behind_noise_and_one_with_a_wrong_crc_is_not_answered(wire: Wire) -> None:
    wire.send(b"\xfe\x41\x07" + rtu(read(1, 1)))
    assert wire.heard() == rtu(ONE)
    broken = bytearray(rtu(read(1, 1)))
    broken[-1] ^= 1
    wire.send(bytes(broken))
    assert wire.hear(0.25) == b""
    wire.send(rtu(read(1, 1)))
    assert wire.heard() == rtu(ONE)


def test_the_crc_is_garbled(over_tcp: Misbehaving, wire: Wire) -> None:
    over_tcp.switch("garble,every=2")
    answers = []
    for _ in range(4):
        wire.send(rtu(read(1, 1)))
        answers.append(wire.exactly(7))
    assert answers[0] == answers[2] == rtu(ONE)
    assert answers[1] == answers[3] != rtu(ONE)
    assert answers[1][:5] == rtu(ONE)[:5], "only the CRC"


def test_noise_comes_before_the_frame_and_the_same_seed_makes_the_same_noise() -> None:
    heard = []
    for seed in (1, 1, 2):
        with Misbehaving("junk=5", face="rtuovertcp", seed=seed) as server, Wire(server.port) as line:
            line.send(rtu(read(1, 1)))
            heard.append(line.exactly(12))
    assert all(data[5:] == rtu(ONE) for data in heard)
    assert heard[0] == heard[1] != heard[2]


def test_the_request_is_echoed_before_its_answer_even_by_the_silent(over_tcp: Misbehaving, wire: Wire) -> None:
    over_tcp.switch("echo", "slow=80ms", "silent_units=2")
    wire.send(rtu(read(1, 1)))
    (first, echo), *_, (last, _) = wire.pieces(0.6)
    assert echo == rtu(read(1, 1))
    assert last - first >= 0.07
    wire.send(rtu(read(1, 1), 2))
    assert wire.heard() == rtu(read(1, 1), 2)


def test_ascii_over_tcp_is_text_with_an_lrc() -> None:
    with Misbehaving(face="asciiovertcp") as server, Wire(server.port) as line:
        line.send(ascii_frame(read(1, 1)))
        assert line.heard() == ascii_frame(ONE) == b":0103020001F9\r\n"
        line.send(b"noise:12" + ascii_frame(read(1, 1)).lower())
        assert line.heard() == ascii_frame(ONE), "a colon begins anew"
        server.switch("garble")
        line.send(ascii_frame(read(1, 1)))
        assert line.heard() == b":0103020001F0\r\n"
        server.switch("junk=4", "half_frame,times=1")
        line.send(ascii_frame(read(1, 1)))
        assert len(line.heard()) == (4 + 15) // 2


@pytest.mark.peer
def test_it_answers_on_a_serial_device_and_a_half_frame_does_not_stall_the_line(tmp_path: Path) -> None:
    with (
        SocatPair(tmp_path) as pair,
        Misbehaving("half_frame,times=1", face="serial", device=pair.a, units="1,7") as server,
        Port(pair.b) as port,
    ):
        assert server.ready["device"] == pair.a
        port.send(rtu(read(1, 1)))
        assert port.hear(3)[0] == rtu(ONE)[:3]
        assert port.hear(1, QUIET)[0] == b""
        for unit in (1, 7):
            port.send(rtu(read(1, 1), unit))
            assert port.hear(7)[0] == rtu(ONE, unit)
        server.switch("duplicate")
        port.send(rtu(read(1, 1)))
        assert port.hear(14)[0] == 2 * rtu(ONE)
        assert server.counters()["requests"] == {"1": 3, "7": 1}


def test_text_frames_cross_a_slow_line_whole(tmp_path: Path) -> None:
    with (
        SerialPair(tmp_path, 9600) as pair,
        Misbehaving(face="asciiserial", device=pair.a, baud=9600),
        Port(pair.b) as port,
    ):
        port.send(ascii_frame(read(1, 1)))
        answer, took = port.hear(15)
        assert answer == ascii_frame(ONE)
        assert took >= (17 + 15) * 10 / 9600


@pytest.mark.parametrize(("baud", "bits"), [(19200, 10), (9600, 11)])
def test_125_registers_take_as_long_as_the_line_needs(tmp_path: Path, baud: int, bits: int) -> None:
    with (
        SerialPair(tmp_path, baud, bits) as pair,
        Misbehaving(face="serial", device=pair.a, baud=baud),
        Port(pair.b) as port,
    ):
        port.send(rtu(read(0, 125)))
        answer, took = port.hear(255)
    assert answer == rtu(bytes([3, 250]) + struct.pack(">125H", *range(125)))
    least = (8 + 255) * bits / baud
    assert least <= took < least + 0.6
    assert least > 0.13


def test_the_two_directions_of_a_line_do_not_slow_each_other(tmp_path: Path) -> None:
    with SerialPair(tmp_path, 19200) as pair, Port(pair.a) as one, Port(pair.b) as other:
        began = time.monotonic()
        one.send(bytes(960))
        other.send(bytes(960))
        assert len(one.hear(960)[0]) == len(other.hear(960)[0]) == 960
        assert 0.5 <= time.monotonic() - began < 0.95, "each takes half a second"


def test_a_serial_device_that_is_pulled_out_ends_the_server_and_comes_back_under_its_name(
    tmp_path: Path,
) -> None:
    with SerialPair(tmp_path, 19200) as pair:
        with Misbehaving(face="serial", device=pair.a) as server:
            pair.kill()
            assert not Path(pair.b).exists()
            assert server.wait() == 1
        pair.start()
        with Misbehaving(face="serial", device=pair.a), Port(pair.b) as port:
            port.send(rtu(read(1, 1)))
            assert port.hear(7)[0] == rtu(ONE)
