"""Modbus frames as bytes: cut requests from a stream, wrap answers, and spoil them on purpose. Pure.

    socket   transaction id (2), protocol id 0 (2), length of what follows (2), unit (1), PDU
    rtu      unit (1), PDU, CRC-16 (2, low byte first)
    ascii    `:`, unit and PDU and LRC in hexadecimal, CR LF

A PDU is a function code and its data. RTU has no length of its own: a request is as long as its
function code says; the silence between frames is not needed to tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol

SOCKET_HEAD = 7                 # bytes before the PDU
LONGEST_PDU = 253
_FIXED = {1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5, 7: 1, 8: 5, 11: 1, 12: 1, 17: 1, 22: 7, 24: 3, 43: 4}
_COUNTED = {15: 5, 16: 5, 20: 1, 21: 1, 23: 9}        # where the byte count stands in the PDU
GARBLED = ("length", "count", "protocol", "check")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    unit: int
    pdu: bytes
    transaction: int = 0
    """0 on serial framings"""
    raw: bytes = b""

    @property
    def function(self) -> int:
        """The function code."""
        return self.pdu[0]


class Framing(Protocol):
    """One way to put PDUs on a wire."""

    @property
    def serial(self) -> bool:
        """No transaction ids; a unit that is not there is silence."""

    @property
    def spoils(self) -> tuple[str, ...]:
        """The ways `garble` knows; where none is named one of the first two is drawn."""

    def cut(self, stream: bytearray) -> Request | None:
        """Take the next whole request from the front of `stream`; None if there is none yet."""

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        """A whole frame."""

    def garble(self, frame: bytes, how: str) -> bytes:
        """The frame with one thing wrong in it."""


class SocketFraming:
    """TCP, TLS and UDP."""

    serial = False
    spoils = ("length", "count", "protocol")

    def cut(self, stream: bytearray) -> Request | None:
        while len(stream) > SOCKET_HEAD:
            length = int.from_bytes(stream[4:6], "big")
            if stream[2:4] != b"\0\0" or not 2 <= length <= LONGEST_PDU + 1:
                stream.clear()          # whoever sends this does not speak Modbus
                return None
            if len(stream) < SOCKET_HEAD - 1 + length:
                return None
            raw = _take(stream, SOCKET_HEAD - 1 + length)
            return Request(raw[6], raw[7:], int.from_bytes(raw[:2], "big"), raw)
        return None

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        return transaction.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu

    def garble(self, frame: bytes, how: str) -> bytes:
        """`length`: one more than follows; `count`: a wrong byte count of the values; `protocol`: not 0."""
        at, bit = {"length": (5, 0x01), "count": (SOCKET_HEAD + 1, 0x02), "protocol": (3, 0x01)}[how]
        if how == "length":
            return frame[:4] + (int.from_bytes(frame[4:6], "big") + 1).to_bytes(2, "big") + frame[6:]
        return _flip(frame, at, bit)


class RtuFraming:
    """A serial line, or its bytes over TCP."""

    serial = True
    spoils = ("check",)

    def cut(self, stream: bytearray) -> Request | None:
        while stream:
            length = _request_length(stream)
            if length is None and len(stream) < 4:
                return None
            if length is None or length > LONGEST_PDU + 3 or (len(stream) >= length and not _sound(stream, length)):
                if length is None and _sound(stream, len(stream)):      # a function code nobody knows
                    return self._request(_take(stream, len(stream)))
                del stream[0]           # noise: look for a frame one byte on
                continue
            return self._request(_take(stream, length)) if len(stream) >= length else None
        return None

    @staticmethod
    def _request(raw: bytes) -> Request:
        return Request(raw[0], raw[1:-2], 0, raw)

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        frame = bytes([unit]) + pdu
        return frame + crc16(frame)

    def garble(self, frame: bytes, how: str) -> bytes:
        """`check`: one bit of the CRC is wrong."""
        return _flip(frame, len(frame) - 1, 0x01)


class AsciiFraming:
    """Text on a serial line, or over TCP."""

    serial = True
    spoils = ("check",)

    def cut(self, stream: bytearray) -> Request | None:
        while (end := stream.find(b"\r\n")) >= 0:
            line = _take(stream, end + 2)
            start = line.rfind(b":")
            try:
                raw = bytes.fromhex(line[start + 1 : -2].decode("ascii")) if start >= 0 else b""
            except ValueError:
                continue
            if len(raw) >= 3 and sum(raw) % 256 == 0:
                return Request(raw[0], raw[1:-1], 0, line[start:])
        return None

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        frame = bytes([unit]) + pdu
        return b":" + (frame + lrc(frame)).hex().upper().encode() + b"\r\n"

    def garble(self, frame: bytes, how: str) -> bytes:
        """`check`: one digit of the LRC is another."""
        return frame[:-3] + (b"0" if frame[-3:-2] != b"0" else b"1") + frame[-2:]


def crc16(data: bytes | bytearray) -> bytes:
    """The CRC of RTU, as it is sent."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


def lrc(data: bytes) -> bytes:
    """The check byte of ASCII: all bytes and this one add up to 0."""
    return bytes([-sum(data) % 256])


def noise(draw: Random, length: int) -> bytes:
    """Bytes that mean nothing: none begins an ASCII frame."""
    return bytes(draw.choice((*range(1, 0x3A), *range(0x3B, 0x100))) for _ in range(length))


def _request_length(stream: bytearray) -> int | None:
    """Bytes of the RTU request at the front; None: not to be told from its function code, or not yet."""
    if len(stream) < 2:
        return None
    function = stream[1]
    if function in _FIXED:
        return _FIXED[function] + 3
    if function in _COUNTED:
        at = _COUNTED[function]
        return at + 4 + stream[at + 1] if len(stream) > at + 1 else at + 5
    return None


def _sound(stream: bytearray, length: int) -> bool:
    return length >= 4 and crc16(stream[: length - 2]) == stream[length - 2 : length]


def _take(stream: bytearray, length: int) -> bytes:
    taken = bytes(stream[:length])
    del stream[:length]
    return taken


def _flip(frame: bytes, at: int, bits: int) -> bytes:
    at = min(at, len(frame) - 1)
    return frame[:at] + bytes([frame[at] ^ bits]) + frame[at + 1 :]
