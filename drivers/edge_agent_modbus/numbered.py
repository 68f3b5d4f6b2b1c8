"""A wire whose frames carry a transaction number: TCP, TLS, UDP.

An answer belongs to a request by its number. The number stays the same when a request is repeated, so that
a late answer is an answer, and its repetition is dropped. An answer in the name of another unit is none.
"""

from __future__ import annotations

from edge_agent_modbus.frame import OutOfStep, mbap_end
from edge_agent_modbus.wire import Pending, Request, Wire


class NumberedWire(Wire):
    """See `Wire`."""

    _number = 0

    def _begin(self, request: Request) -> tuple[int, bytes]:
        number = self._number = (self._number + 1) & 0xFFFF
        return number, number.to_bytes(2, "big") + request.frame

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if self._buffer:
            data = self._buffer + data
        while data:
            try:
                end = mbap_end(data)
            except OutOfStep:
                self.close("what arrives is no Modbus; the stream is out of step")
                return
            if not end:
                break
            self._take(data[:end])
            data = data[end:]
        self._buffer = data

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Called by a datagram transport: one whole frame, or nothing to keep."""
        try:
            whole = mbap_end(data) == len(data)
        except OutOfStep:
            whole = False
        if whole:
            self._take(data)
        else:
            self._dropped()

    def _take(self, frame: bytes) -> None:
        pending = self._pending.get(frame[0] << 8 | frame[1])
        if pending is None or pending.future.done():
            self._dropped()
        elif frame[6] != pending.request.unit:
            pending.heard, pending.foreign = frame[7:], frame[6]
        else:
            self._answered(pending, frame[7:])

    def _overdue(self, pending: Pending) -> None:
        """Half a frame that stays half would be glued to the next one: only a fresh connection is in step."""
        super()._overdue(pending)
        mine = self._pending.get(int.from_bytes(self._buffer[:2], "big")) is pending
        if self._buffer and (mine or len(self._pending) == 1):
            self.close("half a frame, and then nothing; the stream is out of step")
