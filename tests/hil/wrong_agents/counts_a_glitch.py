"""An agent that is wrong: whatever a counter says is believed, and a smaller number is a counter that began again."""

from __future__ import annotations

import sys

from edge_agent import cli
from edge_agent.core.counters import BASELINE, OK, Counter, Reading


def feed(self: Counter, t_ns: int, raw: int, reset_signal: bool = False) -> tuple[int, str]:
    last, _ = self.memory
    self.memory = Reading(t_ns, raw), None
    self.since = last.t if last else t_ns
    if last is None:
        return 0, BASELINE
    return (raw - last.raw if raw >= last.raw else raw), OK


if __name__ == "__main__":
    Counter.feed = feed  # type: ignore[method-assign]
    sys.exit(cli.main())
