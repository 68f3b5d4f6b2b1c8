"""The driver and its sessions: a row for each period, on a fixed grid, made up on the spot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.api import Batch, Clock, Int32s, NotConnected, Tag, row, scan_group
from edge_agent_simulated.config import SECOND, SimulatedDevice, parse_seed
from edge_agent_simulated.signal import Value, value_of


@dataclass(frozen=True, slots=True)
class Group:
    """The tags of one period, and what gives their values."""

    period_ns: int
    tags: Int32s
    values: tuple[Value, ...]


class SimulatedDriver:
    """Knows one simulated device. Its walks go on from session to session."""

    def __init__(self, device: str, config: SimulatedDevice, tags: Sequence[Tag], clock: Clock) -> None:
        self._clock = clock
        seed = parse_seed(config.url)
        self._plan = [
            Group(period, scan_group(members), tuple(value_of(config.tags[t.name], t, seed) for t in members))
            for period, members in _by_period(config, tags)
        ]
        self.groups: Sequence[Int32s] = [group.tags for group in self._plan]

    async def connect(self) -> SimulatedSession:
        """A fresh session; always there."""
        return SimulatedSession(self._plan, self._clock)

    def why(self, _tag: Tag) -> Sequence[str]:
        """Nothing is ever wrong here. See `Driver.why`."""
        return ()


class SimulatedSession:
    """Makes up a row whenever a period is due: at once, then at start + k × period.

    A scan that was missed is skipped. The time of a row is the agent's clock.
    """

    confirms = False
    lag_ns = 0

    def __init__(self, groups: Sequence[Group], clock: Clock) -> None:
        self._groups = groups
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.skipped = 0
        self._due = [self._now_ns()] * len(groups)
        self._closed = asyncio.Event()

    async def read(self) -> Batch:
        """The row of the group that is due next. See `Session.read`."""
        which = min(range(len(self._due)), key=self._due.__getitem__, default=None)
        await self._until(None if which is None else self._due[which])
        assert which is not None
        group, now = self._groups[which], self._now_ns()
        passed = max(1, 1 + (now - self._due[which]) // group.period_ns)
        self.skipped += passed - 1
        self._due[which] += group.period_ns * passed
        time_ns = self._clock()
        return row(group.tags, time_ns, np.array([value(time_ns) for value in group.values]))

    async def close(self) -> None:
        """End a `read` that waits."""
        self._closed.set()

    async def _until(self, due_ns: int | None) -> None:
        """Sleep until `due_ns` of the loop's time (for ever without one), or raise once closed."""
        delay = None if due_ns is None else max(0.0, (due_ns - self._now_ns()) / SECOND)
        try:
            await asyncio.wait_for(self._closed.wait(), delay)
        except TimeoutError:
            return
        raise NotConnected("the simulated device was closed")

    def _now_ns(self) -> int:
        return round(self._loop.time() * SECOND)


def describe(device: str, config: SimulatedDevice, tags: Sequence[Tag]) -> list[str]:
    """A line for each period: `every 1s: make up 3 tags`."""
    return [
        f"every {period / SECOND:g}s: make up {len(members)} tag{'s' * (len(members) != 1)}"
        for period, members in _by_period(config, tags)
    ]


def _by_period(config: SimulatedDevice, tags: Sequence[Tag]) -> list[tuple[int, list[Tag]]]:
    found: dict[int, list[Tag]] = {}
    for tag in tags:
        found.setdefault(config.period_ns(config.tags[tag.name]), []).append(tag)
    return sorted(found.items())
