"""`edge-hil proxy`: a wire with faults that can be switched while it runs.

Its control port takes a line of JSON and gives one back:

    {"apply": ["delay:by=300ms", "lose"]}   these, too, from now on
    {"clear": ["lose"]}                     without these; {"clear": true}: without any
    {"counters": true}                      what has happened → see Wire.counters

Cleared comes before applied where a line says both, and each answer has the faults that are there now. A wrong line
gets {"error": "…"}, and nothing changes.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent_hil.control import Control, Order, only, texts
from edge_agent_hil.json_file import write_json
from edge_agent_hil.place import Place, SerialPlace
from edge_agent_hil.serial_wire import SerialWire, check_serial
from edge_agent_hil.wire import Wire
from edge_agent_hil.wire_faults import KINDS, WireFault, parse_wire_fault

KEYS = ("apply", "clear", "counters")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    target: Place | SerialPlace
    listen: Place
    """before a serial line: nowhere"""
    link: Path | None = None
    """before a serial line: a name that leads to its device"""
    faults: Sequence[WireFault] = ()
    seed: int = 1
    ready_file: Path | None = None


async def proxy(options: Options, stop: asyncio.Event, show: Callable[[str], None]) -> None:
    """Carry until `stop` is set; OSError if the port is taken, or a serial line is not there, or no more."""
    wire = _wire(options, stop)
    control = Control(KEYS, Obedience(wire).obey)
    try:
        await wire.start()
        for fault in options.faults:
            wire.apply(fault)
        ready = {
            **_where(options, wire), "control": await control.start(), "pid": os.getpid(),
            "faults": [str(fault) for fault in wire.faults],
        }  # fmt: skip
        if options.ready_file:
            write_json(options.ready_file, ready)
        show(json.dumps(ready))
        await stop.wait()
    finally:
        await control.close()
        await wire.close()
    if isinstance(wire, SerialWire) and wire.failure:
        raise wire.failure


def _wire(options: Options, stop: asyncio.Event) -> Wire | SerialWire:
    target, listen = options.target, options.listen
    if isinstance(target, SerialPlace):
        return SerialWire(target, options.link, options.seed, stop.set)
    return Wire(target.host, target.port, listen.host, listen.port, options.seed)


def _where(options: Options, wire: Wire | SerialWire) -> dict[str, Any]:
    target = options.target
    if isinstance(target, SerialPlace):
        assert isinstance(wire, SerialWire), "made of such a target"
        return {"url": target.through(wire.device), "device": wire.device, "target": target.url}
    assert isinstance(wire, Wire), "made of such a target"
    url = target.through(options.listen.host, wire.port)
    there = target.url or f"{target.host}:{target.port}"
    return {"url": url, "host": options.listen.host, "port": wire.port, "target": there}


class Obedience:
    """Carries out orders about one wire."""

    def __init__(self, wire: Wire | SerialWire) -> None:
        self._wire = wire

    async def obey(self, order: Order) -> dict[str, Any]:
        """An order; the answer."""
        only(order, KEYS)
        written = texts(order, "apply", '["delay:by=300ms", "lose"]') if "apply" in order else []
        faults = [parse_wire_fault(text) for text in written]
        names = [] if order.get("clear", True) is True else texts(order, "clear", '["lose"], or true')
        if unknown := sorted(set(names) - set(KINDS)):
            raise ValueError(f"clear: a wire has no fault {unknown[0]!r}; there are {', '.join(KINDS)}")
        if isinstance(self._wire, SerialWire):
            check_serial(faults)
        if names or order.get("clear") is True:
            self._wire.clear(*names)
        for fault in faults:
            self._wire.apply(fault)
        said = {"faults": [str(fault) for fault in self._wire.faults]}
        return {**said, "counters": self._wire.counters()} if "counters" in order else said
