"""A serial line with faults on demand: a pseudo-terminal before a serial device. What is lost on it is gone."""

from __future__ import annotations

import asyncio
import os
import tty
from asyncio.streams import FlowControlMixin
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import serial

from edge_agent_hil.place import SerialPlace
from edge_agent_hil.wire_faults import DOWN, UP, WireFault
from edge_agent_hil.wire_pipe import PIECE, Pipe, Present

SERIAL_FAULTS = ("black-hole", "delay", "jitter", "throttle", "corrupt", "duplicate", "lose")


def check_serial(faults: Sequence[WireFault]) -> None:
    """ValueError if one needs connections, which a serial line has not."""
    for fault in faults:
        if fault.name not in SERIAL_FAULTS:
            right = ", ".join(SERIAL_FAULTS)
            raise ValueError(f"{fault.name} needs connections, and a serial line has none; there are {right}")


class SerialWire:
    """`device` is where to go instead of the target; `link`, if given, is a name that leads there.

    `gone` is called when the target is there no more, and `failure` then says why.
    """

    def __init__(
        self, target: SerialPlace, link: Path | None = None, seed: int = 1, gone: Callable[[], object] = bool
    ) -> None:
        self.device = ""
        self.failure: OSError | None = None
        self._target, self._link, self._seed, self._gone = target, link, seed, gone
        self._present = Present()
        self._port: serial.Serial | None = None
        self._ends: list[int] = []
        self._transports: list[asyncio.BaseTransport] = []
        self._tasks: list[asyncio.Task[object]] = []

    @property
    def faults(self) -> list[WireFault]:
        """What is wrong now."""
        return list(self._present.faults.values())

    def counters(self) -> dict[str, int]:
        """`up_bytes`, `down_bytes`, and pieces that were hit by `corrupt`, `duplicate` and `lose`."""
        return dict(self._present.counters)

    async def start(self) -> str:
        """Be there; the device. OSError if the target is not."""
        target = self._target
        try:
            self._port = serial.Serial(
                target.device, target.baud, parity=target.parity, stopbits=target.stop, timeout=0
            )
        except serial.SerialException as error:
            raise OSError(error.errno or 0, f"{target.device}: {error}") from error
        self._ends = list(os.openpty())
        tty.setraw(self._ends[1])           # ours stays open, so that nobody who closes it hangs the line up
        self.device = os.ttyname(self._ends[1])
        if self._link:
            if self._link.is_symlink():     # of a wire that was killed
                self._link.unlink()
            self._link.symlink_to(self.device)
            self.device = str(self._link)
        await self._join(UP, self._ends[0], self._port.fileno())
        await self._join(DOWN, self._port.fileno(), self._ends[0])
        return self.device

    async def _join(self, way: str, source: int, target: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=PIECE)
        readable, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(source), "rb", 0)
        )
        writable, flow = await loop.connect_write_pipe(FlowControlMixin, os.fdopen(os.dup(target), "wb", 0))
        self._transports += [readable, writable]
        writer = asyncio.StreamWriter(writable, flow, None, loop)
        dice = Random(f"{self._seed} {way}")
        pipe = Pipe(way, self._present, reader, dice, lambda _data: None, repeats=False)
        self._tasks += [asyncio.create_task(pipe.take()), asyncio.create_task(self._carry(pipe, writer))]

    async def _carry(self, pipe: Pipe, writer: asyncio.StreamWriter) -> None:
        """Until the line is gone."""
        await pipe.give(writer)
        self.failure = OSError(f"{self._target.device} is gone")
        self._gone()

    def apply(self, fault: WireFault) -> None:
        """From now on. ValueError if it needs connections."""
        check_serial([fault])
        self._present.faults[fault.name] = fault

    def clear(self, *names: str) -> None:
        """These are no more; without a name: none is."""
        for name in names or tuple(self._present.faults):
            self._present.faults.pop(name, None)

    async def close(self) -> None:
        """Be gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._transports:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
            else:
                transport.close()
        for end in self._ends:
            os.close(end)
        if self._port is not None:
            self._port.close()
        if self._link and self._link.is_symlink():
            self._link.unlink()
        self._ends.clear()
