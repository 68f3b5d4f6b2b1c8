"""One session: a connection, and the scans that are due on it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from edge_agent.api import Batch, Clock, NotConnected
from edge_agent_modbus.address import Area
from edge_agent_modbus.client import Client, Request
from edge_agent_modbus.config import SECOND, Settings
from edge_agent_modbus.plan import Block, block_of
from edge_agent_modbus.scan import Answer, Group, Scan
from edge_agent_modbus.schedule import Schedule

# Modbus application protocol V1.1b3, 7: said by a gateway in the name of a device it cannot reach
GATEWAY: Final = (10, 11)

_FOREVER_NS: Final = 2**62


class ModbusSession:
    """Polls one device until the line fails or the session is closed.

    A row carries one time for all its tags: midway between the first request and the last
    answer of its scan, by the agent's clock.
    """

    confirms = False

    def __init__(self, settings: Settings, groups: Sequence[Group], clock: Clock) -> None:
        self.lag_ns = 0
        self.skipped = 0
        self._settings = settings
        self._line = settings.line
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._client = Client(settings, self._lost)
        self._requests: dict[tuple[Area, int, int], Request] = {}
        self._scans = [Scan(group, self._ask) for group in groups]
        self._periods = [group.period_ns for group in groups]
        self._probe = _probe(groups)
        self._schedule = Schedule(self._periods, self._now_ns())
        self._end = ""
        self._waiter: asyncio.Future[None] | None = None
        self._quiet_until_ns = 0

    async def open(self) -> None:
        """Connect, and return once the device has answered something, be it an exception."""
        await self._client.connect()
        await self._ask(self._probe)
        self._schedule = Schedule(self._periods, self._now_ns())

    async def read(self) -> Batch:
        """Wait for the next scan that is due and return its row. See `Session.read`."""
        which, due = self._schedule.next() if self._scans else (0, _FOREVER_NS)
        await self._until(due)
        scan = self._scans[which]
        asked = self._clock()
        answers = await scan.ask()
        answered = self._clock()
        self._schedule.done(which, self._now_ns())
        time_ns = (asked + answered) // 2
        self.lag_ns = max(0, answered - time_ns)
        return scan.batch(time_ns, answers)

    async def close(self) -> None:
        """Let go at once; a `read` under way raises NotConnected."""
        self._stop("closed")
        self._client.close()
        await asyncio.sleep(0)   # the transport lets go of its socket in the loop's next turn

    async def _ask(self, block: Block) -> Answer:
        """Ask the device for `block`. A gateway that finds no device is asked again, like a silent one."""
        request = self._requests.get((block.area, block.start, block.count)) or self._prepared(block)
        for _ in range(self._settings.retries + 1):
            if self._settings.pause_ns:
                await self._until(self._quiet_until_ns)
            answer = await self._client.ask(request)
            if self._settings.pause_ns:
                self._quiet_until_ns = self._now_ns() + self._settings.pause_ns
            if type(answer) is bytes or answer not in GATEWAY:
                return answer
        raise NotConnected(f"{self._line}: the gateway answers, but not the device (exception {answer!r})")

    def _prepared(self, block: Block) -> Request:
        request = Request.of(block, self._line.unit)
        self._requests[block.area, block.start, block.count] = request
        return request

    async def _until(self, when_ns: int) -> None:
        """Sleep until `when_ns` of the loop's time, or raise as soon as the session has ended."""
        if when_ns > self._now_ns() and not self._end:
            self._waiter = self._loop.create_future()
            timer = self._loop.call_at(when_ns / SECOND, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        if self._end:
            raise NotConnected(f"{self._line}: {self._end}")

    def _lost(self) -> None:
        self._stop("connection lost")

    def _stop(self, why: str) -> None:
        self._end = self._end or why
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _now_ns(self) -> int:
        return round(self._loop.time() * SECOND)


def _probe(groups: Sequence[Group]) -> Block:
    """The least one can ask: the first tag, or a register if there is none."""
    for group in groups:
        return block_of(group.blocks[0].fields[:1])
    return Block(Area.HOLDING, 0, 1, ())
