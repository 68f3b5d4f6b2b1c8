"""Pieces of a machine that counts nothing: each time it begins to run again in its rhythm, one was made (domain 3.7).

A cycle is the time from one beginning to the next. If it is from half to twice the ideal cycle, a piece is taken to
have been made in it. A shorter one is a flicker; a longer one was a stop, and the count goes on from its end.
The last `REMEMBERED` state changes count the same in whatever order they came.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from edge_agent.core.quantity import SECOND
from edge_agent.core.register import REMEMBERED, Booked
from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.timeline import Known

Ideal = Callable[[int], Fraction | None]
"""The ideal time of one stroke, seconds, that was in force just before an instant."""


class _Change(NamedTuple):
    """A state change, when the cycle under way before it had begun, and how many pieces it booked."""

    time: int
    began: int | None
    booked: int


class RunEdges:
    """`steps()`: the machine's states as it told them; they are only read."""

    def __init__(self, steps: Callable[[], Steps[Known]], ideal: Ideal) -> None:
        self._steps = steps
        self._ideal = ideal
        self._changes: list[_Change] = []
        self._oldest = -(1 << 63)
        self._began: int | None = None

    def take(self, time: int) -> list[Booked]:
        """Something about the states, or the ideal cycle, has changed from `time` on; what that books."""
        if time <= self._oldest:
            return []
        place = bisect_left(self._changes, time, key=lambda change: change.time)
        before = {change.time: change.booked for change in self._changes[place:]}
        if place < len(self._changes):
            self._began = self._changes[place].began
            del self._changes[place:]
        booked: list[Booked] = []
        steps = self._steps()
        times = steps.times
        for at in range(bisect_left(times, time), len(times)):
            began, pieces = self._began, self._judge(steps, at)
            self._changes.append(_Change(times[at], began, pieces))
            if pieces != before.get(times[at], 0):
                booked.append(Booked(times[at], pieces, None, again=times[at] in before))
        if len(self._changes) > REMEMBERED:
            self._oldest = self._changes[-REMEMBERED - 1].time
            del self._changes[:-REMEMBERED]
        return booked

    def _judge(self, steps: Steps[Known], at: int) -> int:
        """The pieces of the `at`-th state change; moves the begin of the cycle under way."""
        time, state = steps.times[at], steps.values[at].state
        before = steps.values[at - 1].state if at else MachineState.UNKNOWN
        if state is MachineState.UNKNOWN:
            self._began = None      # whatever it does now, nobody sees it
        if state is not MachineState.RUN or before in (MachineState.RUN, MachineState.UNKNOWN):
            return 0
        ideal = self._ideal(time)
        began, self._began = self._began, time
        if began is None or ideal is None:
            return 0
        doubled = 2 * (time - began)
        if doubled < ideal * SECOND:
            self._began = began
            return 0
        return int(doubled <= 4 * ideal * SECOND)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe."""
        return {"began": self._began, "newest": self._changes[-1].time if self._changes else self._oldest}

    def restore(self, data: dict[str, Any]) -> None:
        """Go on where `snapshot` was taken; late state changes find no place any more."""
        self._changes = []
        self._began, self._oldest = data["began"], data["newest"]
