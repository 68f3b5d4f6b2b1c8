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
from urllib.parse import urlsplit, urlunsplit

from edge_agent_hil.control import Control, Order, only, texts
from edge_agent_hil.json_file import write_json
from edge_agent_hil.wire import Wire
from edge_agent_hil.wire_faults import KINDS, WireFault, parse_wire_fault

KEYS = ("apply", "clear", "counters")
PORTS = {
    "modbus+tcp": 502, "modbus+rtuovertcp": 502, "modbus+asciiovertcp": 502, "modbus+tls": 802, "opc.tcp": 4840,
    "mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443, "http": 80, "https": 443,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody listens, and the URL that was written, if it was one."""

    host: str
    port: int
    url: str = ""

    def through(self, host: str, port: int) -> str:
        """The URL with another host and port; `host:port` where there was none."""
        there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if not self.url:
            return there
        split = urlsplit(self.url)
        login, at, _ = split.netloc.rpartition("@")
        return urlunsplit(split._replace(netloc=f"{login}{at}{there}"))


def place(text: str, listens: bool = False) -> Place:
    """`HOST:PORT`, or a URL of a device or a broker. ValueError says what would be right."""
    url = text if "://" in text else ""
    try:
        split = urlsplit(url or f"//{text}")
        number = split.port if split.port is not None else PORTS.get(split.scheme)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if url and split.scheme not in PORTS:
        raise ValueError(f"{text!r} goes over no TCP that is known here; there are {', '.join(PORTS)}")
    if not split.hostname or number is None or (not number and not listens):
        raise ValueError(f"{text!r} is no place; write HOST:PORT, such as 10.0.0.5:502, or a URL")
    return Place(split.hostname, number, url)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    target: Place
    listen: Place = Place("127.0.0.1", 0)
    faults: Sequence[WireFault] = ()
    seed: int = 1
    ready_file: Path | None = None


async def proxy(options: Options, stop: asyncio.Event, show: Callable[[str], None]) -> None:
    """Carry until `stop` is set; OSError if the port is taken."""
    target, listen = options.target, options.listen
    wire = Wire(target.host, target.port, listen.host, listen.port, options.seed)
    control = Control(KEYS, Obedience(wire).obey)
    try:
        await wire.start()
        for fault in options.faults:
            wire.apply(fault)
        ready = {
            "url": target.through(listen.host, wire.port),
            "host": listen.host,
            "port": wire.port,
            "target": target.url or f"{target.host}:{target.port}",
            "control": await control.start(),
            "pid": os.getpid(),
            "faults": [str(fault) for fault in wire.faults],
        }
        if options.ready_file:
            write_json(options.ready_file, ready)
        show(json.dumps(ready))
        await stop.wait()
    finally:
        await control.close()
        await wire.close()


class Obedience:
    """Carries out orders about one wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def obey(self, order: Order) -> dict[str, Any]:
        """An order; the answer."""
        only(order, KEYS)
        faults = [parse_wire_fault(text) for text in _texts(order, "apply", '["delay:by=300ms", "lose"]')]
        names = _texts(order, "clear", '["lose"], or true')
        if unknown := sorted(set(names) - set(KINDS)):
            raise ValueError(f"clear: a wire has no fault {unknown[0]!r}; there are {', '.join(KINDS)}")
        if names or order.get("clear") is True:
            self._wire.clear(*names)
        for fault in faults:
            self._wire.apply(fault)
        said = {"faults": [str(fault) for fault in self._wire.faults]}
        return {**said, "counters": self._wire.counters()} if "counters" in order else said


def _texts(order: Order, key: str, example: str) -> list[str]:
    return [] if key not in order or order[key] is True else texts(order, key, example)
