"""Frames wrapped and found again, whatever lies around them; and a wire that no bytes can upset."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.ascii import FramerAscii
from pymodbus.framer.rtu import FramerRTU
from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU

from edge_agent_modbus.debt import Debts
from edge_agent_modbus.frame import ascii_, find_ascii, find_rtu, mbap, mbap_end, rtu
from edge_agent_modbus.line import Framing
from edge_agent_modbus.numbered import NumberedWire
from edge_agent_modbus.plain import PlainWire
from edge_agent_modbus.wire import Lost, NoAnswer, prepare

VALUES = st.binary(min_size=2, max_size=250).filter(lambda data: len(data) % 2 == 0)
UNITS = st.integers(1, 247)


def answer(values: bytes) -> bytes:
    return bytes((3, len(values))) + values


@given(UNITS, VALUES, st.binary(max_size=20), st.binary(max_size=20))
def test_an_rtu_answer_is_found_between_noise(unit: int, values: bytes, before: bytes, behind: bytes) -> None:
    found = find_rtu(before + rtu(unit, answer(values)) + behind, unit, 3, len(values) + 2)
    assert found is not None
    assert (found.unit, found.pdu) == (unit, answer(values))


@given(UNITS, VALUES)
def test_an_answer_of_another_length_is_not_the_one_asked_for(unit: int, values: bytes) -> None:
    late, asked = answer(values + b"\0\1"), answer(values)
    for wrap, find in ((rtu, find_rtu), (ascii_, find_ascii)):
        assert find(wrap(unit, late), unit, 3, len(asked)) is None
        found = find(wrap(unit, late) + wrap(unit, asked), unit, 3, len(asked))
        assert found is not None
        assert found.pdu == asked


@given(UNITS, VALUES, st.binary(max_size=20))
def test_an_ascii_answer_is_found_between_noise(unit: int, values: bytes, noise: bytes) -> None:
    found = find_ascii(noise.replace(b":", b"") + ascii_(unit, answer(values)) + b":" + noise, unit, 3, len(values) + 2)
    assert found is not None
    assert found.pdu == answer(values)


@given(UNITS, VALUES, st.integers(0, 2_000), st.integers(1, 255))
def test_an_answer_with_one_byte_changed_is_none(unit: int, values: bytes, at: int, by: int) -> None:
    frame = bytearray(rtu(unit, answer(values)))
    frame[at % len(frame)] ^= by
    assert find_rtu(bytes(frame), unit, 3, len(values) + 2) is None


@given(UNITS, VALUES)
def test_frames_are_those_of_pymodbus(unit: int, values: bytes) -> None:
    pdu = answer(values)
    assert rtu(unit, pdu) == FramerRTU(DecodePDU(False)).encode(pdu, unit, 0)
    assert ascii_(unit, pdu) == FramerAscii(DecodePDU(False)).encode(pdu, unit, 0)
    whole = FramerSocket(DecodePDU(False)).encode(pdu, unit, 0x1234)
    assert b"\x12\x34" + mbap(unit, pdu) == whole
    assert mbap_end(whole + b"rest") == len(whole)
    assert all(mbap_end(whole[:n]) == 0 for n in range(len(whole)))


@given(st.lists(st.binary(max_size=300), max_size=8), st.sampled_from(list(Framing)))
def test_no_bytes_upset_a_wire(pieces: list[bytes], framing: Framing) -> None:
    async def hear() -> None:
        wire = NumberedWire() if framing is Framing.MBAP else PlainWire(framing, Debts())
        wire.connection_made(Nowhere())
        request = prepare(framing, 1, b"\3\0\0\0\1", 4)
        asking = asyncio.ensure_future(wire.ask(request, 0.001))
        await asyncio.sleep(0)
        for piece in pieces:
            wire.data_received(piece)
        with pytest.raises((Lost, NoAnswer)):
            # with luck a frame of noise is an answer: then there is nothing to raise
            if len(await asking) >= 0:
                raise Lost
        wire.close()

    asyncio.run(hear())


class Nowhere(asyncio.Transport):
    def write(self, data: Any) -> None:
        pass

    def close(self) -> None:
        pass
