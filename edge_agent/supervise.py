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
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from edge_agent.errors import AccessDenied, EdgeAgentError, NotConnected
from edge_agent.health import Line
from edge_agent.lookup import Lookup

log = logging.getLogger(__name__)

# Plugins let go within a second or two; one that does not is left behind.
CLOSE_S = 10.0


class Closable(Protocol):
    """What `keep_connected` needs to know of a connection."""

    async def close(self) -> None:
        """Let go; never raises. (A `place` beside it says where it goes, if that may be one of several.)"""
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

    spread: bool = False
    """many of us ask the same peer: waits are anything between nothing and twice what they would be, so that those
    who lost it in the same instant come back evenly spread ("full jitter")"""

    def wait(self, failures: int, denied: bool) -> float:
        """Seconds to wait after `failures` attempts in a row, with jitter of ± 25 %, or of ± 100 % if `spread`."""
        base = self.denied if denied else min(self.longest, self.first * 2 ** min(failures, 30))
        jitter = 1.0 if self.spread and not denied else 0.25
        return base * random.uniform(1 - jitter, 1 + jitter)  # noqa: S311 — spreads load, keeps no secret


async def keep_connected(
    line: Line,
    connect: Callable[[], Awaitable[C]],
    use: Callable[[C], Awaitable[None]],
    lost: Callable[[Exception], None],
    clock: Callable[[], int],
    backoff: Backoff,
) -> None:
    """Connect, use, and connect again, for ever; `lost` is called with the reason each time a used
    connection ended.

    The names in `line.addresses` are looked up before each attempt.
    """
    failures = 0
    loop = asyncio.get_running_loop()
    opened: float | None = None
    lookup = Lookup(*line.addresses)
    line.since_ns = clock()

    async def attempt() -> None:
        nonlocal opened
        await lookup.found()
        connection = await connect()
        opened = loop.time()
        line.place = getattr(connection, "place", "")
        _back(line, clock())
        try:
            await use(connection)
        finally:
            await _close(line, connection)

    while True:
        opened = None
        reason: Exception = NotConnected("the connection ended")
        try:
            # In a task of its own: a plugin that makes another exception of its cancellation ends there.
            await together((line.name, attempt()))
        except Exception as error:
            reason = error
        if opened is not None:
            lost(reason)
            if loop.time() - opened >= backoff.lasted:
                failures = 0
        failures += 1
        wait = backoff.wait(failures - 1, isinstance(reason, AccessDenied))
        if isinstance(reason, NotConnected):
            wait = max(wait, reason.retry_after_s)
        _gone(line, reason, clock())
        line.failures, line.next_ns = failures, clock() + round(wait * 1e9)
        await asyncio.sleep(wait)


async def _close(line: Line, connection: Closable) -> None:
    """Close; a plugin that raises or hangs here keeps neither the next attempt nor the end waiting."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await connection.close()
    except TimeoutError:
        log.error("%s: closing the connection took longer than %g s; left as it is", line.name, CLOSE_S)
    except Exception:
        log.exception("%s: unexpected error while closing", line.name)


def _back(line: Line, now: int) -> None:
    where = line.place or line.address
    if line.error:
        away = (now - line.since_ns) / 1e9
        log.info("%s: %s %s, after %.1f s away", line.name, line.phrases.up, where, away)
    else:
        log.info("%s: %s %s", line.name, line.phrases.up, where)
    line.state, line.since_ns, line.error = "connected", now, ""
    line.failures = line.next_ns = 0


def _gone(line: Line, reason: Exception, now: int) -> None:
    expected = isinstance(reason, EdgeAgentError)
    error = str(reason) if expected else f"{type(reason).__name__}: {reason}"
    error = error or type(reason).__name__
    if not expected and error != line.error:
        # A bug in one plugin must not stop the others: said with its traceback, then retried.
        log.error("%s: unexpected error at %s", line.name, line.address, exc_info=reason)
    if not line.error:
        what, until = "lost" if line.state == "connected" else line.phrases.never, line.phrases.until
        log.warning("%s: %s %s: %s; trying again until %s", line.name, what, line.address, error, until)
        line.since_ns = now
    else:
        log.debug("%s: still no %s: %s", line.name, line.address, error)
    line.state, line.error, line.place = "lost", error, ""


async def together(*parts: tuple[str, Coroutine[Any, Any, None]]) -> None:
    """Run named parts until the first fails, end the others, and raise what it failed with.

    Not a TaskGroup: there, a part that fails while the whole is being cancelled makes the cancellation
    disappear, and with it the only request to end.
    """
    tasks = [asyncio.create_task(_named(name, part), name=name) for name, part in parts]
    failed: list[asyncio.Task[None]] = []
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
    finally:
        await _end([task for task in tasks if task not in failed[:1]])
    if failed:
        # One cause is what the caller can act upon; the others followed from it.
        failed[0].result()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, (EdgeAgentError, _Stopped)):
            log.error("unexpected error while ending", exc_info=outcome)


async def _named(name: str, part: Coroutine[Any, Any, None]) -> None:
    try:
        await part
    except EdgeAgentError:
        raise
    except Exception as error:
        error.add_note(f"in the part {name!r}")
        raise


async def until(stop: asyncio.Event, *parts: tuple[str, Coroutine[Any, Any, None]]) -> None:
    """Run named parts until `stop` is set, then end them all; the first that fails ends them all, too."""

    with contextlib.suppress(_Stopped):
        await together(*parts, ("stop", _raise_when(stop)))


class Crew:
    """Named parts that begin and end one by one while the others work on."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have what `make` makes work from now on."""

        async def part() -> None:
            await _named(name, make())      # made here: nothing is left behind of a part that ends before it begins

        self._tasks[name] = asyncio.create_task(part(), name=name)

    async def work(self, until: asyncio.Event) -> None:
        """Return once `until` is set; raises what the first part failed with that fails, also before this call."""
        stop = asyncio.create_task(_raise_when(until))
        try:
            await asyncio.wait([stop, *self._tasks.values()], return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await _end([stop])
        failed = [name for name, one in self._tasks.items() if one.done() and not one.cancelled() and one.exception()]
        if failed:
            # One cause is what the caller can act upon; the others followed from it.
            self._tasks.pop(failed[0]).result()

    async def end(self, but: Collection[str] = ()) -> None:
        """End all others."""
        ending = [name for name in self._tasks if name not in but]
        await _end([self._tasks.pop(name) for name in ending])


async def _raise_when(set_: asyncio.Event) -> None:
    await set_.wait()
    raise _Stopped


class _Stopped(Exception):
    """Ends the parts; never leaves this module."""
