"""One connection: who may ask next, how long to wait, and what comes too late.

One request at a time unless `in_flight` allows more, in the order in which they were made: devices that
share a line take turns request by request, however much each of them wants.

How an answer is known is another matter for frames with a transaction number (`NumberedWire`) and those
without (`PlainWire`); what belongs to no request is counted and dropped.

A connection lives until the peer ends it, `close` is called, or nothing that arrives makes sense any more;
then whoever waits gets `Lost`, and the watchers are called once.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from edge_agent_modbus.frame import ascii_, mbap, rtu
from edge_agent_modbus.line import Framing

# So many answers in a row that nobody asked for: the peer counts in another way, and only a fresh
# connection helps.
_STRAY: Final = 20
# What Modbus over serial line V1.02, 2.5.1.1 wants between frames above 19200 baud; below, 3.5 characters.
_SILENCE_S: Final = 0.00175

# For each second that probing has taken, so many seconds are everybody else's.
_REST: Final = 9

_WRAP: Final = {Framing.MBAP: mbap, Framing.RTU: rtu, Framing.ASCII: ascii_}


class Lost(Exception):
    """The connection is gone; the request may have arrived or not."""


class NoAnswer(Exception):
    """Nothing that answers the request came in time; `heard` is what came instead."""

    def __init__(self, heard: bytes, foreign: int | None) -> None:
        super().__init__()
        self.heard = heard
        self.foreign = foreign


@dataclass(slots=True)
class Request:
    """A prepared request: `frame` is what is sent (behind the transaction number, if there is one), `size`
    the length of the answer's PDU, 0 if that is not known before. `sent_s` is when it last was, by the
    loop's time."""

    unit: int
    function: int
    size: int
    frame: bytes
    sent_s: float = 0.0


def prepare(framing: Framing, unit: int, pdu: bytes, size: int) -> Request:
    """The request `pdu` to `unit`, to be answered by a PDU of `size` bytes."""
    return Request(unit, pdu[0], size, _WRAP[framing](unit, pdu))


class Pending:
    """A request on its way: `heard` is what came instead of its answer, `foreign` from which other unit."""

    __slots__ = ("deadline", "echoed", "foreign", "future", "heard", "request", "settled")

    future: asyncio.Future[bytes]
    deadline: float

    def __init__(self, request: Request) -> None:
        self.request = request
        self.heard = b""
        self.foreign: int | None = None
        self.echoed = False     # its own copy has come back and was passed over
        self.settled = 0        # of its tries, how many have brought something, if only noise


