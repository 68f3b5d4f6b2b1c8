"""Questions to one unit, and what its answers mean: repeated where that helps, given up where it does not.

    an answer that fits              the bytes of its values
    exception 1, 2, 3, 7, 8 …        its code
    exception 4, 5, 6 (busy, …)      asked again after a pause, `retries` times; then its code
    exception 10, 11 (gateway)       asked again; then the unit is given up: GATEWAY
    an answer that does not fit      asked again; then `UNFIT`
    no answer, but noise             asked again; then `NOISE`, and after three in a row given up: GARBLED
    no answer                        asked again; then the unit is given up: NO_ANSWER

A connection that the device ends is opened again once, at once: many end it when nothing was asked for
a while, some after every answer. Only if that fails the line is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from edge_agent.api import NotConnected, Reason
from edge_agent_modbus.address import Area
from edge_agent_modbus.frame import EXCEPTION
from edge_agent_modbus.line import Line
from edge_agent_modbus.place import SILENT, Lease, place_of
from edge_agent_modbus.plan import Block
from edge_agent_modbus.settings import Settings
from edge_agent_modbus.wire import Lost, NoAnswer, Request, Wire, prepare

# Modbus application protocol V1.1b3, 7: exception codes
LATER: Final = (4, 5, 6)         # device failure; acknowledged, in progress; busy
GATEWAY: Final = (10, 11)        # said by a gateway in the name of a device it cannot reach
UNFIT: Final = -1                # instead of a code: the answer is not one to the question
_GATEWAY_SAYS: Final = tuple(bytes((code,)) for code in GATEWAY)
NOISE: Final = -2                # instead of a code: only noise came

# How often a request is sent again over a fresh connection, after one that had answered something was lost.
_CHANCES: Final = 3
# A connection on which nothing was said for so long, s, may have been forgotten on the way.
_IDLE_S: Final = 30.0
_NEVER_S: Final = 1e18

# So many requests in a row that bring only noise: nothing is to be had from this unit at present.
_NOISY: Final = 3

Answer = bytes | int
"""The bytes of a block's values, or the exception code the device gave instead (or UNFIT, NOISE)"""

READ: Final[dict[Area, type[ModbusPDU]]] = {
    Area.COIL: ReadCoilsRequest,
    Area.DISCRETE: ReadDiscreteInputsRequest,
    Area.HOLDING: ReadHoldingRegistersRequest,
    Area.INPUT: ReadInputRegistersRequest,
}


def pdu_of(request: ModbusPDU) -> bytes:
    """Function code and data."""
    return bytes((request.function_code,)) + request.encode()


