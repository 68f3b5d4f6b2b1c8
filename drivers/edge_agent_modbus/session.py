"""One session: a share of a wire to one unit, and the scans that are due on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from edge_agent.api import Batch, Clock, NotConnected, Tag, Value
from edge_agent_modbus.address import Area
from edge_agent_modbus.dialogue import Dialogue
from edge_agent_modbus.line import Line
from edge_agent_modbus.plan import Block, Field, block_of
from edge_agent_modbus.scan import Group, Scan
from edge_agent_modbus.schedule import Schedule
from edge_agent_modbus.settings import Settings
from edge_agent_modbus.write import Writer

SECOND: Final = 1_000_000_000
_FOREVER_NS: Final = 2**62


class ModbusSession:
    """Polls one device until it is given up or the session is closed; writes single values between.

    `fields` are those of the tags, by position in the table.

    A row carries one time for all its tags: midway between the first request and the last
    answer of its scan, by the agent's clock.
    """

    confirms = False

    def __init__(
        self,
        line: Line,
        settings: Settings,
        groups: Sequence[Group],
        fields: Mapping[int, Field],
        clock: Clock,
        phase: float,
    ) -> None:
        self.lag_ns = 0
        self.dialogue = Dialogue(line, settings, self._wake)
        self._writer = Writer(self.dialogue)
        self._fields = fields
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._phase = phase
        self._scans = [
            Scan(group, self.dialogue.read, clock, settings.in_flight, self.dialogue.begin) for group in groups
        ]
        self._periods = [group.period_ns for group in groups]
        self._probe = _probe(groups)
        self._schedule = Schedule(self._periods, self._now_ns(), phase)
        self._closed = False
        self._waiter: asyncio.Future[bool] | None = None

    @property
    def skipped(self) -> int:
        """See `Session.skipped`."""
        return self._schedule.skipped

    async def open(self) -> None:
        """Connect, and return once the device has answered something, be it an exception."""
        await self.dialogue.open(self._probe)
        self._schedule = Schedule(self._periods, self._now_ns(), self._phase)

    async def read(self) -> Batch:
        """Wait for the next scan that is due and return its row. See `Session.read`."""
        which, due = self._schedule.next() if self._scans else (0, _FOREVER_NS)
        while self._now_ns() < due and await self._woken_before(due):
            await self.dialogue.reopen()
        if self._closed:
            raise self._is_closed()
        scan = self._scans[which]
        answers = await scan.ask()
        answered, now_ns = self._clock(), self._now_ns()
        self._schedule.done(which, now_ns)
        # Measured by the loop's clock, which nobody sets: the agent's may be stepped meanwhile.
        self.lag_ns = max(0, now_ns - round(self.dialogue.sent_s * SECOND)) // 2
        return scan.batch(answered - self.lag_ns, answers)

    async def write(self, tag: Tag, raw: Value, settle_ns: int) -> Value:
        """See `WritableSession.write`."""
        return await self._writer.write(self._fields[tag.position], raw, settle_ns)

    async def close(self) -> None:
        """Let go at once; a `read` under way raises NotConnected."""
        self._closed = True
        self._wake()
        self.dialogue.close()
        await asyncio.sleep(0)   # the transport lets go of its socket in the loop's next turn

    async def _woken_before(self, when_ns: int) -> bool:
        """Sleep until `when_ns` of the loop's time; True if woken before, because the wire was lost."""
        if self._closed:
            raise self._is_closed()
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(when_ns / SECOND, self._ring)
        try:
            return await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _is_closed(self) -> NotConnected:
        return NotConnected(f"{self.dialogue.line}: closed")

    def _ring(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(False)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    def _now_ns(self) -> int:
        return round(self._loop.time() * SECOND)


def _probe(groups: Sequence[Group]) -> Block:
    """The least one can ask: the first tag, or a register if there is none."""
    for group in groups:
        return block_of(group.blocks[0].fields[:1])
    return Block(Area.HOLDING, 0, 1, ())
