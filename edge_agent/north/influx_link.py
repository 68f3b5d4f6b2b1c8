"""A link to an InfluxDB: messages of lines in, requests out, and what a server refuses brought down to the very lines.

An answer is an acknowledgement: InfluxDB has the points in its log then. Sending them again changes nothing, as a point
is named by its series and time; so a request of which nobody knows whether it arrived is simply sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from edge_agent.api import AccessDenied, Message, Rejected
from edge_agent.encode.line_protocol_text import key
from edge_agent.north.influx_config import InfluxConfig
from edge_agent.north.influx_lines import Piece, body, halves, requests, without
from edge_agent.north.influx_reason import LinesRefused, TooLarge
from edge_agent.north.influx_server import Server, Thread

# A request as large as InfluxDB likes it (5,000 lines) is 0.5 to 2 MB; wide lines are held to this.
MOST_BYTES: Final = 4_000_000
# Whoever sends sees at once when a server is gone; where nothing is sent, so late is early enough.
WATCH_S: Final = 60.0


@dataclass(slots=True)
class _Refused:
    """What of a message the server refuses, and why it refused the first of it."""

    reason: str
    parts: list[bytes] = field(default_factory=list)

    @property
    def lines(self) -> bytes:
        return b"\n".join(self.parts)


class InfluxLink:
    """One server as long as it answers; used once."""

    def __init__(self, config: InfluxConfig, name: str) -> None:
        self._server = Server(config)
        self._thread = Thread(f"influxdb-{name}")
        self._most_lines = config.batch_size
        self._most_bytes = MOST_BYTES
        self._answered = 0.0            # by the clock of the loop, when the server last did what it was asked
        self._stored = b""              # the last line of the last request that was stored as a whole

    async def open(self) -> None:
        """See whether the server is there and lets us write."""
        await self._run(self._server.open)

    async def send(self, messages: Sequence[Message]) -> None:
        """See `api.Link.send`. `AccessDenied`: token, bucket; or it refuses even what it has stored before."""
        payloads = [message.payload for message in messages]
        refused: dict[int, _Refused] = {}
        before = self._stored
        for request in requests(payloads, self._most_lines, self._most_bytes):
            await self._write(request, refused)
        if not refused:
            return
        if self._stored is before and not (before and await self._takes(before)):
            # Lines may be wrong. Where not even a right one is taken, it is not they: then they have to wait.
            raise AccessDenied(f"the server takes nothing: {next(iter(refused.values())).reason}")
        parts = {at: one.lines for at, one in refused.items() if one.lines != payloads[at]}
        raise Rejected(sorted(refused), {at: one.reason for at, one in refused.items()}, parts)

    async def closed(self) -> None:
        """See `api.Link.closed`."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(1.0, self._answered + WATCH_S - loop.time()))
            if loop.time() - self._answered >= WATCH_S:
                await self._run(self._server.ping)

    async def close(self) -> None:
        """See `api.Link.close`."""
        self._thread.end(self._server.close)

    async def _write(self, request: list[Piece], refused: dict[int, _Refused]) -> None:
        """Store what can be stored of it, in order; note the rest."""
        waiting = [request]
        while waiting:
            pieces = waiting.pop()
            lines = body(pieces)
            count = lines.count(b"\n") + 1
            try:
                await self._run(partial(self._server.write, lines))
                self._stored = lines[lines.rfind(b"\n") + 1 :]
            except TooLarge as large:
                if count > 1:
                    self._most_bytes = max(1, len(lines) // 2)
                    waiting += reversed(halves(pieces))
                else:
                    _note(refused, pieces, str(large))
            except LinesRefused as refusal:
                waiting += reversed(self._taken_apart(pieces, count, refusal, refused))

    def _taken_apart(
        self, pieces: list[Piece], count: int, refusal: LinesRefused, refused: dict[int, _Refused]
    ) -> list[list[Piece]]:
        """What to send again, in parts; nothing once it is known that all of it is refused."""
        if refusal.field:
            rest, only = without(pieces, key(refusal.field).encode())
            if rest and only:
                return [rest, only]
        if count == 1 or refusal.dropped == count:
            _note(refused, pieces, str(refusal))
            return []
        return list(halves(pieces))

    async def _takes(self, line: bytes) -> bool:
        """Whether a line that it has stored, and nothing newer since, is stored once more."""
        try:
            await self._run(partial(self._server.write, line))
        except (LinesRefused, TooLarge):
            return False
        return True

    async def _run(self, function: Callable[[], None]) -> None:
        await self._thread.run(function)
        self._answered = asyncio.get_running_loop().time()


def _note(refused: dict[int, _Refused], pieces: Sequence[Piece], reason: str) -> None:
    for piece in pieces:
        refused.setdefault(piece.position, _Refused(reason)).parts.append(piece.lines)
