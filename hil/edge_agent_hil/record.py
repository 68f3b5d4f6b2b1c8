"""Recording a device until told to stop: Modbus TCP as it passes a wire, OPC UA by a subscription."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent_hil.json_file import write_json
from edge_agent_hil.place import Place
from edge_agent_hil.reading import Block, keep_reading
from edge_agent_hil.recorder import Recorder
from edge_agent_hil.wire import Wire

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    target: Place
    file: Path
    listen: Place
    read: Sequence[Block] = ()
    """Modbus: read here, too"""
    nodes: Sequence[str] = ()
    """OPC UA: these; none: all"""
    every_s: float = 1.0
    for_s: float | None = None
    ready_file: Path | None = None


async def record_modbus(options: Options, stop: asyncio.Event, show: Say, say: Say) -> bool:
    """Until `stop` is set, or the time is over; whether anything was answered. OSError if the port is taken."""
    target, listen = options.target, options.listen
    recorder = Recorder(options.file, target.url or f"{target.host}:{target.port}", lambda: time.monotonic_ns() // 1000)
    wire = Wire(target.host, target.port, listen.host, listen.port, tap=recorder.hear)
    reading: asyncio.Task[None] | None = None
    try:
        await wire.start()
        _announce(options, show, url=target.through(listen.host, wire.port), host=listen.host, port=wire.port)
        if options.read:
            there = listen.host, wire.port
            reading = asyncio.create_task(keep_reading(there, options.read, options.every_s), name="read")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), options.for_s)
    finally:
        if reading:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await wire.close()
        recorder.close()
    say(f"{recorder.exchanges} requests recorded, {recorder.silences} without an answer")
    return recorder.exchanges > recorder.silences


async def record_opcua(options: Options, stop: asyncio.Event, show: Say, say: Say) -> bool:
    """Until `stop` is set, the time is over or the server is gone; whether it stayed, and anything came. OSError if it
    cannot be reached, ValueError names a node that cannot be."""
    from edge_agent_hil.opcua_recorder import OpcuaRecorder

    recorder = OpcuaRecorder(options.target.url, options.file, options.every_s)
    try:
        await recorder.start(options.nodes)
        _announce(options, show, target=options.target.url, variables=recorder.variables)
        ends = [asyncio.create_task(event.wait()) for event in (stop, recorder.lost)]
        await asyncio.wait(ends, timeout=options.for_s, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
    finally:
        await recorder.close()
    for one in recorder.left_out:
        say(f"left out: {one}")
    if recorder.lost.is_set():
        say("the server is gone; what it had said by then is recorded")
    say(f"{recorder.changes} changes of {recorder.variables} variables recorded")
    return recorder.changes > 0 and not recorder.lost.is_set()


def _announce(options: Options, show: Say, **said: Any) -> None:
    ready = {**said, "pid": os.getpid(), "file": str(options.file)}
    if options.ready_file:
        write_json(options.ready_file, ready)
    show(json.dumps(ready))
