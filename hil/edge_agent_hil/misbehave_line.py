"""One conversation with a misbehaving server: bytes in, requests one after the other, plans carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from edge_agent_hil.misbehave_counters import Counters
from edge_agent_hil.misbehave_device import Device, Plan
from edge_agent_hil.modbus_frame import Framing, Request

MOST_WAITING = 64               # requests sent ahead of their answers; more are dropped, as a small device would
STALE = 0.2                     # s; what is missing of a frame by then never comes: a byte takes 8 ms at 1200 baud


class Line:
    """A TCP connection, the datagrams of one peer, or a serial line."""

    def __init__(
        self,
        device: Device,
        framing: Framing,
        counters: Counters,
        send: Callable[[bytes], None],
        hang_up: Callable[[], None] | None = None,
    ) -> None:
        self._device, self._framing, self._counters = device, framing, counters
        self._send, self._hang_up = send, hang_up
        self._stream = bytearray()
        self._opened = self._heard = monotonic()
        self._fresh = hang_up is not None
        self._held = b""
        self._stalled = False
        self._owed = 0
        self._waiting: asyncio.Queue[tuple[Request, float]] = asyncio.Queue(MOST_WAITING)
        self._tasks = {asyncio.create_task(self._keep_answering(), name="answer")}

    def received(self, data: bytes) -> None:
        """Bytes from the wire."""
        now = monotonic()
        if now - self._heard > STALE:
            self._stream.clear()
        self._heard = now
        self._stream += data
        while request := self._framing.cut(self._stream):
            self._counters.request(request, now, self._opened if self._fresh else None)
            self._fresh = False
            self._owed += 1
            try:
                self._waiting.put_nowait((request, now))
            except asyncio.QueueFull:
                self._settle(answered=False)

    def close(self) -> None:
        """Say nothing more."""
        for task in self._tasks:
            task.cancel()
        while self._owed:
            self._settle(answered=False)

    def _settle(self, answered: bool) -> None:
        self._owed -= 1
        self._counters.settled(monotonic(), answered)

    async def _keep_answering(self) -> None:
        while True:
            request, arrived = await self._waiting.get()
            if self._stalled:
                self._settle(answered=False)
                continue
            plan = self._device.plan(request, arrived, self._opened)
            if plan.echo:
                self._send(plan.echo)
            await asyncio.sleep(plan.slow)
            if plan.late:
                later = asyncio.create_task(self._deliver(plan), name="late answer")
                self._tasks.add(later)
                later.add_done_callback(self._tasks.discard)
            else:
                await self._deliver(plan)

    async def _deliver(self, plan: Plan) -> None:
        await asyncio.sleep(plan.late)
        answer = b"" if self._stalled else plan.answer
        if answer and plan.hold and not self._held:
            self._held = answer
            answer = b""
        elif answer:
            answer = self._held + answer
            self._held = b""
        if plan.pace:
            for n in range(len(answer)):
                self._send(answer[n : n + 1])
                await asyncio.sleep(plan.pace)
        elif answer:
            self._send(answer)
        if answer:
            self._device.last_answer = monotonic()
        self._settle(answered=bool(answer))
        if self._hang_up and plan.stall:
            self._stalled = True
        if self._hang_up and plan.close:
            self._hang_up()