class Wire(ABC, asyncio.DatagramProtocol, asyncio.Protocol):
    """A connection; `silence_s` is kept between an answer and the next request. See the subclasses."""

    def __init__(self, in_flight: int = 1, silence_s: float = 0.0) -> None:
        self.answers = 0
        """answers to requests"""
        self.silences = 0
        """requests in a row that were not answered"""
        self.answered_s = 0.0
        """by the loop's time: when the last request was sent that was answered"""
        self.why_lost = "connection lost"
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._send: Callable[[bytes], object] = _nowhere
        self._watchers: list[Callable[[], None]] = []
        self._free = in_flight
        self._queue: deque[asyncio.Future[None]] = deque()
        self._probes: deque[asyncio.Future[None]] = deque()
        self._probe_from_s = 0.0        # before then, probes wait for everybody else
        self._pending: dict[int, Pending] = {}
        self._buffer = b""
        self._stray = 0
        self._silence_s = silence_s
        self._is_slow = False           # the line itself takes a time worth counting
        self._not_before = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        self._lost = False

    # -- what the two kinds do differently ---------------------------------------------------

    @abstractmethod
    def _begin(self, request: Request) -> tuple[int, bytes]:
        """The number of a new request, and its frame."""

    def _overdue(self, pending: Pending) -> None:
        """Nothing was known as the answer in time."""
        pending.future.set_exception(TimeoutError())

    def _left_open(self, pending: Pending, answers: int, timeout_s: float) -> None:
        """A request has ended, and `answers` to it may still come."""

    def _line_s(self, _request: Request) -> float:
        """How long request and answer take on the line itself, s."""
        return 0.0

    def _owes(self, _unit: int) -> bool:
        """Whether an answer of the unit may still come that could be taken for another."""
        return False

    async def _settled(self) -> None:
        """Wait until some unit has answered what it owed, or cannot any more."""

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
        """Ask nothing for so long."""
        self._not_before = max(self._not_before, self._loop.time() + seconds)

    def connection_made(self, transport: Any) -> None:
        """Called by the transport."""
        self._transport = transport
        # not by type: the datagram transport of Python 3.11 says that it is one for streams
        self._send = getattr(transport, "sendto", None) or transport.write

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
        for pending in self._pending.values():
            _fail(pending.future, Lost(self.why_lost))
        for waiter in (*self._queue, *self._probes):
            _fail(waiter, Lost(self.why_lost))
        self._queue.clear()
        self._probes.clear()
        for watcher in tuple(self._watchers):
            watcher()
        if self._transport is not None:
            with contextlib.suppress(Exception):    # an adapter that was pulled out may not even be closed
                self._transport.close()

    # -- asking ------------------------------------------------------------------------------

    async def ask(
        self, request: Request, timeout_s: float, tries: int = 1, pause_s: float = 0.0, *, probing: bool = False
    ) -> bytes:
        """The PDU that answers `request`, of a length that need not be the one expected.

        Sent up to `tries` times, each waited for `timeout_s`. Afterwards the line is left alone for
        `pause_s`. `probing`: nobody knows whether the unit is there, so those who are go first, but for a
        tenth of the time. `NoAnswer`, `Lost`. Safe to cancel.
        """
        if self._free and not self._queue and not self._owes(request.unit):
            self._free -= 1
        else:
            await self._my_turn(request.unit, probing)
        began_s = self._loop.time() if probing else 0.0
        timeout_s += self._line_s(request) if self._is_slow else 0.0
        number, sent, pending = -1, 0, None
        try:
            now = self._loop.time()
            if self._not_before > now:
                await asyncio.sleep(self._not_before - now)
            number, frame = self._begin(request)
            pending = Pending(request)
            for _ in range(tries):
                if self._lost:
                    raise Lost(self.why_lost)
                pending.future, pending.echoed = self._loop.create_future(), False
                request.sent_s = self._loop.time()
                pending.deadline = deadline = request.sent_s + timeout_s
                self._pending[number] = pending
                self._send(frame)
                sent += 1
                if self._timer is None or self._look_at > deadline:
                    self._watch_over(deadline)
                try:
                    answer = await pending.future
                except TimeoutError:
                    continue
                sent -= 1
                return answer
            self.silences += 1
            raise NoAnswer(pending.heard, pending.foreign)
        finally:
            self._pending.pop(number, None)
            if sent and pending is not None and not self._lost:
                self._left_open(pending, sent, timeout_s)
            if pause_s or self._silence_s:
                self.quiet_for(max(pause_s, self._silence_s))
            if probing:
                self._rest_from_probing(began_s)
            self._pass_on()

    def _rest_from_probing(self, began_s: float) -> None:
        now = self._loop.time()
        self._probe_from_s = now + _REST * (now - began_s)

    def _answered(self, pending: Pending, pdu: bytes) -> None:
        self.answers += 1
        self.silences = self._stray = 0
        self.answered_s = pending.request.sent_s
        pending.future.set_result(pdu)

    async def _my_turn(self, unit: int, probing: bool) -> None:
        """Wait until it is our turn, and `unit` owes nothing: while we waited it may have begun to."""
        while True:
            while self._owes(unit):
                await self._settled()
            if self._free and not self._queue:
                self._free -= 1
                return
            await self._turn(self._probes if probing else self._queue)
            if not self._owes(unit):
                return
            self._pass_on()

    async def _turn(self, queue: deque[asyncio.Future[None]]) -> None:
        """Wait until it is our turn; the one before has left us its place."""
        if self._lost:
            raise Lost(self.why_lost)
        waiter = self._loop.create_future()
        queue.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on()
            elif waiter in queue:
                queue.remove(waiter)
            raise

    def _pass_on(self) -> None:
        while self._queue or self._probes:
            probe_now = self._probes and (not self._queue or self._loop.time() >= self._probe_from_s)
            waiter = (self._probes if probe_now else self._queue).popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    # -- time --------------------------------------------------------------------------------

    def _watch_over(self, deadline: float) -> None:
        """One timer watches over all requests; it looks again only when a deadline has passed."""
        if self._timer is not None:
            self._timer.cancel()
        self._look_at = deadline
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

    def _dropped(self) -> None:
        """An answer has come that belongs to no request."""
        self._stray += 1
        if self._stray >= _STRAY:
            self.close(f"{_STRAY} answers in a row that belong to no request; the peer is out of step")


def silence_s(baud: int, bits_a_character: int) -> float:
    """How long a serial line must be silent between two frames, seconds."""
    return max(_SILENCE_S, 3.5 * bits_a_character / baud)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _nowhere(_frame: bytes) -> None:
    """Before there is a connection."""
