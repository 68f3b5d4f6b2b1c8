"""A wire whose frames carry no number: RTU and ASCII, on serial lines and over TCP.

An answer is known by unit, function and length (see `frame`). A late one could be taken for that to the next
request of the same unit: that unit is then left alone until what it owes has come, or could not come any more
(`debt`). The others go on. An adapter that repeats what is sent is found out, and its echo passed over.
"""

from __future__ import annotations

from typing import Final

from edge_agent_modbus.debt import Debts
from edge_agent_modbus.frame import find_ascii, find_rtu
from edge_agent_modbus.line import Framing
from edge_agent_modbus.wire import Lost, Pending, Request, Wire

# Longer than the longest RTU frame with its echo; ASCII takes two characters a byte.
_KEPT: Final = 2_048
_LONGEST: Final = 256
# Functions whose answer is never the request itself: an exact copy of the request is an echo.
_READS: Final = (1, 2, 3, 4)


class PlainWire(Wire):
    """See `Wire`. One request at a time; a character takes `character_s` on the line (0: it is not ours)."""

    def __init__(self, framing: Framing, debts: Debts, character_s: float = 0.0, silence_s: float = 0.0) -> None:
        super().__init__(1, silence_s)
        self._find = find_rtu if framing is Framing.RTU else find_ascii
        self._factor = 1 if framing is Framing.RTU else 2
        self._debts = debts
        self._character_s = character_s
        self._is_slow = character_s > 0
        self._echoes = False

    def _begin(self, request: Request) -> tuple[int, bytes]:
        self._buffer = b""
        return 0, request.frame

    def _line_s(self, request: Request) -> float:
        answer = self._factor * ((request.size or _LONGEST) + 4)
        return (len(request.frame) + answer) * self._character_s

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        self._buffer = (self._buffer + data)[-_KEPT:]
        pending = self._pending.get(0)
        if pending is None or pending.future.done():
            self._settle()
            return
        asked = pending.request
        self._pass_over_echo(pending)
        frame = self._find(self._buffer, asked.unit, asked.function, asked.size or None)
        if frame is not None:
            self._buffer = b""
            self._answered(pending, frame.pdu)

    def _pass_over_echo(self, pending: Pending) -> None:
        """One copy of each request; the answer to a write looks the same."""
        asked = pending.request
        if pending.echoed or not self._buffer.startswith(asked.frame):
            return
        if self._echoes or asked.function in _READS:
            self._echoes = pending.echoed = True
            self._buffer = self._buffer[len(asked.frame) :]

    def _overdue(self, pending: Pending) -> None:
        """Nothing of the length expected came. If there is an intact answer of another, that is it."""
        other = self._find(self._buffer, pending.request.unit, pending.request.function)
        if other is not None:
            self._answered(pending, other.pdu)
            return
        if self._buffer:
            foreign = self._find(self._buffer)
            pending.heard, pending.foreign = self._buffer, foreign.unit if foreign else None
            pending.settled += 1        # garbled or not: the answer has come
            self._buffer = b""
        super()._overdue(pending)

    def _left_open(self, pending: Pending, answers: int, timeout_s: float) -> None:
        """A request given up before its time leaves the line busy until then; later answers may come still."""
        if pending.future.cancelled():
            self._not_before = max(self._not_before, pending.deadline)
        if answers > pending.settled:
            self._debts.add(pending.request.unit, answers - pending.settled, timeout_s)

    def _owes(self, unit: int) -> bool:
        return self._debts.owes(unit)

    async def _settled(self) -> None:
        if self._lost:
            raise Lost(self.why_lost)
        await self._debts.settled()

    def _settle(self) -> None:
        """Nobody waits: these bytes may be what a unit owes."""
        for unit in self._debts.units():
            if self._find(self._buffer, unit) is not None:
                self._buffer = b""
                self._dropped()
                self._debts.paid(unit)
                return
