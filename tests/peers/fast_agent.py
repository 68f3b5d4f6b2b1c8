"""An agent whose clock is in a hurry: `fast_agent.py BEGAN ORIGIN FACTOR SITE.yaml` runs it.

At the real instant BEGAN its clock shows ORIGIN, both ns UTC, and goes FACTOR times as fast from then on; so does
that of an agent that takes up its work. What it does every so many seconds it does by the real clock.
"""

from __future__ import annotations

import sys
import time
from functools import partial

from edge_agent import agent, cli
from edge_agent.clock import SteadyClock

began, origin, factor = map(int, sys.argv[1:4])


def wall() -> int:
    return origin + (time.time_ns() - began) * factor


agent.SteadyClock = partial(SteadyClock, wall, wall)  # type: ignore[attr-defined, assignment, misc]

if __name__ == "__main__":
    sys.exit(cli.main(["run", sys.argv[4]]))
