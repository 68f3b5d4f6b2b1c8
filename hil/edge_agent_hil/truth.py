"""The exact ledger of what one simulated machine really did, and its OEE computed from nothing else.

This is the other side of the comparison: it shares no arithmetic with the agent. It holds the
plain lists of what happened and answers for any [start, end) by clipping and counting: integer
nanoseconds, integer pieces, ideal time as fractions, division at the very end.

Conventions, the same as the agent's so that the two can be compared: a state holds from its
instant until the next; a piece finished at t lies in a window with start < t ≤ end; breaks are
planned down time and no part of the planned busy time; a stop is a stretch of IDLE and FAULT
without anything between, and its length is what of it lies outside breaks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from edge_agent_hil.breaks import Breaks
from edge_agent_hil.machine import Event, State, What

BREAK = "BREAK"
Span = tuple[int, int]


@dataclass
class Vector:
    """What happened in one window: components that add up, and the ratios made of them."""

    start: int
    end: int
    as_of: int
    time_ns: dict[str, int] = field(default_factory=dict)
    """by state outside breaks, and BREAK; adds up to end − start"""
    reasons_ns: dict[str, int] = field(default_factory=dict)
    """of the stops outside breaks, by reason"""
    micro_ns: int = 0
    """stops no longer than the threshold asked for"""
    faults: int = 0
    """faults begun"""
    total: int = 0
    scrap: int = 0
    by_product: dict[str, dict[str, int]] = field(default_factory=dict)
    ideal_total_ns: Fraction = Fraction(0)
    ideal_good_ns: Fraction = Fraction(0)

    @property
    def busy_ns(self) -> int:
        """Planned busy time."""
        return sum(self.time_ns.values()) - self.time_ns[BREAK]

    def kpis(self) -> dict[str, Fraction | None]:
        """Exact ratios; None where the denominator is 0."""
        run, busy = self.time_ns[State.RUN], self.busy_ns
        return {
            "oee": ratio(self.ideal_good_ns, busy),
            "availability_iso": ratio(run, busy),
            "effectiveness_iso": ratio(self.ideal_total_ns, run),
            "availability_classic": ratio(run + self.micro_ns, busy),
            "performance_classic": ratio(self.ideal_total_ns, run + self.micro_ns),
            "quality_count": ratio(self.total - self.scrap, self.total),
            "quality_time": ratio(self.ideal_good_ns, self.ideal_total_ns),
        }

    def to_json(self) -> dict[str, object]:
        """Exact and JSON-safe: ns and pieces as integers, ideal seconds and exact ratios as "a/b"."""
        kpis = self.kpis()
        return {
            "start": self.start, "end": self.end, "as_of": self.as_of,
            "time_ns": self.time_ns, "busy_ns": self.busy_ns, "reasons_ns": self.reasons_ns,
            "micro_ns": self.micro_ns, "faults": self.faults,
            "counts": {"total": self.total, "good": self.total - self.scrap, "scrap": self.scrap},
            "by_product": self.by_product,
            "ideal_s": {"total": str(self.ideal_total_ns / 10**9), "good": str(self.ideal_good_ns / 10**9)},
            "kpi": {name: None if value is None else float(value) for name, value in kpis.items()},
            "kpi_exact": {name: None if value is None else str(value) for name, value in kpis.items()},
        }  # fmt: skip


class Truth:
    """Everything that happened to one machine, in time order."""

    def __init__(self, ideal_ns: Mapping[str, Fraction], breaks: Breaks, start: int) -> None:
        self.ideal_ns = dict(ideal_ns)
        self.start = start
        self.events: list[Event] = []
        self._breaks = breaks
        self._states: list[tuple[int, State, str]] = [(start, State.IDLE, "")]
        self._good: dict[str, list[int]] = {product: [] for product in ideal_ns}
        self._scrap: dict[str, list[int]] = {product: [] for product in ideal_ns}

    def record(self, event: Event) -> None:
        """The next thing that happened."""
        self.events.append(event)
        if event.what is What.STATE:
            self._states.append((event.t, event.state, event.reason))
        elif event.what is What.PIECE:
            (self._good if event.good else self._scrap)[event.product].append(event.t)

    def vector(self, start: int, end: int, micro_stop_ns: int = 0, as_of: int | None = None) -> Vector:
        """The window [start, end), ns UTC, judged with what was known at `as_of` (default: `end`).

        A stop still open at `as_of` is as long as it was then.
        """
        start = max(start, self.start)
        end = max(start, end)
        vector = Vector(start, end, max(end, as_of or end))
        vector.time_ns = {**{state.value: 0 for state in State}, BREAK: self._break_time(start, end)}
        for begin, until, state, reason in self._spans(start, end):
            outside = until - begin - self._break_time(begin, until)
            vector.time_ns[state] += outside
            if reason and state is not State.RUN and outside:
                vector.reasons_ns[reason] = vector.reasons_ns.get(reason, 0) + outside
        vector.micro_ns = sum(self._short_stops(start, end, micro_stop_ns, vector.as_of))
        vector.faults = sum(start <= t < end and state is State.FAULT for t, state, _ in self._states)
        self._count(vector)
        return vector

    def to_json(self, end: int) -> dict[str, object]:
        """Every event and the vector of the whole time."""
        pieces = [event for event in self.events if event.what is What.PIECE]
        return {
            "ideal_s": {product: str(ideal / 10**9) for product, ideal in self.ideal_ns.items()},
            "breaks": self._breaks.between(self.start, end),
            "states": [[e.t, e.state, e.reason] for e in self.events if e.what is What.STATE],
            "products": [[e.t, e.product] for e in self.events if e.what is What.PRODUCT],
            "pieces": [[e.t, e.product, "good" if e.good else "scrap"] for e in pieces],
            "whole": self.vector(self.start, end).to_json(),
        }

    def _count(self, vector: Vector) -> None:
        for product, ideal in self.ideal_ns.items():
            good = within(self._good[product], vector.start, vector.end)
            scrap = within(self._scrap[product], vector.start, vector.end)
            vector.total += good + scrap
            vector.scrap += scrap
            vector.ideal_good_ns += ideal * good
            vector.ideal_total_ns += ideal * (good + scrap)
            if good + scrap:
                vector.by_product[product] = {"total": good + scrap, "good": good, "scrap": scrap}

    def _spans(self, start: int, end: int) -> Iterator[tuple[int, int, State, str]]:
        """States clipped to [start, end)."""
        first = max(0, bisect_right(self._states, start, key=lambda state: state[0]) - 1)
        last = bisect_left(self._states, end, key=lambda state: state[0])
        cut = [*self._states[first:last], (end, State.IDLE, "")]
        for (begin, state, reason), (until, _, _) in pairwise(cut):
            if max(begin, start) < until:
                yield max(begin, start), until, state, reason

    def _short_stops(self, start: int, end: int, threshold: int, as_of: int) -> Iterator[int]:
        """What lies in the window of each stop whose whole length is within the threshold."""
        for begin, until in self._stops(as_of):
            if until <= start or begin >= end:
                continue
            if until - begin - self._break_time(begin, until) <= threshold:
                inside = max(begin, start), min(until, end)
                yield inside[1] - inside[0] - self._break_time(*inside)

    def _stops(self, as_of: int) -> Iterator[Span]:
        opened: int | None = None
        for begin, _, state, _ in self._spans(self.start, as_of):
            stopped = state in (State.IDLE, State.FAULT)
            if stopped and opened is None:
                opened = begin
            elif not stopped and opened is not None:
                yield opened, begin
                opened = None
        if opened is not None:
            yield opened, as_of

    def _break_time(self, start: int, end: int) -> int:
        return sum(min(until, end) - max(begin, start) for begin, until in self._breaks.between(start, end))


def within(times: list[int], start: int, end: int) -> int:
    """How many of the sorted `times` lie in (start, end]."""
    return bisect_right(times, end) - bisect_right(times, start)


def ratio(part: Fraction | int, whole: Fraction | int) -> Fraction | None:
    """part / whole, exact; None without a whole."""
    return Fraction(part) / Fraction(whole) if whole else None
