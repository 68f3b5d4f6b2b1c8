"""The rig's own Modbus: frames survive any split and any noise, and no request at all upsets a device."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerAscii, FramerRTU

from edge_agent_hil.misbehave_device import Device
from edge_agent_hil.misbehave_faults import KINDS, Faults, parse_fault
from edge_agent_hil.modbus_frame import AsciiFraming, Framing, Request, RtuFraming, SocketFraming, crc16, lrc, noise

FRAMINGS: list[Framing] = [SocketFraming(), RtuFraming(), AsciiFraming()]
VALUES = {
    "max_registers": "=16", "holes": "=50-59", "late": "=1s", "exception": "=6", "silent_units": "=7",
    "needs_pause": "=20ms", "needs_pause_after_connect": "=20ms", "slow": "=20ms",
}  # fmt: skip
requests = st.one_of(
    st.tuples(st.sampled_from([1, 2, 3, 4, 5, 6]), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(22), st.binary(min_size=6, max_size=6)),
    st.tuples(st.sampled_from([15, 16]), st.binary(max_size=240).map(lambda d: b"\0\1\0\2" + bytes([len(d)]) + d)),
).map(lambda parts: bytes([parts[0]]) + parts[1])


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: type(framing).__name__)
@given(pdus=st.lists(st.tuples(st.integers(0, 255), requests), min_size=1, max_size=4), draw=st.randoms())
def test_requests_come_whole_out_of_any_pieces(
    framing: Framing, pdus: list[tuple[int, bytes]], draw: Random
) -> None:
    wire = b"".join(framing.wrap(n, unit, pdu) for n, (unit, pdu) in enumerate(pdus))
    stream, found = bytearray(), []
    while wire:
        size = draw.randint(1, len(wire))
        stream += wire[:size]
        wire = wire[size:]
        while request := framing.cut(stream):
            found.append((request.unit, request.pdu))
    assert found == pdus
    assert not stream


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: type(framing).__name__)
@given(data=st.binary(max_size=600))
def test_no_bytes_upset_a_framing_or_a_device(framing: Framing, data: bytes) -> None:
    stream = bytearray(data)
    device = Device([1], framing, 1)
    while request := framing.cut(stream):
        device.plan(request, 1.0, 0.0)


@given(
    pdu=st.binary(min_size=1, max_size=253),
    names=st.sets(st.sampled_from(sorted(KINDS))),
    unit=st.sampled_from([0, 1, 7, 9]),
)
def test_no_request_upsets_a_device_whatever_its_faults(pdu: bytes, names: set[str], unit: int) -> None:
    device = Device([1, 7], RtuFraming(), 1)
    device.faults = Faults(parse_fault(name + VALUES.get(name, "")) for name in names)
    plan = device.plan(Request(unit, pdu, 0, b"raw"), 1.0, 0.0)
    assert plan.echo == (b"raw" if "echo" in names else b"")
    if unit in (0, 9) or "deaf" in names:
        assert plan.answer == b""


@given(data=st.binary(max_size=255))
def test_the_checks_are_those_of_another_implementation(data: bytes) -> None:
    assert crc16(data) == FramerRTU.compute_CRC(data).to_bytes(2, "big")
    assert lrc(data)[0] == FramerAscii.compute_LRC(data)


def test_noise_has_nothing_that_begins_a_text_frame() -> None:
    assert b":" not in noise(Random(1), 10_000)
