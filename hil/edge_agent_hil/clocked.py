"""A Python program whose clock somebody else sets: `python -m edge_agent_hil.clocked FILE MODULE [ARGUMENT…]`.

FILE is that of a `gateway_clock.Clock`. What `time.time` and `time.time_ns` say follows it, and whether the agent
hears that its clock is synchronised. What C code asks of the system (TLS about certificates, `datetime.now`) does not.
"""

from __future__ import annotations

import mmap
import runpy
import sys
import time
from pathlib import Path

from edge_agent_hil.gateway_clock import FORM


def follow(file: Path) -> None:
    """From now on, for as long as this process lives."""
    with file.open("rb") as opened:
        shared = mmap.mmap(opened.fileno(), FORM.size, access=mmap.ACCESS_READ)
    real = time.time_ns

    def now_ns() -> int:
        return real() + int(FORM.unpack_from(shared)[0])

    time.time_ns = now_ns
    time.time = lambda: now_ns() / 1e9

    from edge_agent import clock_sync  # now: what it imports must find the clock that follows

    clock_sync.is_synchronised = lambda: bool(FORM.unpack_from(shared)[1])


if __name__ == "__main__":
    follow(Path(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
