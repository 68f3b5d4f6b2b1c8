"""An agent whose system clock somebody sets: `stepped_agent.py OFFSET SITE.yaml` runs it.

OFFSET is a file of eight bytes, a signed count of ns by which its wall clock is ahead of the real one, at every moment.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from functools import partial
from pathlib import Path

from edge_agent import agent, cli
from edge_agent.clock import SteadyClock

OFFSET = struct.Struct("<q")

if __name__ == "__main__":
    with Path(sys.argv[1]).open("rb") as file:
        offset = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)

    def wall() -> int:
        return time.time_ns() + int(OFFSET.unpack_from(offset)[0])

    agent.SteadyClock = partial(SteadyClock, wall)  # type: ignore[attr-defined, assignment, misc]
    sys.exit(cli.main(["run", sys.argv[2]]))
