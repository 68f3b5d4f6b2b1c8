"""What tests with other processes need: a free port, and patience with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from edge_agent_hil.ports import free_port

__all__ = ["free_port", "wait_for"]


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
