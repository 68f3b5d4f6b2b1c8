"""What lies on the wire: requests wrapped, and answers found in the bytes that arrive. Pure.

    MBAP    transaction u16, 0 u16, length u16, unit u8, PDU           TCP, TLS, UDP
    RTU     unit u8, PDU, CRC u16 (low byte first)                      serial, and serial over TCP
    ASCII   ':', hex of (unit, PDU, LRC), CR LF                         serial, and serial over TCP

A PDU is a function code and its data. MBAP and RTU numbers are high byte first unless said otherwise.

RTU has no beginning, no length and no number: an answer is known by what was asked. So bytes are
searched for a frame of the unit that was asked, with the function that was asked (or its exception),
of the length that was asked, with the right checksum; noise before, between and behind does no harm,
nor does an adapter that repeats what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pymodbus.framer.ascii import FramerAscii
from pymodbus.framer.rtu import FramerRTU

EXCEPTION: Final = 0x80
_MOST: Final = 254          # unit and PDU in one MBAP frame (Modbus messaging on TCP/IP V1.0b, 4.2)
_EXCEPTION_SIZE: Final = 2
_MEI: Final = 0x2B

# Function codes whose answers have one length, PDU bytes: writes repeat what was asked.
_FIXED: Final = {5: 5, 6: 5, 15: 5, 16: 5, 22: 7}
_COUNTED: Final = (1, 2, 3, 4, 23)      # second byte: how many bytes follow


class Frame(NamedTuple):
    """One answer: the unit that answers, and the PDU."""

    unit: int
    pdu: bytes


class OutOfStep(Exception):
    """What arrives cannot be the beginning of a frame: where the next one begins is not known any more."""


def mbap(unit: int, pdu: bytes) -> bytes:
    """The frame behind its transaction number."""
    return b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes((unit,)) + pdu


def rtu(unit: int, pdu: bytes) -> bytes:
    """The whole frame."""
    body = bytes((unit,)) + pdu
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def ascii_(unit: int, pdu: bytes) -> bytes:
    """The whole frame."""
    body = bytes((unit,)) + pdu
    return b":" + (body + bytes((FramerAscii.compute_LRC(body),))).hex().upper().encode() + b"\r\n"


def mbap_end(data: bytes) -> int:
    """How long the frame at the head of `data` is, 0 if it is not complete; OutOfStep if it is none."""
    if len(data) < 8:
        if len(data) >= 4 and data[2:4] != b"\0\0":
            raise OutOfStep
        return 0
    length = data[4] << 8 | data[5]
    if data[2] or data[3] or not 2 <= length <= _MOST:
        raise OutOfStep
    return 6 + length if len(data) >= 6 + length else 0


def find_rtu(
    data: bytes, unit: int | None = None, function: int | None = None, size: int | None = None
) -> Frame | None:
    """An intact answer somewhere in `data`: of `unit`, to `function`, with a PDU of `size` bytes if it is
    no exception; None stands for any."""
    for start in range(len(data) - 4):
        if unit is not None and data[start] != unit:
            continue
        code = data[start + 1]
        if function is not None and code & ~EXCEPTION != function:
            continue
        length = _length(data, start + 1)
        if length is None or (size is not None and code < EXCEPTION and length != size):
            continue
        end = start + 1 + length
        if end + 2 > len(data):
            continue
        if FramerRTU.compute_CRC(data[start:end]) == data[end] << 8 | data[end + 1]:
            return Frame(data[start], data[start + 1 : end])
    return None


def frames_ascii(data: bytes) -> Iterator[Frame]:
    """The intact frames in `data`."""
    for piece in data.split(b":")[1:]:
        text, end, _ = piece.partition(b"\r\n")
        if not end:
            continue
        try:
            body = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            continue
        if len(body) >= 4 and FramerAscii.compute_LRC(body[:-1]) == body[-1]:
            yield Frame(body[0], body[1:-1])


def find_ascii(
    data: bytes, unit: int | None = None, function: int | None = None, size: int | None = None
) -> Frame | None:
    """As `find_rtu`."""
    for frame in frames_ascii(data):
        code = frame.pdu[0]
        if unit is not None and frame.unit != unit:
            continue
        if function is not None and code & ~EXCEPTION != function:
            continue
        if size is None or code >= EXCEPTION or len(frame.pdu) == size:
            return frame
    return None


def _length(data: bytes, at: int) -> int | None:
    """How long the PDU at `at` is, by its own word; None if it does not say (yet)."""
    code = data[at]
    if code & EXCEPTION:
        return _EXCEPTION_SIZE
    if code in _COUNTED:
        return 2 + data[at + 1]
    if code == _MEI:
        return _mei_length(data, at)
    return _FIXED.get(code)


def _mei_length(data: bytes, at: int) -> int | None:
    """Device identification: seven bytes, then objects of id, length and text."""
    if at + 7 > len(data):
        return None
    end = at + 7
    for _ in range(data[at + 6]):
        if end + 2 > len(data):
            return None
        end += 2 + data[end + 1]
    return end - at
