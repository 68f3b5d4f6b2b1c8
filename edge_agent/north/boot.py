"""After a power cut all gateways of a plant start in the same second, and would all knock at the broker in the next."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

from edge_agent.lookup import is_here

FRESH_S: Final = 300.0
"""a computer that started longer ago did not start just now together with others; slow gateways take two minutes"""
SPREAD_S: Final = 5.0
"""a hundred gateways make twenty connections a second; nobody misses five seconds after a power cut"""


def up_s() -> float:
    """Seconds since this computer started; endless where it does not say."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else float("inf")


async def wait_after_boot(addresses: Sequence[str], up_s: Callable[[], float] = up_s) -> None:
    """Wait a random time before the first connection, if this computer has only just started.

    Not for what is on this computer itself: nobody else asks there.
    """
    if up_s() < FRESH_S and not all(map(is_here, addresses)):
        await asyncio.sleep(random.uniform(0, SPREAD_S))  # noqa: S311 — spreads load, keeps no secret
