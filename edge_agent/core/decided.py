"""When time alone changes the judgement of what is still going on."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.core.buckets import Policy, episodes
from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.tiles import BUSY
from edge_agent.core.timeline import STOPS, UNKNOWN, Run
from edge_agent.core.wall import DAY

AHEAD = 31 * DAY
"""A stop that has not become too long for a micro-stop so much later never does."""


def turn_of(runs: Sequence[Run], calendar: Calendar | FixedCalendar, policy: Policy) -> int | None:
    """When the last of these runs, if it is still going on, will be judged otherwise by time alone.

    A stop ceases to be a micro-stop, a gap is too long to be bridged by holding the last state.
    """
    tail = runs[-1]
    if tail.closed:
        return None
    if tail.raw is UNKNOWN:
        held = policy.unknown == "hold" and policy.hold_max_ns is not None
        return tail.from_ + (policy.hold_max_ns or 0) + 1 if held else None
    if tail.state not in STOPS:
        return None
    *_, stop = episodes(runs)
    return _exceeded(calendar, stop[0].from_, policy.micro_stop_ns)


def _exceeded(calendar: Calendar | FixedCalendar, start: int, limit: int) -> int | None:
    """The first instant at which more than `limit` busy ns have passed since `start`."""
    left, at = limit, start
    while at < start + limit + AHEAD:
        for span in calendar.spans(at, at + DAY):
            if span.kind is not BUSY:
                continue
            if span.end - span.start > left:
                return span.start + left + 1
            left -= span.end - span.start
        at += DAY
    return None
