"""An agent whose system clock somebody sets: `stepped_agent.py OFFSET SITE.yaml` runs it.

What has waited through an outage of seconds goes out beside what is new, as it is else worth only after minutes.

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
from edge_agent.north import drain

OFFSET = struct.Struct("<q")
WORTH_BYTES = 2000      # a second or two of the campaign's samples

if __name__ == "__main__":
    with Path(sys.argv[1]).open("rb") as file:
        offset = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)

    def wall() -> int:
        return time.time_ns() + int(OFFSET.unpack_from(offset)[0])

    agent.SteadyClock = partial(SteadyClock, wall)  # type: ignore[attr-defined, assignment, misc]
    drain.WORTH_BYTES = WORTH_BYTES     # type: ignore[misc]
    sys.exit(cli.main(["run", sys.argv[2]]))
