"""One place of a device, asked in the ways that measuring its limits takes. Only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from edge_agent.api import NotConnected
from edge_agent_modbus.commission.asker import Asker, Enough
from edge_agent_modbus.commission.asking import Target
from edge_agent_modbus.commission.probe import Place
from edge_agent_modbus.connect import open_wire
from edge_agent_modbus.dialogue import READ, Answer, pdu_of
from edge_agent_modbus.plan import Block
from edge_agent_modbus.wire import Lost, NoAnswer, Wire, prepare

# Rounds of requests at once: one could be luck.
_ROUNDS = 5
# How long a device may take to notice that a connection is gone, s.
_PARTED_S = 0.05
# The same, where one still counted would be taken for one too few.
_FREE_S = 0.5


class Experiment:
    """`pause_s` and `after_connect_s` are kept from now on; `least` addresses can be read at once at least."""

    def __init__(self, target: Target, enough: Callable[[], bool], place: Place) -> None:
        self.pause_s = 0.0
        self.after_connect_s = 0.0
        self.least = 1
        self.line = target.line
        self.endpoint = target.line.endpoint
        self.start = place.wire
        self.what = "bits" if place.area.is_bits else "registers"
        self.most = target.settings.max_bits if place.area.is_bits else target.settings.max_registers
        self._place = place
        self._settings = target.settings
        self._enough = enough
        self._asker: Asker | None = None
        self._kept = (-1.0, -1.0)

    async def close(self) -> None:
        """Let go of the wire."""
        if self._asker is not None:
            await self._asker.close()
            self._asker = None

    async def rest(self) -> None:
        """Let pass whatever is still on its way; begin afresh."""
        await self.close()
        await asyncio.sleep(self._settings.timeout_s / 2)

    async def ask(self, count: int, ahead: int = 0, tries: int = 0) -> Answer:
        """Read `count` addresses, `ahead` of the place."""
        return await (await self._current()).read(self.line.unit, self._place.area, self.start + ahead, count, tries)

    async def _current(self) -> Asker:
        """The asker for the pauses in force."""
        if self._asker is None or self._kept != (self.pause_s, self.after_connect_s):
            await self.close()
            if self.endpoint.is_serial or self._kept[0] >= 0:
                await asyncio.sleep(_PARTED_S)
            settings = replace(self._settings, pause_after_connect_ns=round(self.after_connect_s * 1e9))
            self._asker = Asker(self.endpoint, settings, self.pause_s, self._enough)
            self._kept = (self.pause_s, self.after_connect_s)
        return self._asker

    async def answers_in_a_row(self, count: int) -> bool:
        """Whether so many requests are all answered the first time, one right behind the other."""
        for _ in range(count):
            if not isinstance(await self.ask(self.least, tries=1), bytes):
                return False
        return True

    async def answers_after_connecting(self, count: int) -> bool:
        """Whether the first request over each of so many fresh connections is answered the first time."""
        for _ in range(count):
            await self.close()
            await asyncio.sleep(_PARTED_S)
            if not isinstance(await self.ask(self.least, tries=1), bytes):
                return False
        return True

    async def times(self, reads: int, every_s: float, count: int) -> list[float]:
        """Seconds until each of `reads` requests for `count` addresses was answered."""
        loop = asyncio.get_running_loop()
        times = []
        for _ in range(reads):
            await asyncio.sleep(max(every_s, self.pause_s))
            asker = await self._current()
            await asker.open()
            began = loop.time()
            if isinstance(await asker.read(self.line.unit, self._place.area, self.start, count, tries=1), bytes):
                times.append(loop.time() - began)
        return times

    # -- several at once ---------------------------------------------------------------------

    async def connections(self, most: int) -> int:
        """How many connections are answered while all the others are open."""
        await self.close()
        await asyncio.sleep(_FREE_S)
        wires: list[Wire] = []
        try:
            for _ in range(most):
                if self._enough():
                    raise Enough
                try:
                    wires.append(await open_wire(self.endpoint, self._settings))
                except NotConnected:
                    break
                await asyncio.sleep(max(self.after_connect_s, self.pause_s, _PARTED_S))
                if not await self._all_answer(wires):
                    return len(wires) - 1
            return len(wires)
        finally:
            for wire in wires:
                wire.close()
            await asyncio.sleep(_PARTED_S)

    async def _all_answer(self, wires: list[Wire]) -> bool:
        for wire in reversed(wires):
            if not await self._is_answered(wire, self.start):
                return False
            await asyncio.sleep(self.pause_s)
        return True

    async def answers_at_once(self, count: int) -> bool:
        """Whether so many requests, sent without waiting for each other, are all answered."""
        await self.close()
        await asyncio.sleep(_PARTED_S)
        settings = replace(
            self._settings, in_flight=count, pause_after_connect_ns=round(self.after_connect_s * 1e9)
        )
        wire = await open_wire(self.endpoint, settings)
        try:
            for _ in range(_ROUNDS):
                if self._enough():
                    raise Enough
                if not all(await asyncio.gather(*(self._is_answered(wire, self.start) for _ in range(count)))):
                    return False
            return True
        finally:
            wire.close()
            await asyncio.sleep(_PARTED_S)

    async def _is_answered(self, wire: Wire, start: int) -> bool:
        area = self._place.area
        block = Block(area, start, self.least, ())
        pdu = pdu_of(READ[area](address=start, count=self.least))
        request = prepare(self.endpoint.framing, self.line.unit, pdu, block.size + 2)
        try:
            answer = await wire.ask(request, self._settings.timeout_s, 1)
        except (Lost, NoAnswer):
            return False
        return len(answer) == block.size + 2 and answer[0] == pdu[0]