class Dialogue:
    """With one unit, over a wire that it may share; create inside a running loop, use once.

    `on_loss` is called when the wire is lost. Error messages name the line.
    """

    def __init__(self, line: Line, settings: Settings, on_loss: Callable[[], None]) -> None:
        self.line = line
        self._settings = settings
        self._place = place_of(line.endpoint)
        self._place.failures.setdefault(line.unit, 0)
        self._on_loss = on_loss
        self._lease: Lease | None = None
        self._unwatch: Callable[[], None] | None = None
        self._requests: dict[tuple[Area, int, int], Request] = {}
        self._tries = settings.retries + 1
        self._timeout_s = settings.timeout_s
        self._pause_s = settings.pause_s
        self._probing = False
        self._noisy = 0
        self._unfit = ""                # what was wrong with the last answer that did not fit
        self._asked_since = True        # since the wire was opened again by itself
        self._probe: Block | None = None
        self._gave_up: NotConnected | None = None
        self.sent_s = _NEVER_S
        """by the loop's time: when the first of the requests was sent whose answers count; see `begin`"""
        self._closed = False
        self._renewing = asyncio.Lock()

    # -- life --------------------------------------------------------------------------------

    async def open(self, probe: Block) -> None:
        """Take a share of a wire, and return once the unit has answered something, be it an exception.

        A unit that was given up before, or has others on its line, is asked only once, behind those that
        are there, and not before its time: it may cost them.
        """
        self._probe = probe
        self._place.check(self.line.unit)
        await self._join()
        if self._place.failures[self.line.unit] or self._place.is_shared:
            self._tries = 1
        self._probing = self._place.is_shared
        answer = await self.read(probe)
        if answer in (UNFIT, NOISE):
            raise self._given_up(f"{self.line}: {self._unfit}", Reason.GARBLED)
        self._tries, self._probing = self._settings.retries + 1, False

    async def reopen(self) -> None:
        """The wire is lost and nothing was being asked: open it again.

        If nothing was asked since it was last opened like that, something is, to know that it is worth it.
        """
        if self._closed or (self._lease and self._lease.wire.is_open):
            return
        is_proven = self._asked_since
        await self._fresh()
        if not is_proven and self._probe is not None:
            await self.read(self._probe)

    def close(self) -> None:
        """Leave the wire; what is being asked fails with NotConnected if nobody else uses it."""
        self._closed = True
        self._leave()

    async def _join(self) -> Wire:
        lease = await self._place.join(self._settings)
        if self._closed:
            lease.leave()
            raise NotConnected(f"{self.line}: closed")
        self._lease = lease
        self._unwatch = lease.wire.watch(self._on_loss)
        return lease.wire

    def _leave(self) -> None:
        if self._unwatch is not None:
            self._unwatch()
        if self._lease is not None:
            self._lease.leave()
        self._lease = self._unwatch = None

    async def _fresh(self) -> Wire:
        """Another wire in place of the one that was lost, unless somebody has seen to that meanwhile."""
        async with self._renewing:
            if self._lease is not None and self._lease.wire.is_open:
                return self._lease.wire
            return await self._renewed()

    async def _renewed(self) -> Wire:
        why = self._lease.wire.why_lost if self._lease else "closed"
        self._leave()
        if self._closed:
            raise NotConnected(f"{self.line}: closed")
        try:
            wire = await self._join()
        except NotConnected as failure:
            raise NotConnected(f"{self.line}: {why}; {failure}") from failure
        self._asked_since = False
        return wire

    # -- asking ------------------------------------------------------------------------------

    def begin(self) -> None:
        """From now on answers count: `sent_s` becomes the time of the first request."""
        self.sent_s = _NEVER_S

    async def read(self, block: Block) -> Answer:
        """The bytes of values of `block`, `block.size` of them, or what stands for them; see above."""
        request = self._requests.get((block.area, block.start, block.count)) or self._prepared(block)
        code = UNFIT
        for left in range(self._tries - 1, -1, -1):
            try:
                pdu = await self.ask(request, block)
            except NoAnswer as silence:
                return self._silent(block, silence)
            if request.sent_s < self.sent_s:
                self.sent_s = request.sent_s
            if len(pdu) == request.size and pdu[0] == request.function and pdu[1] == block.size & 0xFF:
                return pdu[2:]
            code = self._code(pdu, request, block)
            if code not in LATER and code not in GATEWAY and code != UNFIT:
                return code
            if left and code in LATER:
                await asyncio.sleep(self._settings.retry_pause_ns / 1e9)
        if code in GATEWAY:
            told = f"{self.line}: the gateway answers, but not the device (exception {code})"
            raise self._given_up(told, Reason.GATEWAY)
        return code

    async def ask(self, request: Request, what: object, *, tries: int = 0) -> bytes:
        """The PDU that answers `request`: NotConnected if the line is gone, NoAnswer if the unit is silent.

        `what` is what it is about, for messages. With `tries` it is sent only so often, and never over a
        second connection.
        """
        chances = 0 if tries else _CHANCES
        while True:
            wire = self._lease.wire if self._lease is not None else None
            if wire is None or not wire.is_open:
                wire = await self._fresh()
            idle_since = wire.answered_s
            try:
                pdu = await wire.ask(
                    request, self._timeout_s, tries or self._tries, self._pause_s, probing=self._probing
                )
            except Lost:
                # Requests that were on the way together are lost together: that is one loss.
                chances -= 1 if wire.answers else _CHANCES
                if chances >= 0 and not self._closed:
                    continue
                doing = "writing" if tries else "reading"
                raise NotConnected(f"{self.line}: {wire.why_lost} while {doing} {what}") from None
            except NoAnswer as silence:
                if silence.heard or not self._is_worth_another(wire, idle_since, request, chances):
                    raise
                chances = 0
                continue
            self._asked_since = True
            self._noisy = 0
            if not (pdu[0] & EXCEPTION and pdu[1:2] in _GATEWAY_SAYS):
                self._place.answered(self.line.unit)
            return pdu

    def _is_worth_another(self, wire: Wire, idle_since: float, request: Request, chances: int) -> bool:
        """After silence: whether a fresh connection may help. Firewalls forget idle ones without a word."""
        if not self.line.endpoint.is_stream:
            return False
        if wire.silences >= SILENT:
            wire.close(f"{SILENT} requests in a row without any answer")
            return False
        if chances < _CHANCES or not wire.answers or request.sent_s - idle_since < _IDLE_S:
            return False
        wire.close("no answer after a long pause")
        return True

    def request(self, pdu: bytes, size: int) -> Request:
        """A request of one's own, answered by a PDU of `size` bytes (0: not known before)."""
        return prepare(self.line.endpoint.framing, self.line.unit, pdu, size)

    def _prepared(self, block: Block) -> Request:
        pdu = READ[block.area](address=block.start, count=block.count)
        request = self._requests[block.area, block.start, block.count] = self.request(pdu_of(pdu), block.size + 2)
        return request

    # -- judging -----------------------------------------------------------------------------

    def _code(self, pdu: bytes, request: Request, block: Block) -> int:
        if pdu[0] == request.function | EXCEPTION and len(pdu) > 1:
            return pdu[1]
        self._unfit = (
            f"asked for {block}, {block.size} bytes of values, and got {_described(pdu)}; "
            "the device is not in step"
        )
        return UNFIT

    def _silent(self, block: Block, silence: NoAnswer) -> int:
        """What an answer that did not come means: raises, or NOISE while there is hope."""
        told = f"no answer to reading {block} within {self._timeout_s:g}s, {_asked(self._tries)}"
        if silence.foreign is not None:
            told += f"; something answers as unit {silence.foreign}"
        elif silence.heard:
            self._noisy += 1
            self._unfit = (
                f"{told}; what arrives is no intact answer ({len(silence.heard)} bytes): "
                "check baud, parity and stop bits, wiring and termination"
            )
            if self._noisy < _NOISY:
                return NOISE
            raise self._given_up(f"{self.line}: {self._unfit}", Reason.GARBLED)
        raise self._given_up(f"{self.line}: {told}", Reason.NO_ANSWER)

    def _given_up(self, told: str, reason: Reason) -> NotConnected:
        if self._gave_up is None:       # several requests may have been on the way
            why = NotConnected(told, reason=reason)
            self._gave_up = self._place.gave_up(self.line.unit, self._timeout_s, why)
        return self._gave_up


def _described(pdu: bytes) -> str:
    if len(pdu) < 2:
        return "an empty answer"
    return f"{len(pdu) - 2} bytes for function {pdu[0]}"


def _asked(tries: int) -> str:
    return "asked once" if tries == 1 else f"asked {tries} times"
