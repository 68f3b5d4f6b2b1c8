"""`edge-hil`: simulated equipment for people and tests."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from fractions import Fraction
from pathlib import Path

from edge_agent_hil.misbehave import Misbehaviour, misbehave
from edge_agent_hil.misbehave_faces import FRAMINGS, SERIAL_FACES, bauds
from edge_agent_hil.misbehave_faults import Fault, parse_fault, ranges

DONE, FAILED, WRONG_CONFIG = 0, 1, 78           # argparse itself leaves with 2 for wrong usage
HIGHEST_SPEED = 10_000
HIGHEST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("asyncua", "pymodbus"):      # their clients' mistakes are not ours to report
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    try:
        if given.command == "misbehave":
            return _misbehave(_misbehaviour(given, parser))
        return _serve(given)
    except OSError as error:
        _say(f"edge-hil: {error}")
        return FAILED


def _serve(given: argparse.Namespace) -> int:
    from edge_agent.api import ConfigError  # here: a server that misbehaves starts ten times as fast without them
    from edge_agent_hil.load import load
    from edge_agent_hil.serve import Options, serve

    options = Options(given.seed, given.speed, given.ready_file, given.truth)
    try:
        file = load(given.plant)
        asyncio.run(_until_stopped(lambda stop: serve(file, options, stop, _say)))
    except ConfigError as error:
        _say(str(error))
        return WRONG_CONFIG
    return DONE


def _misbehave(options: Misbehaviour) -> int:
    asyncio.run(_until_stopped(lambda stop: misbehave(options, stop, _show)))
    return DONE


async def _until_stopped(serving: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serving(stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-hil", description="Simulated equipment with ground truth.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("serve", help="serve the machines of a plant file until SIGTERM or Ctrl-C")
    command.add_argument("plant", type=Path, metavar="PLANT.yaml")
    add = command.add_argument
    add("--seed", type=int, metavar="N", help="of every draw (default: the plant file's)")
    add("--speed", type=_speed, default=Fraction(1), metavar="X", help="simulated time per real time")
    add("--ready-file", type=_writable, metavar="FILE", help="written once everything serves")
    add("--truth", type=_writable, metavar="FILE", help="the complete truth, written at the end")
    add = commands.add_parser("misbehave", help="a Modbus server with faults, until SIGTERM or Ctrl-C").add_argument
    add("--fault", type=_fault, action="append", default=[], metavar="NAME", help="see hil/README.md; may be repeated")
    add("--face", choices=FRAMINGS, default="tcp", help="how it is reached (default: tcp)")
    add("--port", type=_port, metavar="N", help="of a TCP or UDP face (default: a free one)")
    add("--device", metavar="PATH", help="of a serial face")
    add("--baud", type=int, metavar="N", help="of a serial face (default: 19200)")
    add("--units", type=_units, default=(1,), metavar="1,2,7", help="the unit ids that are there (default: 1)")
    add("--seed", type=int, default=1, metavar="N", help="of every draw (default: 1)")
    add("--ready-file", type=_writable, metavar="FILE", help="the ready line, written once it can be reached")
    return parser


def _misbehaviour(given: argparse.Namespace, parser: argparse.ArgumentParser) -> Misbehaviour:
    """The options of `misbehave`, checked against each other; leaves with 2 if they do not fit."""
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


def _fault(text: str) -> Fault:
    try:
        return parse_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _units(text: str) -> list[int]:
    try:
        return sorted({unit for low, high in ranges(255)(text) for unit in range(low, high + 1)})
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number up to {HIGHEST_PORT}, 0 for a free one")
    return int(text)


def _speed(text: str) -> Fraction:
    try:
        speed = Fraction(text)
    except (ValueError, ZeroDivisionError):
        speed = Fraction(0)
    if not 0 < speed <= HIGHEST_SPEED:
        right = f"write a number above 0, at most {HIGHEST_SPEED}"
        raise argparse.ArgumentTypeError(f"{text!r} is no speed; {right}")
    return speed


def _writable(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no folder {str(path.parent)!r}")
    return path


def _show(line: str) -> None:
    print(line, flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
