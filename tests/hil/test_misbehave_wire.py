"""Faults of when and how a misbehaving server answers: timing, segments, connections, and what it counts."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.peers.misbehaving import Misbehaving
from tests.peers.raw_modbus import Wire, mbap, read

QUIET = 0.12                    # s: nothing in that time is silence, on loopback
ONE = bytes([3, 2, 0, 1])       # the answer to reading holding 1


@pytest.fixture(scope="module")
def server() -> Iterator[Misbehaving]:
    """One process for the file; every test switches it to its own faults."""
    with Misbehaving(units="1,2") as started:
        yield started


@pytest.fixture
def wire(server: Misbehaving) -> Iterator[Wire]:
    server.switch()
    server.order(drop=True)
    with Wire(server.port) as opened:
        assert opened.ask(read(1, 1)) == ONE
        server.reset()
        yield opened


def test_a_late_answer_has_its_old_transaction_id_and_holds_up_nobody(
    server: Misbehaving, wire: Wire
) -> None:
    server.switch("late=600ms,every=2")
    wire.send(mbap(read(1, 1), 1, 10))
    assert wire.exactly(11) == mbap(ONE, 1, 10), "the first is on time"
    began = time.monotonic()
    wire.send(mbap(read(1, 1), 1, 11))
    assert wire.hear(0.1) == b""
    wire.send(mbap(read(1, 1), 1, 12))
    assert wire.exactly(11) == mbap(ONE, 1, 12)
    assert wire.exactly(11) == mbap(ONE, 1, 11)
    assert time.monotonic() - began >= 0.6


def test_slow_answers_come_one_after_the_other(server: Misbehaving, wire: Wire) -> None:
    server.switch("slow=60ms")
    began = time.monotonic()
    wire.send(b"".join(mbap(read(1, 1), 1, n) for n in range(3)))
    assert wire.exactly(33) == b"".join(mbap(ONE, 1, n) for n in range(3))
    assert time.monotonic() - began >= 0.18
    assert server.counters()["most_in_flight"] == 3


def test_half_a_frame_comes_and_then_nothing_more_on_that_connection(server: Misbehaving, wire: Wire) -> None:
    server.switch("half_frame,times=1")
    wire.send(mbap(read(1, 1), 1, 4))
    assert wire.heard() == mbap(ONE, 1, 4)[:5]
    wire.send(mbap(read(1, 1), 1, 5))
    assert wire.pieces(QUIET) == [], "neither an answer nor the end of the connection"
    with Wire(server.port) as other:
        assert other.ask(read(1, 1)) == ONE


def test_the_connection_ends_after_each_request(server: Misbehaving, wire: Wire) -> None:
    server.switch("close_after_each")
    wire.send(mbap(read(1, 1), 1, 4))
    assert b"".join(data for _, data in wire.pieces(1)) == mbap(ONE, 1, 4)
    assert wire.pieces(0.1)[-1][1] == b"", "it has ended"


def test_deaf_and_closing_hangs_up_without_an_answer(server: Misbehaving, wire: Wire) -> None:
    server.switch("deaf", "close_after_each")
    wire.send(mbap(read(1, 1)))
    [(_, data)] = wire.pieces(1)
    assert data == b""


@pytest.mark.parametrize("way", ["", "=close"])
def test_a_second_connection_is_closed_at_once(server: Misbehaving, wire: Wire, way: str) -> None:
    server.switch(f"one_connection{way}")
    with Wire(server.port) as second:
        assert [data for _, data in second.pieces(1)] == [b""]
    assert wire.ask(read(1, 1)) == ONE
    assert server.counters()["connections"] == {"now": 1, "most": 1, "accepted": 0, "turned_away": 1}


def test_a_second_connection_falls_into_a_black_hole(server: Misbehaving, wire: Wire) -> None:
    server.switch("one_connection=blackhole")
    with Wire(server.port) as second:
        second.send(mbap(read(1, 1)))
        assert second.pieces(QUIET) == []
        assert wire.ask(read(1, 1)) == ONE


def test_a_second_connection_is_refused_until_the_first_has_gone(server: Misbehaving, wire: Wire) -> None:
    server.switch("one_connection=refuse")
    with pytest.raises(ConnectionRefusedError):
        Wire(server.port)
    wire.socket.close()
    end = time.monotonic() + 3
    while True:                 # it listens again a moment after the first has gone
        try:
            with Wire(server.port) as second:
                assert second.ask(read(1, 1)) == ONE
                time.sleep(0.05)
                with pytest.raises(ConnectionRefusedError):
                    Wire(server.port)
                break
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.01)
    server.switch()
    with Wire(server.port) as one, Wire(server.port) as other:
        assert one.ask(read(1, 1)) == other.ask(read(1, 1)) == ONE


def test_a_request_too_soon_after_an_answer_is_not_answered(server: Misbehaving, wire: Wire) -> None:
    server.switch("needs_pause=400ms")
    time.sleep(0.4)
    assert wire.ask(read(1, 1)) == ONE
    wire.send(mbap(read(1, 1)))
    assert wire.hear(0.45) == b""
    assert wire.ask(read(1, 1)) == ONE, "the pause has passed since"


def test_a_request_too_soon_after_connecting_is_not_answered(server: Misbehaving, wire: Wire) -> None:
    server.switch("needs_pause_after_connect=300ms")
    with Wire(server.port) as fresh:
        fresh.send(mbap(read(1, 1)))
        assert fresh.hear(0.5) == b""
        assert fresh.ask(read(1, 1)) == ONE


def test_a_held_answer_comes_in_one_segment_with_the_next(server: Misbehaving, wire: Wire) -> None:
    server.switch("coalesced")
    wire.send(mbap(read(1, 1), 1, 20))
    assert wire.hear(QUIET) == b""
    wire.send(mbap(read(1, 1), 1, 21))
    assert [data for _, data in wire.pieces(0.5)] == [mbap(ONE, 1, 20) + mbap(ONE, 1, 21)]


def test_an_answer_dribbles_byte_by_byte(server: Misbehaving, wire: Wire) -> None:
    server.switch("byte_by_byte=10ms")
    wire.send(mbap(read(1, 1), 1, 4))
    pieces = wire.pieces(0.8)
    assert b"".join(data for _, data in pieces) == mbap(ONE, 1, 4)
    assert len(pieces) >= 4
    assert pieces[-1][0] >= 0.1


def test_it_counts_who_asked_what_with_which_pauses_and_over_how_many_connections(
    server: Misbehaving, wire: Wire
) -> None:
    with Wire(server.port) as other:
        time.sleep(0.2)
        for _ in range(3):
            assert other.ask(read(7, 2), unit=2)
            time.sleep(0.1)
        seen = server.counters()
        assert wire.ask(read(1, 1, 4))
    assert seen["requests"] == {"2": 3}
    assert seen["functions"] == {"3": 3}
    assert (seen["answers"], seen["silences"], seen["most_in_flight"]) == (3, 0, 1)
    assert seen["connections"] == {"now": 2, "most": 2, "accepted": 1, "turned_away": 0}
    assert len(seen["pauses_ms"]) == 2 and all(50 <= pause < 5000 for pause in seen["pauses_ms"])
    assert len(seen["gaps_ms"]) == 2 and all(50 <= gap < 5000 for gap in seen["gaps_ms"])
    [after] = seen["after_connect_ms"]
    assert 50 <= after < 5000
    assert [(one["unit"], one["fc"], one["address"], one["count"]) for one in seen["recent"]] == [(2, 3, 7, 2)] * 3
    assert server.counters()["requests"] == {"2": 3, "1": 1}
    server.reset()
    assert server.counters()["requests"] == {}


def test_requests_of_a_connection_that_has_gone_are_nobodys(server: Misbehaving, wire: Wire) -> None:
    server.switch("late=5s")
    with Wire(server.port) as gone:
        gone.send(mbap(read(1, 1)) * 3)
        time.sleep(0.05)
    server.switch()
    time.sleep(0.05)
    assert wire.ask(read(1, 1)) == ONE
    server.reset()
    assert wire.ask(read(1, 1)) == ONE
    assert server.counters()["most_in_flight"] == 1


def test_every_connection_ends_when_told(server: Misbehaving, wire: Wire) -> None:
    server.order(drop=True)
    assert [data for _, data in wire.pieces(1)] == [b""]
    with Wire(server.port) as again:
        assert again.ask(read(1, 1)) == ONE


def test_bytes_that_are_no_modbus_are_ignored(server: Misbehaving, wire: Wire) -> None:
    wire.send(b"GET / HTTP/1.1\r\n\r\n")
    assert wire.hear(QUIET) == b""
    assert wire.ask(read(1, 1)) == ONE
    frame = mbap(read(1, 1), 1, 9)
    wire.send(frame[:7])
    time.sleep(0.05)
    wire.send(frame[7:])
    assert wire.exactly(11) == mbap(ONE, 1, 9), "a request in two pieces is one"


def test_on_udp_each_datagram_is_a_frame() -> None:
    with (
        Misbehaving("wrong_unit,every=2", face="udp") as udp,
        Wire(udp.port, socket.SOCK_DGRAM) as one,
        Wire(udp.port, socket.SOCK_DGRAM) as other,
    ):
        assert one.ask(read(1, 1)) == ONE
        other.send(mbap(read(1, 1), 1, 30))
        assert other.heard() == mbap(ONE, 2, 30)
        udp.switch("half_frame,times=1")
        one.send(mbap(read(1, 1), 1, 31))
        assert one.heard() == mbap(ONE, 1, 31)[:5]
        one.send(mbap(read(1, 1), 1, 32))
        assert one.heard() == mbap(ONE, 1, 32), "there is no connection that could stall"
