"""Keeps connections alive: the only reconnect loop, the only place that owns tasks.

One connection is one object, used once: each attempt asks for a fresh one. The wait between
attempts grows while attempts fail, is random so that many lines do not knock together, goes
straight to its longest when the peer denies access, and starts over only after a connection has
*lasted*: a peer that accepts and drops at once is as gone as one that refuses. One log line says
that a line is gone, one that it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from edge_agent.errors import AccessDenied, EdgeAgentError
from edge_agent.health import Line

log = logging.getLogger(__name__)


class Closable(Protocol):
    """What `keep_connected` needs to know of a connection."""

    async def close(self) -> None:
        """Let go; never raises."""
        ...


C = TypeVar("C", bound=Closable)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between attempts, seconds."""

    first: float = 0.5
    longest: float = 5.0
    """equipment: short, for a plant that is back wants to be seen within seconds"""
    denied: float = 60.0
    """a wrong password does not get better by asking; some servers lock the account"""
    lasted: float = 10.0
    """a connection that lived this long was a real one: the next wait starts over"""

    def wait(self, failures: int, denied: bool) -> float:
        """Seconds to wait after `failures` attempts in a row, with jitter of ± 25 %."""
        base = self.denied if denied else min(self.longest, self.first * 2 ** min(failures, 30))
        return base * random.uniform(0.75, 1.25)  # noqa: S311 — spreads load, keeps no secret


async def keep_connected(
    line: Line,
    connect: Callable[[], Awaitable[C]],
    use: Callable[[C], Awaitable[None]],
    lost: Callable[[], None],
    clock: Callable[[], int],
    backoff: Backoff,
) -> None:
    """Connect, use, and connect again, for ever; `lost` is called each time a used connection ended."""
    failures = 0
    line.since_ns = clock()
    while True:
        opened: float | None = None
        denied = False
        try:
            connection = await connect()
            opened = asyncio.get_running_loop().time()
            _back(line, clock())
            try:
                await use(connection)
            finally:
                await connection.close()
            error = "the connection ended"
        except EdgeAgentError as reason:
            error, denied = str(reason), isinstance(reason, AccessDenied)
        except Exception as reason:
            # A bug in one plugin must not stop the others: said with its traceback, then retried.
            log.exception("%s: unexpected error at %s", line.name, line.address)
            error = f"{type(reason).__name__}: {reason}"
        if opened is not None:
            lost()
            if asyncio.get_running_loop().time() - opened >= backoff.lasted:
                failures = 0
        _gone(line, error, clock())
        await asyncio.sleep(backoff.wait(failures, denied))
        failures += 1


def _back(line: Line, now: int) -> None:
    if line.error:
        away = (now - line.since_ns) / 1e9
        log.info("%s: connected to %s, after %.1f s away", line.name, line.address, away)
    else:
        log.info("%s: connected to %s", line.name, line.address)
    line.state, line.since_ns, line.error = "connected", now, ""


def _gone(line: Line, error: str, now: int) -> None:
    if not line.error:
        log.warning("%s: lost %s: %s; trying again until it answers", line.name, line.address, error)
        line.since_ns = now
    else:
        log.debug("%s: still no %s: %s", line.name, line.address, error)
    line.state, line.error = "lost", error


async def together(*parts: tuple[str, Coroutine[Any, Any, None]]) -> None:
    """Run named parts until the first fails, end the others, and raise what it failed with."""
    try:
        async with asyncio.TaskGroup() as group:
            for name, part in parts:
                group.create_task(part, name=name)
    except BaseExceptionGroup as several:
        # One cause is what the caller can act upon; the others followed from it.
        raise several.exceptions[0] from None


async def until(stop: asyncio.Event, *parts: tuple[str, Coroutine[Any, Any, None]]) -> None:
    """Run named parts until `stop` is set, then end them all; the first that fails ends them all, too."""

    async def watch() -> None:
        await stop.wait()
        raise _Stopped

    with contextlib.suppress(_Stopped):
        await together(*parts, ("stop", watch()))


class _Stopped(Exception):
    """Ends the parts; never leaves this module."""
