"""A wire whose frames carry no number: RTU and ASCII, on serial lines and over TCP.

An answer is known by unit, function and length (see `frame`). A late one could be taken for that to the next
request of the same unit: that unit is then left alone until what it owes has come, or could not come any more.
The others go on.
"""

from __future__ import annotations

import asyncio
from typing import Final

from edge_agent_modbus.frame import find_ascii, find_rtu
from edge_agent_modbus.line import Framing
from edge_agent_modbus.wire import Lost, Pending, Request, Wire

# Longer than the longest RTU frame with its echo; ASCII takes two characters a byte.
_KEPT: Final = 2_048


class PlainWire(Wire):
    """See `Wire`. One request at a time."""

    def __init__(self, framing: Framing, silence_s: float = 0.0) -> None:
        super().__init__(1, silence_s)
        self._find = find_rtu if framing is Framing.RTU else find_ascii
        self._owed: dict[int, tuple[int, float]] = {}       # unit → answers it owes, until when
        self._settling: asyncio.Future[None] | None = None

    def _begin(self, request: Request) -> tuple[int, bytes]:
        self._buffer = b""
        return 0, request.frame

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        self._buffer = (self._buffer + data)[-_KEPT:]
        pending = self._pending.get(0)
        if pending is None or pending.future.done():
            self._settle()
            return
        asked = pending.request
        frame = self._find(self._buffer, asked.unit, asked.function, asked.size or None)
        if frame is not None:
            self._buffer = b""
            pending.future.set_result(frame.pdu)

    def _overdue(self, pending: Pending) -> None:
        """Nothing of the length expected came. If there is an intact answer of another, that is it."""
        other = self._find(self._buffer, pending.request.unit, pending.request.function)
        if other is not None:
            pending.future.set_result(other.pdu)
            return
        if self._buffer:
            foreign = self._find(self._buffer)
            pending.heard, pending.foreign = self._buffer, foreign.unit if foreign else None
            self._buffer = b""
        super()._overdue(pending)

    # -- what is owed ------------------------------------------------------------------------

    def _left_open(self, pending: Pending, answers: int, timeout_s: float) -> None:
        """A request given up before its time leaves the line busy until then; later answers may come still."""
        if pending.future.cancelled():
            self._not_before = max(self._not_before, pending.deadline)
        unit, until = pending.request.unit, pending.deadline + timeout_s
        self._owed[unit] = answers, until
        self._loop.call_at(until, self._forgive, unit, until)

    async def _may_ask(self, unit: int) -> None:
        while unit in self._owed:
            if self._lost:
                raise Lost(self.why_lost)
            if self._settling is None:
                self._settling = self._loop.create_future()
            await asyncio.shield(self._settling)

    def _settle(self) -> None:
        """Nobody waits: these bytes may be what a unit owes."""
        for unit, (answers, until) in tuple(self._owed.items()):
            if self._find(self._buffer, unit) is not None:
                self._buffer = b""
                self._dropped()
                if answers > 1:
                    self._owed[unit] = answers - 1, until
                else:
                    self._paid(unit)

    def _forgive(self, unit: int, until: float) -> None:
        if self._owed.get(unit, (0, 0.0))[1] == until:
            self._paid(unit)

    def _paid(self, unit: int) -> None:
        del self._owed[unit]
        if self._settling is not None:
            self._settling.set_result(None)
            self._settling = None

    def _end(self) -> None:
        super()._end()
        for unit in tuple(self._owed):
            self._paid(unit)
