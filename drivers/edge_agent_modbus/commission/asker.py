"""One question at a time to any unit behind a URL: what the engineer's tools have instead of a dialogue.

A dialogue gives a silent unit up; here silence is a finding like any other. A connection that ends is
opened again. Nothing is ever written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from edge_agent.api import NotConnected
from edge_agent_modbus.address import Area
from edge_agent_modbus.connect import open_wire
from edge_agent_modbus.dialogue import GATEWAY, LATER, NOISE, READ, UNFIT, Answer, pdu_of
from edge_agent_modbus.frame import EXCEPTION
from edge_agent_modbus.line import Endpoint
from edge_agent_modbus.plan import Block
from edge_agent_modbus.settings import Settings
from edge_agent_modbus.why import exception
from edge_agent_modbus.wire import Lost, NoAnswer, Wire, prepare

SILENT: Final = -3               # instead of a code: nothing came
HUNG_UP: Final = -4              # instead of a code: the connection was ended instead

# What says nothing about an address: it was not looked at.
UNHEARD: Final = (SILENT, HUNG_UP, NOISE, *GATEWAY)

# A device that allows one connection needs a moment to notice that the last one is gone.
_AGAIN_S: Final = (0.1, 0.5, 1.0)


class Enough(Exception):
    """The engineer has seen enough; not a failure."""


class Asker:
    """Over one wire at a time, opened when first needed. `close` it.

    `pause_s` is kept between an answer and the next request; `enough` is looked at before each.
    """

    def __init__(self, endpoint: Endpoint, settings: Settings, pause_s: float, enough: Callable[[], bool]) -> None:
        self.requests = 0
        """how many were sent"""
        self._endpoint = endpoint
        self._settings = settings
        self._pause_s = pause_s
        self._enough = enough
        self._wire: Wire | None = None

    async def open(self) -> None:
        """Connect, if that is not done yet. NotConnected, AccessDenied."""
        await self._open_wire()

    async def close(self) -> None:
        """Let go of the wire."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
            await asyncio.sleep(0)      # the transport lets go of its socket in the loop's next turn

    async def read(self, unit: int, area: Area, start: int, count: int, tries: int = 0) -> Answer:
        """The bytes of values, or the exception code, or UNFIT, NOISE, SILENT, HUNG_UP.

        What may pass is asked again: `tries` times in all (0: as the settings say).
        """
        block = Block(area, start, count, ())
        pdu = pdu_of(READ[area](address=start, count=count))
        answer: Answer = SILENT
        tries = tries or self._settings.retries + 1
        for left in range(tries - 1, -1, -1):
            got = await self.ask(unit, pdu, block.size + 2)
            answer = got if isinstance(got, int) else _judged(got, pdu[0], block.size)
            if isinstance(answer, bytes) or answer not in (*LATER, *UNHEARD, UNFIT):
                return answer
            if left and answer in LATER:
                await asyncio.sleep(self._settings.retry_pause_ns / 1e9)
        return answer

    async def ask(self, unit: int, pdu: bytes, size: int) -> Answer:
        """The PDU that answers `pdu`, expected to have `size` bytes (0: not known); or SILENT, NOISE, HUNG_UP.

        Sent once; where the connection turns out to have ended, once more over a fresh one.
        """
        for _ in range(2):
            if self._enough():
                raise Enough
            wire = await self._open_wire()
            request = prepare(self._endpoint.framing, unit, pdu, size)
            self.requests += 1
            try:
                return await wire.ask(request, self._settings.timeout_s, 1, self._pause_s)
            except Lost:
                await self.close()
            except NoAnswer as silence:
                return NOISE if silence.heard else SILENT
        return HUNG_UP

    async def _open_wire(self) -> Wire:
        if self._wire is not None and self._wire.is_open:
            return self._wire
        fresh = self._wire is None and not self.requests
        for wait_s in () if fresh else _AGAIN_S:
            try:
                self._wire = await open_wire(self._endpoint, self._settings)
            except NotConnected:
                await asyncio.sleep(wait_s)
            else:
                return self._wire
        self._wire = await open_wire(self._endpoint, self._settings)
        return self._wire


def _judged(pdu: bytes, function: int, size: int) -> Answer:
    if len(pdu) == size + 2 and pdu[0] == function and pdu[1] == size & 0xFF:
        return pdu[2:]
    if len(pdu) > 1 and pdu[0] == function | EXCEPTION:
        return pdu[1]
    return UNFIT


def told(answer: Answer) -> str:
    """What came instead of values, in words."""
    if isinstance(answer, bytes):
        return "an answer"
    if answer == SILENT:
        return "no answer"
    if answer == HUNG_UP:
        return "the connection is ended instead of an answer"
    return exception(answer)
