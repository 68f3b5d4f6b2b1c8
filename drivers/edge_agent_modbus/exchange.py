"""A request and its answer on pymodbus's connection, without what that library does around them.

`TransactionManager.execute` takes a lock (a session asks one thing at a time), builds the frame anew,
and waits with `asyncio.wait_for`, which makes and cancels a timer for each request: together as much
as sending takes. Here the frame is prepared once, and one timer watches over all requests; it looks
again only when the deadline it was set for has passed.

Beyond the library's documented face this relies on the names in `NEEDED`, which all are what
`execute` itself uses; without one of them, `Client` goes through `execute`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ModbusPDU

NEEDED: Final = (
    "getNextTID", "recv_buffer", "request_dev_id", "request_transaction_id", "response_future", "transport",
)  # fmt: skip


class Exchange:
    """Asks the unit `unit` over `ctx`, up to `tries` times, each time for `timeout_s` at most.

    Create inside a running loop; one request at a time; `close` in the end.
    """

    def __init__(self, ctx: Any, unit: int, timeout_s: float, tries: int) -> None:
        self._ctx = ctx
        self._unit = unit
        self._timeout_s = timeout_s
        self._tries = tries
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[ModbusPDU] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, rest: bytes) -> ModbusPDU:
        """Send the frame of which `rest` follows the transaction number; the answer to it.

        ConnectionException: there is no connection; ModbusIOException: no answer. Whoever fails
        `ctx.response_future` fails the request. All tries have one number: a late answer is an answer.
        """
        ctx = self._ctx
        number: int = ctx.getNextTID()
        ctx.request_transaction_id, ctx.request_dev_id = number, self._unit
        frame = number.to_bytes(2, "big") + rest
        for _ in range(self._tries):
            if ctx.transport is None:
                raise ConnectionException("not connected")
            ctx.recv_buffer = b""
            answer = self._answer = ctx.response_future = self._loop.create_future()
            ctx.transport.write(frame)
            self._deadline = self._loop.time() + self._timeout_s
            if self._timer is None:
                self._timer = self._loop.call_at(self._deadline, self._look)
            try:
                return cast(ModbusPDU, await answer)
            except TimeoutError:
                continue
        raise ModbusIOException("no answer")

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Give up the try under way if it is overdue; else look again when it would be."""
        self._timer = None
        if self._answer is None or self._answer.done():
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look)
        else:
            self._answer.set_exception(TimeoutError())
