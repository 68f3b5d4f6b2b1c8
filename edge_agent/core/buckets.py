"""Buckets: into which element of the time model each moment of a machine goes (domain 2.3, 2.4, 2.6).

A window is cut wherever calendar, order or state changes; each slice falls into one bucket. A stop is
judged whole, also where it reaches out of the window, and by its planned busy part only: so cutting a
window in two changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from edge_agent.core import stops
from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.fitted import NOT_FITTED, Fitted
from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.tiles import BUSY, CalendarKind
from edge_agent.core.timeline import STOPS, UNKNOWN, Run

RUN, FAULT, MAINT, SETUP = MachineState.RUN, MachineState.FAULT, MachineState.MAINT, MachineState.SETUP
MICRO_STOP_NS: Final = 300_000_000_000     # domain 2.4: practice is 1 to 5 min, usually 5
HOLD_MAX_NS: Final = 60_000_000_000        # domain 2.6: a hiccup of the line, not an outage
STARTUP_NS: Final = 300_000_000_000        # the first pieces after a setup are still its

PLANNED_STOP: Final = ("pdot",)

Sums = defaultdict[str, int]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a site decided about the questions the standards leave open.

    micro_stop_ns   a stop up to this long (inclusive, planned busy part) is a micro-stop
    unknown         time without data (domain 2.6): `bridge` keeps it in planned busy time and credits
                    the run that the pieces prove; `exclude` takes it and its pieces out; `down` counts
                    it as a delay; `hold` goes on with the last state
    outside_plan    running outside the plan (domain 2.3): `promote` makes it planned busy time,
                    `exclude` ignores it and its pieces
    hold_max_ns     the longest gap `hold` bridges, `None` for any; a longer one stays unknown
    startup_ns      rejects so long after a setup are start-up rejects (domain 1.3)
    no_order_planned    standing still without an order is a planned stop (domain 1.3), not an availability loss as
                    in ISO 22400-2
    capacity        pieces an hour the machine is rated for (domain 1.2, row 30), `None` if nobody says
    inferred        pieces are not counted but inferred from how the machine runs (domain 3.7)
    estimates       products without an ideal cycle are rated by one that was measured (domain 2.9)
    unsorted        nobody tells bad pieces from good ones: all are taken for good
    fitted          its meters and gauges
    """

    micro_stop_ns: int = MICRO_STOP_NS
    unknown: Literal["bridge", "exclude", "down", "hold"] = "bridge"
    outside_plan: Literal["promote", "exclude"] = "promote"
    hold_max_ns: int | None = HOLD_MAX_NS
    startup_ns: int = STARTUP_NS
    capacity: Fraction | None = None
    no_order_planned: bool = False
    inferred: bool = False
    unsorted: bool = False
    fitted: Fitted = NOT_FITTED
    estimates: bool = False


class Plan(NamedTuple):
    """A stretch of one calendar kind and one answer to "is an order active?"."""

    start: int
    end: int
    kind: CalendarKind
    order: bool


def times(
    runs: Sequence[Run],
    calendar: Calendar | FixedCalendar,
    orders: Steps[bool],
    policy: Policy,
    start: int,
    end: int,
) -> Sums:
    """ns and counts of [start, end) by the name of the cell's field, from runs that cover it."""
    sums: Sums = defaultdict(int)
    plans = list(planned(calendar, orders, start, end))
    at = 0
    for episode in episodes(runs):
        begin, until = episode[0].from_, episode[-1].until
        if episode[-1].end <= start or episode[0].start >= end:
            continue
        stopped = episode[0].state in STOPS
        micro = stopped and not calendar.busy_exceeds(begin, until, policy.micro_stop_ns)
        for run in episode:
            at = _fill(sums, run, plans, at, (start, end, micro), policy)
        if stopped:
            stops.count(sums, episode, calendar, orders, micro, start, end)
    return sums


def bucket(plan: Plan, run: Run, micro: bool, policy: Policy) -> tuple[str, ...]:
    """The decision table of domain 2.3, first match wins: the bucket and the shares that go with it."""
    if plan.kind is not BUSY:
        if run.state is RUN and policy.outside_plan == "promote":
            return ("apt", "promoted") if run.raw is RUN else ("apt", "promoted", "held")
        if plan.kind is CalendarKind.NON_SCHEDULED:
            return ("nst",)
        return ("pdot", "pmt") if run.state is MAINT else ("pdot",)
    if run.raw is UNKNOWN:
        names = _unknown(plan, run, micro, policy)
        return names if names == PLANNED_STOP else (*names, "unk_raw")
    return _busy(plan, run, micro, policy)


def _unknown(plan: Plan, run: Run, micro: bool, policy: Policy) -> tuple[str, ...]:
    if run.state is RUN:
        return ("apt", "held")
    if run.state is not UNKNOWN:
        return _busy(plan, run, micro, policy)
    if policy.unknown == "down":
        return ("adet_other",)
    return ("unk", "excluded") if policy.unknown == "exclude" else ("unk",)


def _busy(plan: Plan, run: Run, micro: bool, policy: Policy) -> tuple[str, ...]:
    state, reason = run.state, run.reason.upper()
    if state is RUN:
        return ("apt",)
    if state is SETUP:
        return ("aust", "trial") if reason == "TRIAL" else ("aust",)
    if state is MAINT:
        return ("maint", "pmt") if reason == "PREVENTIVE" else ("maint", "cmt")
    if micro and plan.order:
        return ("micro",)
    if state is FAULT:
        return ("adet_fault", "cmt")
    if plan.order:
        return ("adet_other",)
    return PLANNED_STOP if policy.no_order_planned else ("adot",)


def _fill(
    sums: Sums, run: Run, plans: Sequence[Plan], at: int, window: tuple[int, int, bool], policy: Policy
) -> int:
    """Add one run's time within the window; returns the plan at which the next run may begin."""
    start, end, micro = max(run.start, window[0]), min(run.end, window[1]), window[2]
    while start < end:
        while plans[at].end <= start:
            at += 1
        finish = min(end, plans[at].end)
        for name in bucket(plans[at], run, micro, policy):
            sums[name] += finish - start
        start = finish
    return at


def planned(
    calendar: Calendar | FixedCalendar, orders: Steps[bool], start: int, end: int
) -> Iterator[Plan]:
    """The calendar of [start, end), cut where an order begins or ends."""
    for span in calendar.spans(start, end):
        cuts = [span.start, *orders.changes(span.start, span.end), span.end]
        for low, high in pairwise(cuts):
            yield Plan(low, high, span.kind, orders.at(low) is not False)


def episodes(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Runs that are judged together: a stop is all IDLE and FAULT in a row, anything else stands alone."""
    episode: list[Run] = []
    for run in runs:
        if episode and not (run.state in STOPS and episode[-1].state in STOPS):
            yield episode
            episode = []
        episode.append(run)
    if episode:
        yield episode
