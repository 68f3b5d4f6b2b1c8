"""`edge-hil serve` on the command line."""

from __future__ import annotations

import argparse
import resource
from datetime import datetime
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path

from edge_agent_hil.command import DONE, WRONG_CONFIG, Commands, argument, run_until_stopped, say, writable
from edge_agent_hil.modbus_door import HOST

HIGHEST_SPEED = 10_000


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("serve", help="serve the machines of a plant file until SIGTERM or Ctrl-C")
    command.set_defaults(run=run)
    command.add_argument("plant", type=Path, metavar="PLANT.yaml")
    add = command.add_argument
    add("--seed", type=int, metavar="N", help="of every draw (default: the plant file's)")
    add("--speed", type=_speed, default=Fraction(1), metavar="X", help="simulated time per real time")
    add("--start", type=_instant, metavar="TIME", help="when simulated time begins, ISO 8601 (default: now)")
    add("--listen", type=argument(_address), default=HOST, metavar="ADDRESS", help=f"of the machines, default {HOST}")
    add("--ready-file", type=writable, metavar="FILE", help="written once everything serves")
    add("--truth", type=writable, metavar="FILE", help="the complete truth, written at the end")


def run(given: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from edge_agent.api import ConfigError
    from edge_agent_hil.load import load
    from edge_agent_hil.serve import Options, serve

    # A plant of a thousand machines has as many ports, and as many connections.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    options = Options(given.seed, given.speed, given.start, given.ready_file, given.truth, given.listen)
    try:
        file = load(given.plant)
        run_until_stopped(lambda stop: serve(file, options, stop, say))
    except ConfigError as error:
        say(str(error))
        return WRONG_CONFIG
    return DONE


def _address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no IPv4 address; 0.0.0.0 is every one of this computer") from None


def _speed(text: str) -> Fraction:
    try:
        speed = Fraction(text)
    except (ValueError, ZeroDivisionError):
        speed = Fraction(0)
    if not 0 < speed <= HIGHEST_SPEED:
        right = f"write a number above 0, at most {HIGHEST_SPEED}"
        raise argparse.ArgumentTypeError(f"{text!r} is no speed; {right}")
    return speed


def _instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        right = "write a time with its offset, such as 2026-03-29T00:00:00+01:00"
        raise argparse.ArgumentTypeError(f"{text!r} is no time; {right}")
    return round(moment.timestamp() * 1_000_000) * 1_000
