"""A control port: an order a line, an answer a line, JSON objects, on this computer only.

A wrong order gets {"error": "…"}, and nothing changes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

HOST = "127.0.0.1"
Order = Mapping[str, Any]


class Control:
    """`obey` carries out an order with one of `keys` and gives the answer; ValueError says what is wrong with it."""

    def __init__(self, keys: Collection[str], obey: Callable[[Order], Awaitable[dict[str, Any]]]) -> None:
        self._keys, self._obey = keys, obey
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._listen_to, HOST, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Let go of everyone."""
        if self._server is not None:
            self._server.close()
        for writer in self._lines.values():
            writer.close()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _listen_to(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is a task"
        self._lines[task] = writer
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass                # gone, or a line longer than any order: nobody to answer
        finally:
            del self._lines[task]
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            order = json.loads(line)
        except ValueError as error:
            return {"error": f"not JSON: {error}"}
        if not isinstance(order, dict) or not order.keys() & set(self._keys):
            return {"error": f"an order is a JSON object with one of {', '.join(self._keys)}"}
        try:
            return await self._obey(order)
        except ValueError as error:
            return {"error": str(error)}


def only(order: Order, keys: Collection[str]) -> None:
    """ValueError if it says anything else."""
    if unknown := sorted(order.keys() - set(keys)):
        raise ValueError(f"there is no order {unknown[0]!r}; there are {', '.join(keys)}")


def texts(order: Order, key: str, example: str) -> list[str]:
    """A list of texts; ValueError if it is none."""
    said = order[key]
    if not isinstance(said, list) or not all(isinstance(text, str) for text in said):
        raise ValueError(f"{key}: write a list, such as {example}")
    return said
