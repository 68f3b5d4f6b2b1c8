"""One connection: who may ask next, which bytes answer whom, and what comes too late.

One request at a time unless `in_flight` allows more, in the order in which they were made: devices that
share a line take turns request by request, however much each of them wants.

An answer belongs to a request by its transaction number (MBAP), and by unit, function and length (RTU,
ASCII: see `frame`). What belongs to none is counted and dropped. A number stays the same when a request
is repeated, so that a late answer is an answer, and its repetition is dropped. Without numbers a late
answer could be taken for that to the next request of the same unit: that unit is then left alone until
what it owes has come, or could not come any more. The others go on.

A connection lives until the peer ends it, `close` is called, or nothing that arrives makes sense any more;
then whoever waits gets `Lost`, and `on_loss` is called once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from edge_agent_modbus.frame import OutOfStep, ascii_, find_ascii, find_rtu, mbap, next_mbap, rtu
from edge_agent_modbus.line import Framing

# Longer than the longest RTU frame with its echo; ASCII takes two characters a byte.
_KEPT: Final = 2_048
# So many answers in a row that nobody asked for: the peer counts in another way, and only a fresh
# connection helps.
_STRAY: Final = 20
# What Modbus over serial line V1.02, 2.5.1.1 wants between frames above 19200 baud; below, 3.5 characters.
_SILENCE_S: Final = 0.00175

_WRAP: Final = {Framing.MBAP: mbap, Framing.RTU: rtu, Framing.ASCII: ascii_}


class Lost(Exception):
    """The connection is gone; the request may have arrived or not."""


class NoAnswer(Exception):
    """Nothing that answers the request came in time; `heard` is what came instead."""

    def __init__(self, heard: bytes, foreign: int | None) -> None:
        super().__init__()
        self.heard = heard
        self.foreign = foreign


@dataclass(frozen=True, slots=True)
class Request:
    """A prepared request: `frame` is what is sent (behind the transaction number, if there is one), `size`
    the length of the answer's PDU, 0 if that is not known before."""

    unit: int
    function: int
    size: int
    frame: bytes


def prepare(framing: Framing, unit: int, pdu: bytes, size: int) -> Request:
    """The request `pdu` to `unit`, to be answered by a PDU of `size` bytes."""
    return Request(unit, pdu[0], size, _WRAP[framing](unit, pdu))


class _Pending:
    __slots__ = ("deadline", "foreign", "future", "heard", "request")

    def __init__(self, request: Request, future: asyncio.Future[bytes], deadline: float) -> None:
        self.request = request
        self.future = future
        self.deadline = deadline
        self.heard = b""
        self.foreign: int | None = None     # the unit that has answered instead


