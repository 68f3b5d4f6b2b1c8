"""What the commands of `edge-hil` share: exit codes, words on a command line, and running until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from edge_agent_hil.fault_text import Parse

DONE, FAILED, WRONG_USAGE, WRONG_CONFIG = 0, 1, 2, 78           # argparse itself leaves with 2
HIGHEST_PORT = 65_535
Commands = Any                  # argparse has no public name for what add_subparsers gives


def run_until_stopped(serving: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Serve until SIGTERM or Ctrl-C."""

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serving(stop)

    asyncio.run(serve())


def argument(parse: Parse) -> Parse:
    """For argparse: what `parse` says with ValueError is told as it stands."""

    def type_(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return type_


def port(text: str) -> int:
    """A port, 0 for a free one."""
    if not text.isascii() or not text.isdigit() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number up to {HIGHEST_PORT}, 0 for a free one")
    return int(text)


def writable(text: str) -> Path:
    """A file in a folder that is there."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no folder {str(path.parent)!r}")
    return path


def show(line: str) -> None:
    """A result, at once."""
    print(line, flush=True)


def say(line: str) -> None:
    """A word to people."""
    print(line, file=sys.stderr, flush=True)
