"""One connection, spoken through pymodbus: with `exchange`, all that knows that library's insides.

What is relied on beyond its documented face, and what happens when a later version lacks it:

* `framer.decoder.decode(frame)` makes the response object: ours keeps the bytes as they are (a
  third of the time a request takes went into lists of integers and texts for a log that is
  off). Tried at import; without it the bytes are made again from `registers` and `bits`.
* `ctx.response_future` is what a request waits for: it is failed when the line drops or is
  closed, as otherwise the request sits out all its timeouts. Without it, it does.
* what `exchange` needs to send a prepared request. Without it, requests go through `execute`.
* `ctx.call_create` opens the connection: wrapped to learn why it failed, which is only logged.
* `ctx.max_buffer_size` holds less than two answers; a late one and the one to the repeated
  request, arriving together, would both be dropped.

pymodbus's own reconnecting is off, and so is its log, unless the user has set a level for it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from edge_agent.api import NotConnected
from edge_agent_modbus.address import Area
from edge_agent_modbus.config import SECOND, Settings
from edge_agent_modbus.exchange import NEEDED, Exchange
from edge_agent_modbus.plan import Block

_REQUEST: Final[dict[Area, type[ModbusPDU]]] = {
    Area.COIL: ReadCoilsRequest,
    Area.DISCRETE: ReadDiscreteInputsRequest,
    Area.HOLDING: ReadHoldingRegistersRequest,
    Area.INPUT: ReadInputRegistersRequest,
}
_BUFFER: Final = 4_096

_log = logging.getLogger("pymodbus")
if _log.level == logging.NOTSET:
    _log.setLevel(logging.CRITICAL + 1)


class _Answer(ModbusPDU):
    """A response as it came: function code and data."""

    def __init__(self, frame: bytes) -> None:
        # deliberately without the base's ten attributes; the transaction manager uses these
        self.frame = frame
        self.function_code = frame[0]
        self.dev_id = self.transaction_id = self.retries = 0


class _Decoder(DecodePDU):
    """Keeps every response as bytes; judging them is left to `Client.ask`, where errors have a caller."""

    def decode(self, frame: bytes) -> ModbusPDU | None:
        return _Answer(frame)


def _raw_answers_work() -> bool:
    framer = FramerSocket(_Decoder(False))
    _, answer = framer.handleFrame(b"\0\7\0\0\0\5\1\3\2\x12\x34", 1, 7)
    return isinstance(answer, _Answer) and answer.frame == b"\3\2\x12\x34" and answer.transaction_id == 7


RAW: Final = _raw_answers_work()
"""Whether answers are taken as bytes (fast) or through pymodbus's own response classes"""


@dataclass(frozen=True, slots=True)
class Request:
    """One prepared read: what to send, and how a whole answer begins and how long it is.

    `rest` is the frame behind the transaction number.
    """

    block: Block
    pdu: ModbusPDU
    rest: bytes
    head: bytes
    length: int

    @classmethod
    def of(cls, block: Block, unit: int) -> Request:
        """The request that reads `block` from `unit`."""
        pdu = _REQUEST[block.area](address=block.start, count=block.count, dev_id=unit)
        rest = FramerSocket(_Decoder(False)).buildFrame(pdu)[2:]
        return cls(block, pdu, rest, bytes((block.area, block.size)), block.size + 2)


