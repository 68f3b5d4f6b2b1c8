"""Work that blocks, in a thread that nobody waits for at the end: a pipe nobody reads must not keep the agent alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T], name: str) -> T:
    """What `work` returns or raises. Cancelled, the thread goes on, and what it comes to is nobody's concern."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]   # what it returned

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as problem:
            error = problem
        try:
            loop.call_soon_threadsafe(tell, result, error)
        except RuntimeError:
            pass    # the agent has ended meanwhile

    threading.Thread(target=run, name=name, daemon=True).start()
    return await future
