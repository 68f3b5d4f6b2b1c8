"""`edge-hil proxy` on the command line."""

from __future__ import annotations

import argparse

from edge_agent_hil.command import DONE, Commands, argument, run_until_stopped, show, writable
from edge_agent_hil.proxy import Options, Place, place, proxy
from edge_agent_hil.wire_faults import parse_wire_fault


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("proxy", help="a wire with faults before a device or a broker")
    command.set_defaults(run=run)
    add = command.add_argument
    add("target", type=argument(place), metavar="TARGET", help="HOST:PORT or a URL of the device or the broker")
    add("--listen", type=argument(listens), default="127.0.0.1:0", metavar="HOST:PORT", help="default: 127.0.0.1:0")
    fault = argument(parse_wire_fault)
    add("--fault", type=fault, action="append", default=[], metavar="NAME[:KEY=VALUE,…]", help="may be repeated")
    add("--seed", type=int, default=1, metavar="N", help="of every draw (default: 1)")
    add("--ready-file", type=writable, metavar="FILE", help="the ready line, written once it listens")


def run(given: argparse.Namespace) -> int:
    """Carry until told to stop."""
    options = Options(given.target, given.listen, given.fault, given.seed, given.ready_file)
    run_until_stopped(lambda stop: proxy(options, stop, show))
    return DONE


def listens(text: str) -> Place:
    """Of `--listen`: port 0 is a free one."""
    return place(text, listens=True)
