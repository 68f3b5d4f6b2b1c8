"""Slices: what the times of a cell consist of, so that a reader can look behind each sum.

The same rules as in `buckets`, told stretch by stretch instead of added up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from edge_agent.core.buckets import Plan, Policy, bucket, episodes, planned
from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.tiles import BUSY
from edge_agent.core.timeline import STOPS, Run

EXCLUDED: Final = "excluded"
"""The bucket of time that a policy takes out of planned busy time; `unk` in the cell."""


class Slice(NamedTuple):
    """[start, end), ns UTC, went into the cell's field `bucket`, for the machine was in `state` because of `reason`.

    `begins`: the planned busy part of the state begins here. It is so once for a state, in whichever
    window, however many slices the state is cut into.
    """

    start: int
    end: int
    bucket: str
    state: MachineState
    reason: str
    begins: bool

    @property
    def length(self) -> int:
        """ns."""
        return self.end - self.start


def slices(
    runs: Sequence[Run],
    calendar: Calendar | FixedCalendar,
    orders: Steps[bool],
    policy: Policy,
    start: int,
    end: int,
) -> Iterator[Slice]:
    """The slices of [start, end), from runs that cover it; they tile it without gap or overlap."""
    plans = list(planned(calendar, orders, start, end))
    starts, ends = [plan.start for plan in plans], [plan.end for plan in plans]
    for episode in episodes(runs):
        stopped = episode[0].state in STOPS
        micro = stopped and not calendar.busy_exceeds(episode[0].from_, episode[-1].until, policy.micro_stop_ns)
        for run in episode:
            is_old = run.start < start and calendar.first_busy(run.from_, start) is not None
            mine = plans[bisect_right(ends, run.start) : bisect_left(starts, run.end)]
            yield from _of_run(run, mine, is_old, micro, policy)


def _of_run(run: Run, plans: Sequence[Plan], is_old: bool, micro: bool, policy: Policy) -> Iterator[Slice]:
    """Of a run and the plans that it meets; `is_old`: its planned busy part began before the window."""
    last: Slice | None = None
    for plan in plans:
        low, high = max(run.start, plan.start), min(run.end, plan.end)
        names = bucket(plan, run, micro, policy)
        name = EXCLUDED if EXCLUDED in names else names[0]
        begins = plan.kind is BUSY and not is_old
        is_old = is_old or begins
        if last is not None and last.bucket == name:
            last = last._replace(end=high, begins=last.begins or begins)
            continue
        if last is not None:
            yield last
        last = Slice(low, high, name, run.raw, run.reason, begins)
    if last is not None:
        yield last
