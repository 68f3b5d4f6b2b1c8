"""`edge-hil record` on the command line."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial

from edge_agent_hil.command import DONE, FAILED, Commands, argument, run_until_stopped, say, show, writable
from edge_agent_hil.fault_text import positive
from edge_agent_hil.place import Place, place
from edge_agent_hil.proxy_command import listens
from edge_agent_hil.reading import blocks

OPCUA = "opc.tcp://"


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("record", help="a device's answers into a file that can be replayed")
    command.set_defaults(run=partial(run, command))
    add = command.add_argument
    what = "HOST:PORT or a modbus+tcp:// URL of a Modbus TCP device, an opc.tcp:// URL of an OPC UA server"
    add("target", type=argument(_target), metavar="TARGET", help=what)
    add("file", type=writable, metavar="FILE", help="is written anew")
    add("--listen", type=argument(listens), metavar="HOST:PORT", help="Modbus: default 127.0.0.1:0")
    block = "Modbus: read it here, too: holding:0-99, of unit 7: 7/input:3; may be repeated"
    add("--read", type=argument(blocks), action="append", default=[], metavar="BLOCK", help=block)
    add("--node", action="append", default=[], metavar="NODE", help="OPC UA: this; may be repeated (default: all)")
    add("--every", type=argument(positive), default="1s", metavar="TIME", help="so often (default: 1s)")
    add("--for", type=argument(positive), dest="for_s", metavar="TIME", help="default: until SIGTERM or Ctrl-C")
    add("--ready-file", type=writable, metavar="FILE", help="the ready line, written once it records")


def run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    """Record until told to stop, or for the time that was given; 1 if nothing was answered."""
    from edge_agent_hil.record import Options, record_modbus, record_opcua

    is_opcua = given.target.url.startswith(OPCUA)
    for option, value in (("--listen", given.listen), ("--read", given.read)):
        if is_opcua and value:
            parser.error(f"{option} is of Modbus; an OPC UA server is subscribed to: --node")
    if given.node and not is_opcua:
        parser.error("--node is of OPC UA; write --read holding:0-99")
    read = [block for one in given.read for block in one]
    options = Options(
        given.target, given.file, given.listen or Place("127.0.0.1", 0), read, given.node, given.every, given.for_s,
        given.ready_file,
    )  # fmt: skip
    recorded: list[bool] = []

    async def serve(stop: asyncio.Event) -> None:
        recorded.append(await (record_opcua if is_opcua else record_modbus)(options, stop, show, say))

    try:
        run_until_stopped(serve)
    except ValueError as error:
        parser.error(f"--node: {error}")
    return DONE if recorded[0] else FAILED


def _target(text: str) -> Place:
    found = place(text)
    if found.url and not found.url.startswith((OPCUA, "modbus+tcp://")):
        raise ValueError(f"{text!r} cannot be recorded; write HOST:PORT, modbus+tcp://… or opc.tcp://…")
    return found
