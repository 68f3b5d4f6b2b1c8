"""Ports of this computer for programs that are started one after the other."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress

LISTENS_S = 30.0


# Below the ports that Linux gives to outgoing connections (ip_local_port_range: 32768 and up): one of those could be
# taken between the look at it and the start of who is to listen there.
PORTS = range(15_000, 32_768)


def free_port(*wanted: int) -> int:
    """A TCP port of loopback that nobody has at present, and no outgoing connection gets; the one wanted, if free.

    Raises OSError if none is found."""
    for port in (*wanted, *random.SystemRandom().sample(PORTS, 50)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise OSError("no free port of loopback found")


def wait_until_listens(port: int, is_alive: Callable[[], bool], seconds: float = LISTENS_S) -> bool:
    """Whether somebody listens at that port of loopback before `is_alive` says no, or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and is_alive():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False
