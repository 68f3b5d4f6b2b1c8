"""`edge-hil`: simulated equipment for people and tests."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from edge_agent.api import ConfigError
from edge_agent_hil.load import load
from edge_agent_hil.plant_file import PlantFile
from edge_agent_hil.serve import Options, serve

DONE, FAILED, WRONG_CONFIG = 0, 1, 78           # argparse itself leaves with 2 for wrong usage
HIGHEST_SPEED = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("asyncua", "pymodbus"):      # their clients' mistakes are not ours to report
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    options = Options(given.seed, given.speed, given.ready_file, given.truth)
    try:
        asyncio.run(_serve(load(given.plant), options))
    except ConfigError as error:
        _say(str(error))
        return WRONG_CONFIG
    except OSError as error:
        _say(f"edge-hil: {error}")
        return FAILED
    return DONE


async def _serve(file: PlantFile, options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(file, options, stop, _say)


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
    return parser


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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
