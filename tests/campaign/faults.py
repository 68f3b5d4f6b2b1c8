"""What may fail north of the agent: coroutines that bring a fault about, let it last and end it.

Where the kernel has no netem (it is a module that many machines lack), loss and delay are made by the wire.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.campaign.subscriber import Subscriber
from tests.peers.mosquitto import Mosquitto
from tests.peers.opcua_world import Wire

SLOW_S, LOSS = 0.3, 0.1
# A process begins and ends in a second, on a busy computer in many.
PATIENCE_S = 60.0


@dataclass(slots=True)
class North:
    """The broker, the wire to it, and who listens behind it."""

    broker: Mosquitto
    wire: Wire
    subscriber: Subscriber


async def cut(north: North, seconds: float) -> None:
    """The cable is cut, and both ends notice."""
    north.wire.refuse()
    north.wire.reset()
    await asyncio.sleep(seconds)
    north.wire.mend()


async def silence(north: North, seconds: float) -> None:
    """The cable is out and nobody is told."""
    north.wire.hold()
    await asyncio.sleep(seconds)
    north.wire.mend()


async def resets(north: North, seconds: float) -> None:
    """A middlebox breaks what it does not like, several times."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        north.wire.reset()
        await asyncio.sleep(0.4)


async def slow(north: North, seconds: float) -> None:
    """A network that loses a tenth and takes its time."""
    north.wire.slow(SLOW_S, LOSS)
    await asyncio.sleep(seconds)
    north.wire.slow(0, 0)


async def hang(north: North, seconds: float) -> None:
    """The broker stands still, with every connection open."""
    north.broker.signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    north.broker.signal(signal.SIGCONT)


async def restart(north: North, seconds: float) -> None:
    """The broker is stopped in good manners, so it keeps its sessions, and started again."""
    await asyncio.to_thread(north.broker.stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(north.broker.start)


async def crash(north: North, seconds: float) -> None:
    """The broker is killed and forgets its sessions: nobody is let in before the subscriber listens again, for what a
    broker takes for nobody is acknowledged and gone; so is what it has acknowledged and the subscriber has not read,
    because a killed process resets its connections."""
    north.wire.hold()
    await asyncio.to_thread(north.subscriber.catch_up)
    north.wire.refuse()
    north.broker.kill()
    north.wire.reset()
    await asyncio.sleep(seconds)
    await asyncio.to_thread(north.broker.start)
    assert await asyncio.to_thread(north.subscriber.listens.wait, PATIENCE_S)
    north.wire.mend()


NORTH: dict[str, Callable[[North, float], Awaitable[None]]] = {
    one.__name__: one for one in (cut, silence, resets, slow, hang, restart, crash)
}
