"""`edge-hil misbehave` on the command line."""

from __future__ import annotations

import argparse
from functools import partial

from edge_agent_hil.command import DONE, Commands, argument, port, run_until_stopped, show, writable
from edge_agent_hil.fault_text import ranges
from edge_agent_hil.misbehave import Misbehaviour, misbehave
from edge_agent_hil.misbehave_faces import FRAMINGS, SERIAL_FACES, bauds
from edge_agent_hil.misbehave_faults import parse_fault


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("misbehave", help="a Modbus server with faults, until SIGTERM or Ctrl-C")
    command.set_defaults(run=partial(run, command))
    command.add_argument(
        "--units", type=_units, default=(1,), metavar="1,2,7", help="the unit ids that are there (default: 1)"
    )
    add_options(command)


def add_options(command: argparse.ArgumentParser) -> None:
    """Those of a recording that is served, too."""
    add = command.add_argument
    fault = argument(parse_fault)
    add("--fault", type=fault, action="append", default=[], metavar="NAME", help="see hil/README.md; may be repeated")
    add("--face", choices=FRAMINGS, default="tcp", help="how it is reached (default: tcp)")
    add("--port", type=port, metavar="N", help="of a TCP or UDP face (default: a free one)")
    add("--device", metavar="PATH", help="of a serial face")
    add("--baud", type=int, metavar="N", help="of a serial face (default: 19200)")
    add("--seed", type=int, default=1, metavar="N", help="of every draw (default: 1)")
    add("--ready-file", type=writable, metavar="FILE", help="the ready line, written once it can be reached")


def run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    """Serve until told to stop."""
    options = options_of(given, parser)
    run_until_stopped(lambda stop: misbehave(options, stop, show))
    return DONE


def options_of(given: argparse.Namespace, parser: argparse.ArgumentParser) -> Misbehaviour:
    """What was given, checked against each other; leaves with 2 if it does not fit."""
    serial = given.face in SERIAL_FACES
    if serial and given.device is None:
        parser.error(f"--face {given.face} needs --device PATH")
    if serial and given.port is not None:
        parser.error(f"--port is none of --face {given.face}")
    if not serial and (given.device is not None or given.baud is not None):
        parser.error(f"--device and --baud are none of --face {given.face}; write --face serial")
    if given.baud is not None and given.baud not in bauds():
        parser.error(f"--baud: {given.baud} is no speed of a serial device; there are {', '.join(map(str, bauds()))}")
    options = Misbehaviour(
        given.fault,
        given.face,
        given.port or 0,
        given.device or "",
        given.baud or 19200,
        given.units,
        given.seed,
        given.ready_file,
    )
    try:
        options.check(given.fault)
    except ValueError as error:
        parser.error(f"--fault: {error}")
    return options


def _units(text: str) -> list[int]:
    try:
        return sorted({unit for low, high in ranges(255)(text) for unit in range(low, high + 1)})
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None
