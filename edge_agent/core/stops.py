"""Stops and failures: how many began and how many ended in a window (domain 1.1, 2.8).

A stop or failure counts in the window in which its planned busy part begins; a restoration in the one
in which the fault ends, with all the busy time it took. A fault inside a micro-stop is no failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.timeline import Run

FAULT = MachineState.FAULT


def count(
    sums: defaultdict[str, int],
    episode: Sequence[Run],
    calendar: Calendar | FixedCalendar,
    orders: Steps[bool],
    micro: bool,
    start: int,
    end: int,
) -> None:
    """Add what [start, end) sees of one stop, given whole, to `sums`."""
    begin = calendar.first_busy(episode[0].from_, episode[-1].until)
    if begin is None:
        return
    if start <= begin < end:
        name = _name(_at(episode, begin), orders.at(begin) is not False, micro)
        if name:
            sums[name] += 1
    for fault in _faults(episode):
        began = calendar.first_busy(fault[0].from_, fault[-1].until)
        if began is None or (micro and orders.at(began) is not False):
            continue
        if start <= began < end:
            sums["fe"] += 1
        last = fault[-1]
        if last.closed and start < last.end <= end:
            sums["n_ttr_closed"] += 1
            sums["ttr_sum"] += calendar.busy(fault[0].from_, last.end)


def _name(run: Run, order: bool, micro: bool) -> str:
    if micro and order:
        return "n_micro"
    return "n_stop" if order or run.state is FAULT else ""


def _at(episode: Sequence[Run], t: int) -> Run:
    return next(run for run in episode if t < run.end)


def _faults(episode: Sequence[Run]) -> Iterator[list[Run]]:
    for is_fault, runs in groupby(episode, key=lambda run: run.state is FAULT):
        if is_fault:
            yield list(runs)
