"""Dwell: a new state counts once it has lasted long enough, and then from its start.

What has not lasted never was. Losing sight of a machine is no state it could flicker into: no dwell then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from edge_agent.core.states import MachineState

Step = tuple[int, MachineState, str]
"""From this time on (ns UTC) a state, and its reason."""


class Dwell(NamedTuple):
    """The state that counts; `seen`: another one, seen since `since`, that has not lasted yet."""

    state: MachineState = MachineState.UNKNOWN
    reason: str = ""
    seen: tuple[MachineState, str] | None = None
    since: int = 0

    def settle(self, dwell_ns: int, time: int) -> tuple[Dwell, list[Step]]:
        """Nothing else is seen before `time`."""
        if self.seen is None or time - self.since < dwell_ns:
            return self, []
        return Dwell(*self.seen), [(self.since, *self.seen)]

    def put(self, dwell_ns: int, time: int, state: MachineState, reason: str) -> tuple[Dwell, list[Step]]:
        """From `time` on this is seen."""
        now, steps = self.settle(dwell_ns, time)
        if (state, reason) == (now.state, now.reason):
            return Dwell(state, reason), steps
        if state is MachineState.UNKNOWN or not dwell_ns:
            return Dwell(state, reason), [*steps, (time, state, reason)]
        if now.seen != (state, reason):
            now = Dwell(now.state, now.reason, (state, reason), time)
        return now, steps


def recalled(told: list[Any]) -> Dwell:
    """The dwell that was kept as JSON."""
    state, reason, seen, since = told
    later = None if seen is None else (MachineState(seen[0]), str(seen[1]))
    return Dwell(MachineState(state), str(reason), later, int(since))
