"""`edge-hil`: simulated equipment for people and tests."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from edge_agent_hil import (
    misbehave_command,
    proxy_command,
    record_command,
    replay_command,
    run_command,
    serve_command,
)
from edge_agent_hil.command import FAILED, say

# Each adds its parser, whose default `run` is called with what was given and returns the exit code. None of them
# imports what is heavy before it runs: a server that misbehaves starts ten times as fast without the plant.
COMMANDS = (serve_command, misbehave_command, proxy_command, record_command, replay_command, run_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("asyncua", "pymodbus"):      # their clients' mistakes are not ours to report
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    try:
        code: int = given.run(given)
    except OSError as error:
        say(f"edge-hil: {error}")
        return FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-hil", description="Simulated equipment with ground truth.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
