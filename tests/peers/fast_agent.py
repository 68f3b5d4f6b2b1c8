"""An agent whose clock is in a hurry: `fast_agent.py ORIGIN FACTOR SITE.yaml` runs it.

When it is first looked at, its clock shows ORIGIN, ns UTC, and goes FACTOR times as fast from then on; so does that of
an agent that takes up its work. What it does every so many seconds it does by the real clock.
"""

from __future__ import annotations

import sys
import time
from functools import cache, partial
from pathlib import Path

from edge_agent import agent, cli
from edge_agent.clock import SteadyClock

origin, factor = map(int, sys.argv[1:3])
site = Path(sys.argv[3])


@cache
def began() -> int:
    """When the first of these agents first looked at its clock: kept beside the site file."""
    kept = site.with_suffix(".began")
    if not kept.exists():
        kept.write_text(str(time.time_ns()))
    return int(kept.read_text())


def wall() -> int:
    return origin + (time.time_ns() - began()) * factor


agent.SteadyClock = partial(SteadyClock, wall, wall)  # type: ignore[attr-defined, assignment, misc]

if __name__ == "__main__":
    sys.exit(cli.main(["run", str(site)]))
