"""What tests with other processes need: a free port, and patience with a limit."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

# Below the ports that Linux gives to outgoing connections (ip_local_port_range: 32768 and up): one of those could be
# taken between the look at it and the start of who is to listen there.
PORTS = range(15_000, 32_768)


def free_port() -> int:
    """A TCP port of loopback that nobody has at present, and no outgoing connection gets."""
    for _ in range(100):
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port of loopback found")


# How many times slower than a computer with nothing else to do the one may be that runs the tests.
BUSY = 5


def wait_for(what: Callable[[], Any], seconds: float, why: str) -> Any:
    """What `what()` gives once it is true; fails after `seconds` on a computer with nothing else to do."""
    seconds *= BUSY
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.03)
    pytest.fail(f"waited {seconds} s in vain: {why}")
