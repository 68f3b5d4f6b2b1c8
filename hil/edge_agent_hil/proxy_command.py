"""`edge-hil proxy` on the command line."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from edge_agent_hil.command import DONE, Commands, argument, run_until_stopped, show, writable
from edge_agent_hil.place import Place, SerialPlace, place, serial_place
from edge_agent_hil.wire_faults import parse_wire_fault


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("proxy", help="a wire with faults before a device or a broker")
    command.set_defaults(run=partial(run, command))
    add = command.add_argument
    what = "HOST:PORT or a URL of the device or the broker; modbus+rtu:///dev/…: a serial line"
    add("target", type=argument(_target), metavar="TARGET", help=what)
    add("--listen", metavar="HOST:PORT", help="default: 127.0.0.1:0; before a serial line: a name for the device")
    fault = argument(parse_wire_fault)
    add("--fault", type=fault, action="append", default=[], metavar="NAME[:KEY=VALUE,…]", help="may be repeated")
    add("--seed", type=int, default=1, metavar="N", help="of every draw (default: 1)")
    add("--ready-file", type=writable, metavar="FILE", help="the ready line, written once it listens")


def run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    """Carry until told to stop."""
    from edge_agent_hil.proxy import Options, proxy
    from edge_agent_hil.serial_wire import check_serial

    listen, link = Place("127.0.0.1", 0), None
    try:
        if isinstance(given.target, SerialPlace):
            check_serial(given.fault)
            link = Path(given.listen) if given.listen else None
        elif given.listen:
            listen = listens(given.listen)
    except ValueError as error:
        parser.error(str(error))
    options = Options(given.target, listen, link, given.fault, given.seed, given.ready_file)
    run_until_stopped(lambda stop: proxy(options, stop, show))
    return DONE


def listens(text: str) -> Place:
    """Of `--listen`: port 0 is a free one."""
    return place(text, listens=True)


def _target(text: str) -> Place | SerialPlace:
    return serial_place(text) or place(text)
