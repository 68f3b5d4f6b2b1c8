"""A wire with faults on demand: a TCP proxy before a device or a broker, simulated or real.

    wire = Wire("127.0.0.1", 502)
    port = await wire.start()
    wire.apply(wire_fault("black-hole"))
    wire.clear()
    await wire.close()

Faults of different names hold at the same time; one applied again replaces itself. Whoever connects is let in before
the target is asked; a target that is not there shows as a connection that breaks.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial

from edge_agent_hil.wire_connection import Connection, Tap
from edge_agent_hil.wire_faults import WireFault
from edge_agent_hil.wire_pipe import Present

BACKLOG = 100


class Wire:
    """Listens on `host` (`port` 0: a free one) and connects to the target for everyone who connects."""

    def __init__(
        self, target: str, target_port: int, host: str = "127.0.0.1", port: int = 0, seed: int = 1,
        tap: Tap | None = None,
    ) -> None:  # fmt: skip
        self.host, self.port = host, port
        self.target = target, target_port
        self._seed = seed
        self._tap = tap
        self._present = Present()
        self._place: socket.socket | None = None
        self._door: socket.socket | None = None
        self._carried: dict[Connection, asyncio.Task[None]] = {}
        self._again: asyncio.TimerHandle | None = None

    @property
    def faults(self) -> list[WireFault]:
        """What is wrong now."""
        return list(self._present.faults.values())

    def counters(self) -> dict[str, int]:
        """What has happened: `connections`, `open` ones now, `unreachable` targets, `up_bytes`, `down_bytes`,
        `reset`, `cut`, `half_open` connections, and pieces that were hit by `corrupt`, `duplicate` and `lose`."""
        return {**self._present.counters, "open": len(self._carried)}

    async def start(self) -> int:
        """Listen; the port. OSError if it is taken."""
        # Bound for as long as the wire lives, so that nobody gets the port while the wire refuses.
        self._place = self._bound(self.port)
        self.port = self._place.getsockname()[1]
        self._open()
        return self.port

    def apply(self, fault: WireFault) -> None:
        """From now on."""
        self._present.faults[fault.name] = fault
        self._present.turn_gates()
        match fault.name:
            case "refuse":
                self._shut()
                if not fault.keep:
                    self._reset()
            case "reset":
                self._keep_resetting(fault)
            case "half-open":
                for connection in tuple(self._carried):
                    self._present.counters["half_open"] += connection.forget()

    def clear(self, *names: str) -> None:
        """These are no more; without a name: none is. What a fault has broken stays broken."""
        for name in names or tuple(self._present.faults):
            self._present.faults.pop(name, None)
        self._present.turn_gates()
        if "refuse" not in self._present.faults:
            self._open()
        if "reset" not in self._present.faults and self._again:
            self._again.cancel()

    async def close(self) -> None:
        """End every connection, and be gone."""
        self._shut()
        if self._again:
            self._again.cancel()
        if self._place:
            self._place.close()
            self._place = None
        tasks = list(self._carried.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _bound(self, port: int) -> socket.socket:
        family = socket.getaddrinfo(self.host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        try:
            made.bind((self.host, port))
        except OSError:
            made.close()
            raise
        return made

    def _open(self) -> None:
        if self._door is None and self._place is not None:
            self._door = self._bound(self.port)
            self._door.listen(BACKLOG)
            asyncio.get_running_loop().add_reader(self._door.fileno(), self._let_in, self._door)

    def _shut(self) -> None:
        if self._door is not None:
            asyncio.get_running_loop().remove_reader(self._door.fileno())
            self._door.close()
            self._door = None

    def _let_in(self, door: socket.socket) -> None:
        try:
            near, _ = door.accept()
        except OSError:
            return              # gone again
        near.setblocking(False)
        number = self._present.counters["connections"]
        self._present.counters["connections"] += 1
        connection = Connection(number, near, self._present, self._seed, self._tap)
        task = asyncio.create_task(connection.carry(self.target), name=f"wire {self.port}, connection {number}")
        self._carried[connection] = task
        task.add_done_callback(partial(self._ended, connection, near))

    def _ended(self, connection: Connection, near: socket.socket, _task: asyncio.Task[None]) -> None:
        del self._carried[connection]
        if not connection.has_begun:
            near.close()        # cancelled at once

    def _reset(self) -> None:
        for task in self._carried.values():
            self._present.counters["reset"] += 1
            task.cancel()

    def _keep_resetting(self, fault: WireFault) -> None:
        self._reset()
        if self._again:
            self._again.cancel()
        if fault.every_s:
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(fault.every_s, self._keep_resetting, fault)
