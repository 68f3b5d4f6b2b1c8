"""The agent's clock: follows the system's, but never runs backwards.

A gateway without a battery clock starts in the past until the network tells it the time; after a power
cut it may wake up before the last thing it wrote. Counters, states and journal all rest on time that
grows, so where the system's clock is behind, the agent's goes on from where it was, a thousandth slower,
until the other has caught up. A step forward is followed at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

# A duration, and so a KPI, must be true meanwhile: a thousandth moves no OEE that anyone prints. What NTP
# corrects (milliseconds) is worked off in seconds; hours take a restart with data_dir moved, as the log says.
SLOWER: Final = 1000

STEP_NS: Final = 2_000_000_000
"""By so much at once no clock is corrected while it runs, but set."""


class Step(NamedTuple):
    """The clock was set from `before` to `after`, ns UTC: nothing happened between the two."""

    before: int
    after: int


class SteadyClock:
    """Call it for ns UTC. `lead_ns`: how far it was ahead of the system's clock when last called."""

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, ticks: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.lead_ns = 0
        self._wall = wall
        self._ticks = ticks
        self._told = wall()
        self._told_at = ticks()
        self._steps: list[Step] = []

    def __call__(self) -> int:
        """The time now; never less than it was before."""
        ticks, wall = self._ticks(), self._wall()
        passed = ticks - self._told_at
        least = self._told + passed - passed // SLOWER
        expected = self._told + passed
        if wall - expected >= STEP_NS:
            self._steps.append(Step(expected, wall))
        self._told, self._told_at = max(wall, least), ticks
        self.lead_ns = self._told - wall
        return self._told

    def take_steps(self) -> list[Step]:
        """Where it was set forward since the last call, in order."""
        steps, self._steps = self._steps, []
        return steps

    def not_before(self, t_ns: int) -> None:
        """Go on from `t_ns` at the earliest: what has been written is the past."""
        self._told = max(self(), t_ns)