class Client:
    """One TCP connection to one unit; create inside a running loop, use once.

    `on_loss` is called once, when the peer or the network has ended the connection. Error
    messages name the line. No two requests at a time.
    """

    def __init__(self, settings: Settings, on_loss: Callable[[], None]) -> None:
        self._settings = settings
        self._line = settings.line
        self._on_loss = on_loss
        self._asking = False
        self._refusal = ""
        self._received = b""
        self._tcp = AsyncModbusTcpClient(
            self._line.host,
            port=self._line.port,
            timeout=settings.timeout_ns / SECOND,
            retries=settings.retries,
            reconnect_delay=0,
            trace_packet=self._traffic,
            trace_connect=self._changed,
        )
        ctx: Any = self._tcp.ctx
        if RAW:
            ctx.framer.decoder = _Decoder(False)
        ctx.max_buffer_size = _BUFFER
        if (create := getattr(ctx, "call_create", None)) is not None:
            ctx.call_create = lambda: self._noting_why_not(create)
        self._exchange: Exchange | None = None
        if RAW and all(hasattr(ctx, name) for name in NEEDED):
            timeout_s = settings.timeout_ns / SECOND
            self._exchange = Exchange(ctx, self._line.unit, timeout_s, settings.retries + 1)

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as one can know without asking."""
        return self._tcp.connected

    async def connect(self) -> None:
        """Open the connection; NotConnected says why not."""
        cancelled = _cancellations()
        if not await self._tcp.connect():
            why = self._refusal or f"nobody answers the attempt to connect within {self._seconds}"
            raise NotConnected(f"{self._line}: {why}")
        _pass_on(cancelled)

    async def ask(self, request: Request) -> bytes | int:
        """The bytes of values the device answers, `request.block.size` of them, or its exception code.

        NotConnected if there is no answer, the line drops, or the answer is not to this request.
        """
        self._asking, self._received = True, b""
        try:
            if self._exchange is not None:
                answer = await self._exchange.ask(request.rest)
            else:
                answer = await self._executed(request.pdu)
        except ConnectionException:
            raise NotConnected(f"{self._line}: connection lost while reading {request.block}") from None
        except (ModbusException, OSError) as failure:
            raise NotConnected(f"{self._line}: {self._silence(request)}") from failure
        finally:
            self._asking = False
        frame = answer.frame if isinstance(answer, _Answer) else _frame_again(answer, request)
        if len(frame) == request.length and frame[:2] == request.head:
            return frame[2:]
        if frame[0] == request.head[0] | 0x80 and len(frame) > 1:
            return frame[1]
        raise NotConnected(
            f"{self._line}: asked for {request.block}, {request.block.size} bytes of values, and got "
            f"{_described(frame)}; the device is not in step"
        )

    def close(self) -> None:
        """End the connection; a request under way fails at once with NotConnected."""
        self._fail_request("closed")
        self._tcp.close()
        if self._exchange is not None:
            self._exchange.close()

    async def _executed(self, pdu: ModbusPDU) -> ModbusPDU:
        cancelled = _cancellations()
        answer = await self._tcp.execute(False, pdu)
        _pass_on(cancelled)
        return cast(ModbusPDU, answer)

    def _changed(self, up: bool) -> None:
        if not up:
            self._fail_request("connection lost")
            self._on_loss()

    def _fail_request(self, why: str) -> None:
        future = getattr(self._tcp.ctx, "response_future", None)
        if self._asking and future is not None and not future.done():
            future.set_exception(ConnectionException(why))

    def _traffic(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._received = data
        return data

    async def _noting_why_not(self, create: Callable[[], Any]) -> Any:
        try:
            return await create()
        except socket.gaierror:
            self._refusal = "the host's name is not known"
            raise
        except ConnectionRefusedError:
            self._refusal = "connection refused; nothing listens on this port"
            raise
        except OSError as failure:
            self._refusal = failure.strerror or str(failure)
            raise

    def _silence(self, request: Request) -> str:
        times = self._settings.retries + 1
        asked = "asked once" if times == 1 else f"asked {times} times"
        told = f"no answer to reading {request.block} within {self._seconds}, {asked}"
        foreign = self._received[6] if len(self._received) > 6 else self._line.unit
        if foreign != self._line.unit:
            told += f"; something answers as unit {foreign}"
        return told

    @property
    def _seconds(self) -> str:
        return f"{self._settings.timeout_ns / SECOND:g}s"


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _pass_on(before: int) -> None:
    # asyncio.wait_for of Python 3.11, inside pymodbus, swallows a cancellation that comes in the
    # same turn of the loop as the answer: the task would then never end.
    if _cancellations() > before:
        raise asyncio.CancelledError


def _frame_again(answer: ModbusPDU, request: Request) -> bytes:
    """The frame of a response that pymodbus has decoded; its missing values stay missing."""
    if answer.isError():
        return bytes((answer.function_code, answer.exception_code))
    if request.block.area.is_bits:
        data = np.packbits(np.array(answer.bits, np.bool_), bitorder="little").tobytes()
    else:
        data = struct.pack(f">{len(answer.registers)}H", *answer.registers)
    return bytes((answer.function_code, len(data) & 0xFF)) + data


def _described(frame: bytes) -> str:
    if len(frame) < 2:
        return "an empty answer"
    return f"{len(frame) - 2} bytes for function {frame[0]}"
