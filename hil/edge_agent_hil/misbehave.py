"""`edge-hil misbehave`: a Modbus server with faults that can be switched while it runs.

Its control port takes a line of JSON and gives one back:

    {"faults": ["late=300ms", "wrong_unit"]}     these from now on, and no others → {"faults": […]}
    {"counters": true}                           what was seen so far → see misbehave_counters.py, and "shown"
    {"reset": true}                              start counting afresh
    {"drop": true}                               end every connection
    {"table": "holding", "address": 5, "count": 2, "unit": 1}       what a unit holds → {"values": […]}

A wrong line gets {"error": "…"}, and nothing changes.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent_hil.control import Control, only, texts
from edge_agent_hil.json_file import write_json
from edge_agent_hil.misbehave_counters import Counters
from edge_agent_hil.misbehave_device import Device, Unit
from edge_agent_hil.misbehave_faces import FRAMINGS, SERIAL_FACES, Face, SerialFace, TcpFace, UdpFace
from edge_agent_hil.misbehave_faults import Fault, Faults, check_faults, parse_fault
from edge_agent_hil.misbehave_line import Line

KEYS = ("faults", "counters", "reset", "drop", "table")
OF_TABLE = {"table": "holding", "address": 0, "count": 1, "unit": 1}        # and what holds without them


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """What the command line says."""

    faults: Sequence[Fault] = ()
    face: str = "tcp"
    port: int = 0
    """0: a free one"""
    device: str = ""
    """of a serial face"""
    baud: int = 19200
    units: Sequence[int] = (1,)
    seed: int = 1
    ready_file: Path | None = None

    def check(self, faults: Sequence[Fault]) -> None:
        """ValueError if one of these cannot be shown on this face."""
        udp, serial = self.face == "udp", self.face in SERIAL_FACES
        check_faults(faults, FRAMINGS[self.face](), connected=not (udp or serial), stream=not udp)


async def misbehave(
    options: Misbehaviour, stop: asyncio.Event, show: Callable[[str], None], units: Mapping[int, Unit] | None = None
) -> None:
    """Serve until `stop` is set; OSError if a port is taken or a serial device is not there, or no more.

    `units` stand where the options' would: those of a recording.
    """
    server = Server(options, stop, units)
    try:
        ready = await server.start()
        if options.ready_file:
            write_json(options.ready_file, ready)
        show(json.dumps(ready))
        await stop.wait()
    finally:
        await server.close()
    if server.failure is not None:
        raise server.failure


class Server:
    """A device with faults, its face and its control port."""

    def __init__(self, options: Misbehaviour, stop: asyncio.Event, units: Mapping[int, Unit] | None = None) -> None:
        self.failure: OSError | None = None
        self._options, self._stop = options, stop
        self._framing = FRAMINGS[options.face]()
        self._device = Device(options.units, self._framing, options.seed)
        self._device.banks.update(units or {})
        self._device.faults = Faults(options.faults)
        self._counters = Counters()
        self._face = self._make_face()
        self._control = Control(KEYS, self._carry_out)

    def _make_face(self) -> Face:
        options = self._options
        if options.face in SERIAL_FACES:
            return SerialFace(options.device, options.baud, self._talk, self._gone)
        if options.face == "udp":
            return UdpFace(options.port, self._talk)
        return TcpFace(options.port, self._device, self._counters, self._talk)

    def _talk(self, send: Callable[[bytes], None], hang_up: Callable[[], None] | None) -> Line:
        return Line(self._device, self._framing, self._counters, send, hang_up)

    def _gone(self, failure: OSError) -> None:
        self.failure = failure
        self._stop.set()

    async def start(self) -> dict[str, object]:
        """Be reachable; the ready line."""
        where = await self._face.start()
        control = await self._control.start()
        return {
            "face": self._options.face,
            **where,
            "control": control,
            "pid": os.getpid(),
            "units": list(self._options.units),
            "faults": self._device.faults.texts(),
        }

    async def close(self) -> None:
        """Let go of everyone."""
        await self._face.close()
        await self._control.close()

    async def _carry_out(self, order: Mapping[str, Any]) -> dict[str, Any]:
        if "table" in order:
            return {"values": self._values(order)}
        only(order, KEYS)
        if "faults" in order:
            self._device.faults = Faults(self._parse(order))
            await self._face.faults_changed()
        if "drop" in order:
            self._face.drop()
        said = self._counters.to_json() | {"shown": self._device.faults.shown()} if "counters" in order else {}
        if "reset" in order:
            self._counters.reset()
        return {"faults": self._device.faults.texts(), **said}

    def _parse(self, order: Mapping[str, Any]) -> list[Fault]:
        faults = [parse_fault(text) for text in texts(order, "faults", '["late=300ms", "wrong_unit"]')]
        self._options.check(faults)
        return faults

    def _values(self, order: Mapping[str, Any]) -> list[int]:
        if unknown := sorted(order.keys() - OF_TABLE.keys()):
            raise ValueError(f"a table has no {unknown[0]!r}; there are {', '.join(OF_TABLE)}")
        said: dict[str, Any] = OF_TABLE | dict(order)
        for key in ("address", "count", "unit"):
            if not isinstance(said[key], int) or isinstance(said[key], bool) or said[key] < 0:
                raise ValueError(f"{key}: {said[key]!r} is no whole number")
        return self._device.values(said["unit"], str(said["table"]), said["address"], said["count"])
