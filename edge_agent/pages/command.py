"""`edge-agent pages` and `python -m edge_agent.pages`: what is asked of the command line, and what was wrong with it.

Nothing heavy is imported before the options are known to be right.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge_agent.errors import ConfigError

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_LISTEN: Final = "127.0.0.1:8081"
# Browsers are let go of within two seconds.
ENDING_S: Final = 10.0
_DONE, _FAILED, _WRONG_USAGE, _WRONG_CONFIG = 0, 1, 2, 78
MISSING: Final = "the pages are an extra: pip install 'edge-agent[ui]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the pages until told to stop; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m edge_agent.pages", description="The pages of a running agent.")
    add_options(parser)
    parser.add_argument(
        "--with-stdin", action="store_true", help="end with the standard input: the agent's end of it is closed with it"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)    # a line for each question
    return run(options)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which agent, and where to listen."""
    parser.add_argument("--url", type=_url, help=f"the agent's API; default {DEFAULT_URL}")
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="for https: whom to trust (PEM), or the agent's own certificate"
    )
    parser.add_argument(
        "--listen", type=_listen, metavar="ADDRESS:PORT", help=f"default {DEFAULT_LISTEN}"
    )
    parser.add_argument("--cert", type=Path, metavar="FILE", help="the pages' certificate (PEM): they are https then")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key (PEM)")


def given(options: argparse.Namespace) -> list[str]:
    """Those of `add_options` that were said."""
    return [f"--{name}" for name in ("url", "ca", "listen", "cert", "key") if getattr(options, name) is not None]


def run(options: argparse.Namespace) -> int:
    """What `add_options` has asked for."""
    host, port = options.listen or _listen(DEFAULT_LISTEN)
    if (options.cert is None) != (options.key is None):
        return _wrong("--cert and --key come together")
    if not _is_loopback(host) and options.cert is None:
        return _wrong(
            f"--listen {host}:{port} is beyond this machine: add --cert and --key, or listen at {DEFAULT_LISTEN}"
        )
    try:
        from edge_agent.pages.serve import NotListening, Settings, serve
    except ModuleNotFoundError as error:
        print(f"edge-agent pages: {error.name} is missing; {MISSING}", file=sys.stderr)
        return _FAILED
    if getattr(options, "with_stdin", False):
        threading.Thread(target=_end_with_stdin, name="end-with-stdin", daemon=True).start()
    try:
        serve(Settings(options.url or DEFAULT_URL, host, port, options.ca, options.cert, options.key))
    except ConfigError as error:
        print(f"edge-agent pages: {error}", file=sys.stderr)
        return _WRONG_CONFIG
    except NotListening as error:
        print(f"edge-agent pages: {error}", file=sys.stderr)
        return _FAILED
    return _DONE


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ENDING_S)
    os._exit(_FAILED)   # something hangs, and the next agent wants the port


def _wrong(text: str) -> int:
    print(f"edge-agent pages: {text}", file=sys.stderr)
    return _WRONG_USAGE


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ip_address(host).is_loopback


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise argparse.ArgumentTypeError(f"{text!r} is not the address of an agent; write {DEFAULT_URL}")
    return text


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        known = (host == "localhost" or bool(ip_address(host))) and port.isascii() and 0 < int(port) < 65536
    except ValueError:
        known = False
    if not known:
        raise argparse.ArgumentTypeError(f"{text!r} is no address and port of this machine; write {DEFAULT_LISTEN}")
    return host, int(port)
