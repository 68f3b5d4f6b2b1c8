"""`edge-hil record`: a Modbus TCP device's answers into a file, while something reads it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_agent_hil.command import DONE, FAILED, Commands, argument, run_until_stopped, say, show, writable
from edge_agent_hil.fault_text import seconds
from edge_agent_hil.json_file import write_json
from edge_agent_hil.proxy import Place, place
from edge_agent_hil.proxy_command import listens
from edge_agent_hil.reading import Block, blocks, keep_reading
from edge_agent_hil.recorder import Recorder
from edge_agent_hil.wire import Wire


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    target: Place
    file: Path
    listen: Place
    read: Sequence[Block] = ()
    every_s: float = 1.0
    for_s: float | None = None
    ready_file: Path | None = None


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("record", help="a Modbus TCP device's answers into a file that can be replayed")
    command.set_defaults(run=run)
    add = command.add_argument
    add("target", type=argument(_target), metavar="TARGET", help="HOST:PORT or a modbus+tcp:// URL of the device")
    add("file", type=writable, metavar="FILE", help="is written anew")
    add("--listen", type=argument(listens), default="127.0.0.1:0", metavar="HOST:PORT", help="default: 127.0.0.1:0")
    what = "read it here, too: holding:0-99, of unit 7: 7/input:3; may be repeated"
    add("--read", type=argument(blocks), action="append", default=[], metavar="BLOCK", help=what)
    add("--every", type=argument(seconds), default="1s", metavar="TIME", help="so often (default: 1s)")
    add("--for", type=argument(seconds), dest="for_s", metavar="TIME", help="default: until SIGTERM or Ctrl-C")
    add("--ready-file", type=writable, metavar="FILE", help="the ready line, written once it listens")


def run(given: argparse.Namespace) -> int:
    """Record until told to stop, or for the time that was given; 1 if nothing was answered."""
    read = [block for one in given.read for block in one]
    options = Options(given.target, given.file, given.listen, read, given.every, given.for_s, given.ready_file)
    answered: list[bool] = []

    async def serve(stop: asyncio.Event) -> None:
        answered.append(await record(options, stop))

    run_until_stopped(serve)
    return DONE if answered[0] else FAILED


async def record(options: Options, stop: asyncio.Event) -> bool:
    """Until `stop` is set, or the time is over; whether anything was answered. OSError if the port is taken."""
    target, listen = options.target, options.listen
    recorder = Recorder(options.file, target.url or f"{target.host}:{target.port}", lambda: time.monotonic_ns() // 1000)
    wire = Wire(target.host, target.port, listen.host, listen.port, tap=recorder.hear)
    reading: asyncio.Task[None] | None = None
    try:
        await wire.start()
        _announce(options, wire)
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


def _announce(options: Options, wire: Wire) -> None:
    url = options.target.through(options.listen.host, wire.port)
    ready = {"url": url, "host": options.listen.host, "port": wire.port, "pid": os.getpid(), "file": str(options.file)}
    if options.ready_file:
        write_json(options.ready_file, ready)
    show(json.dumps(ready))


def _target(text: str) -> Place:
    found = place(text)
    if found.url and not found.url.startswith("modbus+tcp://"):
        raise ValueError(f"{text!r}: what is recorded is Modbus TCP; write HOST:PORT or modbus+tcp://…")
    return found
