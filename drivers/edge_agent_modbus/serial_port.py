"""Serial ports: opened in a thread that nobody has to wait for, closed without waiting for the line.

Adapters take their time to open, and some never return. The pool in which asyncio does such things has a
handful of threads, is waited for at the end, and looks up everybody's names: so each opening has a
thread of its own, and a port is not opened again while the last attempt still hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from pymodbus.transport.serialtransport import SerialTransport
from serial.rs485 import RS485Settings

from edge_agent_modbus.settings import Rs485, SerialSettings

_opening: set[str] = set()


class StillOpening(Exception):
    """The last attempt to open this port has not come back yet."""


class Port(SerialTransport):
    """A serial port as a transport."""

    def close(self, exc: Exception | None = None) -> None:
        """Close; what has not been sent is dropped, for the system would wait until it is."""
        if self.sync_serial:
            with contextlib.suppress(Exception):
                self.sync_serial.reset_output_buffer()
        super().close(exc)


async def open_port(protocol: asyncio.BaseProtocol, path: str, settings: SerialSettings) -> Port:
    """The port, open but not yet listened to; whatever pyserial raises, or StillOpening. Safe to cancel."""
    loop = asyncio.get_running_loop()
    return await _in_a_thread(path, lambda: _opened(loop, protocol, path, settings))


def _opened(loop: Any, protocol: Any, path: str, settings: SerialSettings) -> Port:
    port = Port(loop, protocol, path, settings.baud, settings.bits, settings.parity, settings.stop, 0)
    if settings.rs485 is not None:
        try:
            port.sync_serial.rs485_mode = _rs485(settings.rs485)
        except BaseException:
            _let_go(port)
            raise
    return port


def _rs485(settings: Rs485) -> RS485Settings:
    return RS485Settings(
        rts_level_for_tx=settings.rts_on_send,
        rts_level_for_rx=not settings.rts_on_send,
        delay_before_tx=settings.delay_before_send / 1e9 or None,
        delay_before_rx=settings.delay_after_send / 1e9 or None,
    )


async def _in_a_thread(path: str, work: Callable[[], Port]) -> Port:
    if path in _opening:
        raise StillOpening
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Port] = loop.create_future()

    def run() -> None:
        outcome: Port | BaseException
        try:
            outcome = work()
        except BaseException as failure:
            outcome = failure
        _opening.discard(path)
        try:
            loop.call_soon_threadsafe(_tell, future, outcome)
        except RuntimeError:        # the agent has ended meanwhile
            _let_go(outcome)

    _opening.add(path)
    threading.Thread(target=run, name=f"open-{path}", daemon=True).start()
    return await future


def _tell(future: asyncio.Future[Port], outcome: Port | BaseException) -> None:
    if future.cancelled():
        _let_go(outcome)
    elif isinstance(outcome, Port):
        future.set_result(outcome)
    else:
        future.set_exception(outcome)


def _let_go(outcome: Port | BaseException) -> None:
    """Nobody wants this port any more."""
    if isinstance(outcome, Port):
        outcome.sync_serial.close()
