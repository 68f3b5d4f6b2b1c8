"""A Modbus client that hides nothing: bytes out, whatever comes back, and when. For tests of servers."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
import tty
from pathlib import Path

from edge_agent_hil.modbus_frame import crc16, lrc


def read(first: int, count: int, function: int = 3) -> bytes:
    """The PDU of a read."""
    return struct.pack(">BHH", function, first, count)


def mbap(pdu: bytes, unit: int = 1, transaction: int = 1) -> bytes:
    """A TCP frame."""
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def rtu(pdu: bytes, unit: int = 1) -> bytes:
    """A serial frame."""
    frame = bytes([unit]) + pdu
    return frame + crc16(frame)


def ascii_frame(pdu: bytes, unit: int = 1) -> bytes:
    """A serial frame as text."""
    frame = bytes([unit]) + pdu
    return b":" + (frame + lrc(frame)).hex().upper().encode() + b"\r\n"


def values(pdu: bytes) -> list[int]:
    """The registers of an answer."""
    assert pdu[0] in (3, 4) and pdu[1] == len(pdu) - 2, pdu
    return list(struct.unpack(f">{pdu[1] // 2}H", pdu[2:]))


class Wire:
    """A connection; `ask` sends a request in TCP framing and returns the answer's PDU, None for silence."""

    def __init__(self, port: int, kind: int = socket.SOCK_STREAM) -> None:
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.settimeout(5)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        if kind == socket.SOCK_STREAM:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transaction = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def pieces(self, within: float) -> list[tuple[float, bytes]]:
        """What comes within a time, as it comes: (seconds since now, bytes); b"" is the end of the connection."""
        began, found = time.monotonic(), []
        while (left := began + within - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                break
            try:
                data = self.socket.recv(4096)
            except ConnectionResetError:
                data = b""
            found.append((time.monotonic() - began, data))
            if not data:
                break
        return found

    def hear(self, within: float = 0.15) -> bytes:
        """Everything that comes within a time."""
        return b"".join(data for _, data in self.pieces(within))

    def heard(self, quiet: float = 0.06) -> bytes:
        """What comes, if something does within 3 s, until nothing more has come for a while."""
        got = b""
        while select.select([self.socket], [], [], quiet if got else 3.0)[0]:
            if not (data := self.socket.recv(4096)):
                break
            got += data
        return got

    def exactly(self, length: int) -> bytes:
        """That many bytes; fewer if they do not come within 5 s."""
        got = b""
        while len(got) < length and (data := self.socket.recv(length - len(got))):
            got += data
        return got

    def ask(self, pdu: bytes, unit: int = 1, within: float = 5.0) -> bytes | None:
        """A request and the PDU of its answer, whose transaction id and unit are checked."""
        self._transaction += 1
        self.send(mbap(pdu, unit, self._transaction))
        self.socket.settimeout(within)
        try:
            if self.socket.type == socket.SOCK_DGRAM:
                frame = self.socket.recv(300)
            else:
                frame = self.exactly(6)
                frame += self.exactly(int.from_bytes(frame[4:6], "big"))
        except TimeoutError:
            return None
        assert frame[:4] == struct.pack(">HH", self._transaction, 0) and frame[6] == unit, frame
        return frame[7:]


class Port:
    """A serial port, opened raw."""

    def __init__(self, name: str) -> None:
        self._handle = os.open(Path(name).resolve(), os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._handle)

    def __enter__(self) -> Port:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def send(self, data: bytes) -> None:
        os.write(self._handle, data)

    def hear(self, length: int, within: float = 3.0) -> tuple[bytes, float]:
        """Up to that many bytes, and how long the last of them took to come, s."""
        began = last = time.monotonic()
        got = b""
        while len(got) < length and (left := began + within - time.monotonic()) > 0:
            if select.select([self._handle], [], [], left)[0]:
                got += os.read(self._handle, 4096)
                last = time.monotonic()
        return got, last - began