class Wire(asyncio.DatagramProtocol, asyncio.Protocol):
    """A connection for frames of `framing`; `silence_s` is kept between an answer and the next request."""

    def __init__(self, framing: Framing, in_flight: int = 1, silence_s: float = 0.0) -> None:
        self.late = 0
        """answers that came when nobody waited for them any more"""
        self.answers = 0
        """answers that were waited for"""
        self.why_lost = "connection lost"
        self._framing = framing
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._watchers: list[Callable[[], None]] = []
        self._free = in_flight
        self._queue: deque[asyncio.Future[None]] = deque()
        self._number = 0
        self._pending: dict[int, _Pending] = {}
        self._buffer = b""
        self._stray = 0
        self._silence_s = silence_s
        self._not_before = 0.0
        self._owed: dict[int, tuple[int, float]] = {}       # unit → answers it owes, until when
        self._settling: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lost = False

    # -- life --------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it stands, as far as one can know without asking."""
        return self._transport is not None and not self._lost

    def watch(self, on_loss: Callable[[], None]) -> Callable[[], None]:
        """Have `on_loss` called when the connection is lost; returns how to stop that."""
        self._watchers.append(on_loss)
        return lambda: self._watchers.remove(on_loss) if on_loss in self._watchers else None

    def quiet_for(self, seconds: float) -> None:
        """Ask nothing for so long: some devices want a pause after the connection was made."""
        self._not_before = self._loop.time() + seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the transport."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport."""
        if exc is not None and not self._lost:
            self.why_lost = f"connection lost ({getattr(exc, 'strerror', None) or exc})"
        self._end()

    def error_received(self, exc: Exception) -> None:
        """Called by a datagram transport: nobody listens there."""
        self.connection_lost(exc)

    def close(self, why: str = "closed") -> None:
        """End it; requests under way fail at once with `Lost`."""
        if not self._lost:
            self.why_lost = why
        self._end()

    def _end(self) -> None:
        if self._lost:
            return
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
        for pending in self._pending.values():
            _fail(pending.future, Lost(self.why_lost))
        for waiter in self._queue:
            _fail(waiter, Lost(self.why_lost))
        self._queue.clear()
        self._tell_settled()
        for watcher in tuple(self._watchers):
            watcher()

    # -- asking ------------------------------------------------------------------------------

    async def ask(self, request: Request, timeout_s: float, tries: int = 1, pause_s: float = 0.0) -> bytes:
        """The PDU that answers `request`, of a length that need not be the one expected.

        Sent up to `tries` times, each waited for `timeout_s`. Afterwards the line is left alone for
        `pause_s`. `NoAnswer`, `Lost`. Safe to cancel.
        """
        while request.unit in self._owed:
            await self._settled()
        if self._free and not self._queue:
            self._free -= 1
        else:
            await self._turn()
        try:
            if self._not_before > self._loop.time():
                await asyncio.sleep(self._not_before - self._loop.time())
            return await self._exchange(request, timeout_s, tries)
        finally:
            rest = max(pause_s, self._silence_s)
            if rest:
                self._not_before = max(self._not_before, self._loop.time() + rest)
            self._pass_on()

    async def _exchange(self, request: Request, timeout_s: float, tries: int) -> bytes:
        numbered = self._framing is Framing.MBAP
        number = self._number = (self._number + 1) & 0xFFFF if numbered else 0
        frame = number.to_bytes(2, "big") + request.frame if numbered else request.frame
        pending = _Pending(request, None, 0.0)  # type: ignore[arg-type]    # set below, before anyone looks
        sent = 0
        try:
            for _ in range(tries):
                if self._lost:
                    raise Lost(self.why_lost)
                if not numbered:
                    self._buffer = b""
                pending.future = self._loop.create_future()
                pending.deadline = self._loop.time() + timeout_s
                self._pending[number] = pending
                self._send(frame)
                sent += 1
                self._watch_over(pending.deadline)
                try:
                    answer = await pending.future
                except TimeoutError:
                    continue
                sent -= 1
                return answer
            raise NoAnswer(pending.heard, pending.foreign)
        finally:
            self._pending.pop(number, None)
            if sent and not numbered and not self._lost:
                if pending.future.cancelled():      # the device is still at it, and the line not free before
                    self._not_before = max(self._not_before, pending.deadline)
                self._owe(request.unit, sent, pending.deadline + timeout_s)

    def _send(self, frame: bytes) -> None:
        if hasattr(self._transport, "sendto"):
            self._transport.sendto(frame)
        else:
            self._transport.write(frame)

    async def _turn(self) -> None:
        """Wait until it is our turn; the one before has left us its place."""
        if self._lost:
            raise Lost(self.why_lost)
        waiter = self._loop.create_future()
        self._queue.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on()
            elif waiter in self._queue:
                self._queue.remove(waiter)
            raise

    def _pass_on(self) -> None:
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    # -- time --------------------------------------------------------------------------------

    def _watch_over(self, deadline: float) -> None:
        """One timer watches over all requests; it looks again only when a deadline has passed."""
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._look)
        elif self._timer.when() > deadline:
            self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        waiting = []
        for pending in self._pending.values():
            if pending.future.done():
                continue
            if pending.deadline <= now:
                self._overdue(pending)
            else:
                waiting.append(pending.deadline)
        if waiting:
            self._watch_over(min(waiting))

    def _overdue(self, pending: _Pending) -> None:
        """Nothing of the length expected came. If there is an intact answer of another, that is it."""
        if self._framing is not Framing.MBAP:
            find = find_rtu if self._framing is Framing.RTU else find_ascii
            other = find(self._buffer, pending.request.unit, pending.request.function)
            if other is not None:
                self.answers += 1
                pending.future.set_result(other.pdu)
                return
            if self._buffer:
                foreign = find(self._buffer)
                pending.heard, pending.foreign = self._buffer, foreign.unit if foreign else None
        pending.future.set_exception(TimeoutError())

    def _owe(self, unit: int, answers: int, until: float) -> None:
        """`unit` may still answer `answers` times."""
        self._owed[unit] = answers, until
        self._loop.call_at(until, self._forgive, unit, until)

    def _forgive(self, unit: int, until: float) -> None:
        if self._owed.get(unit, (0, 0.0))[1] == until:
            del self._owed[unit]
            self._tell_settled()

    async def _settled(self) -> None:
        """Wait until some unit has paid what it owed, or cannot any more."""
        if self._lost:
            raise Lost(self.why_lost)
        if self._settling is None:
            self._settling = self._loop.create_future()
        await asyncio.shield(self._settling)

    def _tell_settled(self) -> None:
        if self._settling is not None:
            self._settling.set_result(None)
            self._settling = None

    # -- receiving ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if self._framing is Framing.MBAP:
            self._take_numbered(self._buffer + data if self._buffer else data)
        else:
            self._take_plain(data)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Called by a datagram transport: whole frames, or nothing to keep."""
        try:
            self._take_numbered(data)
        finally:
            self._buffer = b""

    def _take_numbered(self, data: bytes) -> None:
        while data:
            try:
                frame, data = next_mbap(data)
            except OutOfStep:
                self.close("what arrives is no Modbus; the stream is out of step")
                return
            if frame is None:
                break
            pending = self._pending.get(frame.number)
            if pending is None or pending.future.done():
                self._dropped()
            elif frame.unit != pending.request.unit:
                pending.heard, pending.foreign = frame.pdu, frame.unit
            else:
                self._stray = 0
                self.answers += 1
                pending.future.set_result(frame.pdu)
        self._buffer = data

    def _take_plain(self, data: bytes) -> None:
        self._buffer = (self._buffer + data)[-_KEPT:]
        find = find_rtu if self._framing is Framing.RTU else find_ascii
        pending = self._pending.get(0)
        if pending is None or pending.future.done():
            self._settle(find)
            return
        asked = pending.request
        if asked.size:
            frame = find(self._buffer, asked.unit, asked.function, asked.size)
        else:
            frame = find(self._buffer, asked.unit, asked.function)
        if frame is not None:
            self._buffer = b""
            self.answers += 1
            pending.future.set_result(frame.pdu)

    def _settle(self, find: Callable[..., Any]) -> None:
        """Nobody waits: these bytes may be what a unit owes."""
        for unit, (answers, until) in tuple(self._owed.items()):
            if find(self._buffer, unit) is not None:
                self._buffer = b""
                self._dropped()
                if answers > 1:
                    self._owed[unit] = answers - 1, until
                else:
                    del self._owed[unit]
                    self._tell_settled()

    def _dropped(self) -> None:
        self.late += 1
        self._stray += 1
        if self._stray >= _STRAY:
            self.close(f"{_STRAY} answers in a row that belong to no request; the peer is out of step")


def silence_s(baud: int, bits_a_character: int) -> float:
    """How long a serial line must be silent between two frames, seconds."""
    return max(_SILENCE_S, 3.5 * bits_a_character / baud)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
