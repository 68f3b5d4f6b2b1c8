"""Who listens at a wire to a Modbus TCP device, and puts requests and answers together as they pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from edge_agent_hil.modbus_frame import SOCKET_HEAD, Request, SocketFraming
from edge_agent_hil.recording import begun
from edge_agent_hil.recording_modbus import Exchange, written
from edge_agent_hil.wire_faults import UP

MOST_ASKED = 64                 # requests a connection may have ahead of their answers; the oldest was silence


class Recorder:
    """Its `hear` is a wire's tap. Each exchange is written as soon as it is over, so nothing waits in memory."""

    def __init__(self, file: Path, target: str, now_us: Callable[[], int]) -> None:
        self.exchanges = self.silences = self.unasked = 0
        self._now_us = now_us
        self._file: TextIO = file.open("w", encoding="utf-8", buffering=1)
        self._began_us: int | None = None
        self._talks: dict[int, Talk] = {}
        self._write(begun("modbus", target, datetime.now(UTC).isoformat(timespec="milliseconds")))

    def hear(self, connection: int, way: str, data: bytes) -> None:
        """What passed; nothing: the connection is over."""
        now = self._now_us()
        if not data:
            self._end(self._talks.pop(connection, None))
            return
        talk = self._talks.setdefault(connection, Talk())
        if way == UP:
            for request in talk.asks(data):
                if self._began_us is None:
                    self._began_us = now
                self._silent(talk.expect(request, now))
            return
        for transaction, unit, pdu in talk.answers(data):
            asked = talk.asked.pop((transaction, unit), None)
            if asked is None:
                self.unasked += 1
                continue
            request, at = asked
            self._exchange(request, at, now - at, pdu)

    def close(self) -> None:
        """Who has not answered by now was silent."""
        while self._talks:
            self._end(self._talks.popitem()[1])
        self._file.close()

    def _end(self, talk: Talk | None) -> None:
        for asked in talk.asked.values() if talk else ():
            self._silent(asked)

    def _silent(self, asked: tuple[Request, int] | None) -> None:
        if asked:
            self.silences += 1
            self._exchange(*asked, 0, b"")

    def _exchange(self, request: Request, at: int, took: int, answer: bytes) -> None:
        self.exchanges += 1
        began = self._began_us or 0
        self._write(written(Exchange(at - began, request.unit, request.pdu, took, answer)))

    def _write(self, said: object) -> None:
        self._file.write(json.dumps(said) + "\n")


class Talk:
    """One connection: bytes of both ways until they are whole, and what was asked."""

    def __init__(self) -> None:
        self.asked: dict[tuple[int, int], tuple[Request, int]] = {}
        self._framing = SocketFraming()
        self._up, self._down = bytearray(), bytearray()

    def asks(self, data: bytes) -> list[Request]:
        """The requests that are whole now."""
        self._up += data
        return list(iter(lambda: self._framing.cut(self._up), None))

    def expect(self, request: Request, now: int) -> tuple[Request, int] | None:
        """An answer is due; what will have none any more because of it."""
        key = request.transaction, request.unit
        lost = self.asked.pop(key, None)        # a number used again: the first was given up
        if lost is None and len(self.asked) >= MOST_ASKED:
            lost = self.asked.pop(next(iter(self.asked)))
        self.asked[key] = request, now
        return lost

    def answers(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Transaction, unit and PDU of what is whole now. Bytes that are no frame are a device's affair: left out."""
        self._down += data
        found = []
        while len(self._down) > SOCKET_HEAD:
            end = SOCKET_HEAD - 1 + int.from_bytes(self._down[4:6], "big")
            if self._down[2:4] != b"\0\0" or not SOCKET_HEAD < end <= SOCKET_HEAD + 253:
                self._down.clear()
                break
            if len(self._down) < end:
                break
            frame = bytes(self._down[:end])
            del self._down[:end]
            found.append((int.from_bytes(frame[:2], "big"), frame[6], frame[SOCKET_HEAD:]))
        return found
