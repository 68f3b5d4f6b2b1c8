"""The server in a thread of its own, with an event loop of its own: nothing it does holds the agent up.

Building OPC UA's own 6,000 nodes takes seconds of computing, and the garbage collector, which looks at all of
them again and again, would stop the whole program for half a second each time. So it is off while they are
built, and afterwards they, who live as long as the server, are put where it does not look (`gc.freeze`).

What is to be shown is handed over as the newest value of each variable that is not shown yet: when the thread
is slow, less is handed over, never more than there are variables.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, Protocol

from edge_agent_opcua.serving.shown import Change

# After so many values others of the thread, the clients, have their turn.
_AT_ONCE: Final = 200


class Showing(Protocol):
    """A server that listens; used by its own thread only."""

    async def put(self, change: Change) -> None:
        """Show a new value."""
        ...

    def known(self, at: datetime) -> None:
        """Everything that is shown was true at `at`."""
        ...

    async def stop(self) -> None:
        """Close the port and let go of everything."""
        ...


Open = Callable[[threading.Event, Sequence[Change]], Awaitable[Showing]]
"""`open(stop, first values)` builds a server and listens, or gives up soon after `stop` is set, with any exception."""


class _Collector:
    """Keeps the garbage collector off while at least one server is being built."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._building = 0
        self._was_on = False

    @contextmanager
    def off(self) -> Iterator[None]:
        with self._lock:
            if not self._building:
                self._was_on = gc.isenabled()
                gc.disable()
            self._building += 1
        try:
            yield
        finally:
            with self._lock:
                self._building -= 1
                if not self._building and self._was_on:
                    gc.freeze()
                    gc.enable()


_COLLECTOR: Final = _Collector()


class Thread:
    """A server's thread. All methods belong to the event loop in which it was made."""

    def __init__(self, name: str, open_server: Open) -> None:
        self._open = open_server
        self._home = asyncio.get_running_loop()
        self._loop: asyncio.AbstractEventLoop | None = None     # of the thread, once it has one
        self._lock = threading.Lock()
        self._waiting: dict[str, Change] = {}
        self._known_at: datetime | None = None
        self._woken = False
        self._wake = asyncio.Event()                            # the thread's
        self._stop = threading.Event()
        self._first: Sequence[Change] = ()
        self._listens: asyncio.Future[None] = self._home.create_future()
        self._ended: asyncio.Future[BaseException | None] = self._home.create_future()
        self._thread = threading.Thread(target=self._run, name=f"opcua-server-{name}", daemon=True)

    async def start(self, first: Sequence[Change]) -> None:
        """Return once the server listens and shows the first values; raises why it cannot."""
        self._first = first
        self._thread.start()
        await asyncio.wait((self._listens, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if self._ended.done():
            raise self._ended.result() or RuntimeError("the server's thread has ended at once")

    def show(self, changes: Sequence[Change], known_at: datetime) -> None:
        """Have the newest values shown soon."""
        with self._lock:
            self._waiting.update((change.key, change) for change in changes)
            self._known_at = known_at
            wake = not self._woken
            self._woken = True
        if wake:
            self._tell(self._wake.set)

    async def ended(self) -> BaseException:
        """Wait until the thread has ended by itself; returns why."""
        return await asyncio.shield(self._ended) or RuntimeError("the server's thread has ended")

    async def stop(self) -> None:
        """End it; returns once no trace of it is left."""
        self._stop.set()
        if self._thread.ident is None:
            return
        self._tell(self._wake.set)
        await asyncio.wait((self._ended,))
        self._thread.join()     # it has nothing left to do

    def _tell(self, what: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(what)
            except RuntimeError:    # the thread has just ended
                pass

    # -- in the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        reason: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve())
        except BaseException as fault:
            reason = fault
        try:
            self._home.call_soon_threadsafe(self._note_end, reason)
        except RuntimeError:        # the agent has ended without waiting
            pass

    def _note_end(self, reason: BaseException | None) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _note_listening(self) -> None:
        if not self._listens.done():
            self._listens.set_result(None)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        with _COLLECTOR.off():
            server = await self._open(self._stop, self._first)
        self._first = ()
        try:
            self._home.call_soon_threadsafe(self._note_listening)
            while not self._stop.is_set():
                await self._wake.wait()
                self._wake.clear()
                await self._put_all(server)
        finally:
            await server.stop()

    async def _put_all(self, server: Showing) -> None:
        with self._lock:
            changes, self._waiting = self._waiting, {}
            known_at, self._known_at = self._known_at, None
            self._woken = False
        for n, change in enumerate(changes.values()):
            if n % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            await server.put(change)
        if known_at is not None:
            server.known(known_at)
