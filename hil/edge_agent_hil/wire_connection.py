"""One connection through a wire: let in, joined to the target, and ended the way its ends or its faults say."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

from edge_agent_hil.wire_faults import DOWN, UP
from edge_agent_hil.wire_pipe import PIECE, End, Pipe, Present

AT_ONCE = struct.pack("ii", 1, 0)       # SO_LINGER: closing sends RST
Tap = Callable[[int, str, bytes], None]
"""number of the connection, from 0; way; what passed. Nothing passed, up: the connection is over."""


class Over(Exception):
    """Nothing passes on this connection any more."""


class Connection:
    """Cancelling `carry` breaks it with RST, towards both ends."""

    def __init__(self, number: int, near: socket.socket, present: Present, seed: int, tap: Tap | None) -> None:
        self._socket, self._present = near, present
        self._dice = {way: Random(f"{seed} {number} {way}") for way in (UP, DOWN)}
        self._seen = {way: partial(tap or _nobody, number, way) for way in (UP, DOWN)}
        self._ends: list[asyncio.StreamWriter] = []
        self._forgotten = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether the socket has become a stream, which closes it."""
        return bool(self._ends)

    def forget(self) -> bool:
        """The target knows nothing of it any more, and nobody tells the other end; whether there was a target."""
        if len(self._ends) == 2:
            self._forgotten.set()
        return self._forgotten.is_set()

    async def carry(self, target: tuple[str, int]) -> None:
        """Until it has ended."""
        try:
            reader, near = await self._joined(sock=self._socket)
            await self._until_over(reader, near, target)
            if self._forgotten.is_set():
                await _swallow(reader)
        finally:
            for end in self._ends:
                if not end.transport.is_closing():
                    _break(end)
            self._seen[UP](b"")

    async def _joined(self, **to: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(limit=PIECE, **to)
        writer.transport.set_write_buffer_limits(0)     # the sender feels what the receiver does not take
        self._ends.append(writer)
        return reader, writer

    def _pipe(self, way: str, reader: asyncio.StreamReader) -> Pipe:
        return Pipe(way, self._present, reader, self._dice[way], self._seen[way])

    async def _until_over(
        self, reader: asyncio.StreamReader, near: asyncio.StreamWriter, target: tuple[str, int]
    ) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                up = self._pipe(UP, reader)
                taking = group.create_task(up.take())
                if not self._present.passes:
                    mended = group.create_task(self._present.wait_until_it_passes())
                    await asyncio.wait({taking, mended}, return_when=asyncio.FIRST_COMPLETED)
                    _stop_if(taking.done())     # gone before the target has ever heard of it
                far_reader, far = await self._reach(target)
                down = self._pipe(DOWN, far_reader)
                group.create_task(down.take())
                forgetting = group.create_task(self._break_when_forgotten(far))
                ways = group.create_task(self._pass(up, far)), group.create_task(self._pass(down, near))
                await asyncio.wait(ways)
                forgetting.cancel()
                self._close()
        except* Over:
            pass

    async def _reach(self, target: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await self._joined(host=target[0], port=target[1])
        except OSError:
            self._present.counters["unreachable"] += 1
            raise Over from None

    async def _pass(self, pipe: Pipe, writer: asyncio.StreamWriter) -> None:
        """One way; raises Over if it does not end in good manners."""
        end = await pipe.give(writer)
        if end is End.FINISHED:
            with suppress(OSError):
                writer.write_eof()
            return
        if end is End.CUT:
            self._close()
        raise Over

    async def _break_when_forgotten(self, far: asyncio.StreamWriter) -> None:
        await self._forgotten.wait()
        _break(far)
        raise Over

    def _close(self) -> None:
        """FIN to both ends, once what has passed is sent."""
        for end in self._ends:
            end.close()


def _stop_if(over: bool) -> None:
    if over:
        raise Over


async def _swallow(reader: asyncio.StreamReader) -> None:
    """Listen, and do nothing about it, until the sender ends."""
    with suppress(OSError):
        while await reader.read(PIECE):
            pass


def _break(end: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    end.transport.abort()


def _nobody(_number: int, _way: str, _data: bytes) -> None:
    """Looks at nothing."""
