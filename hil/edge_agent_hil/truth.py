"""The exact ledger of what one simulated machine really did.

This is the other side of the comparison: it shares no arithmetic with the agent. It holds what
happened in columns (8 bytes a piece) and answers for any [start, end) by clipping and counting.

Conventions, the same as the agent's so that the two can be compared: a state holds from its
instant until the next; a piece finished at t lies in a window with start < t ≤ end; breaks are
planned down time and no part of the planned busy time; a stop is a stretch of IDLE and FAULT
without anything between, and its length is what of it lies outside breaks.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from edge_agent_hil.breaks import Breaks
from edge_agent_hil.events import Event, Made, State, What
from edge_agent_hil.vector import BREAK, Vector

STOPS = (State.IDLE, State.FAULT)


class Stay(NamedTuple):
    """A state, from when until when, ns."""

    start: int
    end: int
    state: State
    reason: str


class Truth:
    """Everything that happened to one machine, in time order."""

    def __init__(self, ideal_ns: Mapping[str, Fraction], breaks: Breaks, start: int) -> None:
        self.ideal_ns = dict(ideal_ns)
        self.start = start
        self.breaks = breaks
        self._times = array("q", [start])
        self._states: list[tuple[State, str]] = [(State.IDLE, "")]
        self._metered = array("q", [start])         # when the power was another, the energy up to then, the power
        self._energy, self._power = array("q", [0]), array("q", [0])
        self._products: list[tuple[int, str]] = []
        self._made: dict[tuple[str, Made, bool], array[int]] = {}

    def record(self, event: Event) -> None:
        """The next thing that happened."""
        if event.power != self._power[-1]:
            self._metered.append(event.t)
            self._energy.append(event.energy)
            self._power.append(event.power)
        if event.what is What.STATE:
            self._times.append(event.t)
            self._states.append((event.state, event.reason))
        elif event.what is What.PRODUCT:
            self._products.append((event.t, event.product))
        elif event.made is not None:
            key = event.product, event.made, event.starting_up
            self._made.setdefault(key, array("q")).append(event.t)

    def vector(self, start: int, end: int, micro_stop_ns: int = 0, as_of: int | None = None) -> Vector:
        """The window [start, end), ns UTC, judged with what was known at `as_of` (default: `end`).

        A stop still open at `as_of` is as long as it was then.
        """
        start = max(start, self.start)
        end = max(start, end)
        vector = Vector(start, end, max(end, as_of or end))
        vector.time_ns[BREAK] = self._rest(start, end)
        for stay in self._stays(start, end):
            outside = self._outside(stay.start, stay.end)
            vector.time_ns[stay.state] += outside
            vector.energy_uj[stay.state] += self._energy_at(stay.end) - self._energy_at(stay.start)
            if stay.reason and stay.state is not State.RUN and outside:
                vector.reasons_ns[stay.reason] = vector.reasons_ns.get(stay.reason, 0) + outside
        begun = self._states[bisect_left(self._times, start) : bisect_left(self._times, end)]
        vector.faults = sum(state is State.FAULT for state, _ in begun)
        for stop in self._stops(start, end, vector.as_of):
            self._judge(vector, stop, micro_stop_ns)
        self._count(vector)
        return vector

    def jobs(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """(from, until, product) of each program that was loaded in [start, end), clipped to it."""
        ends = [t for t, _ in self._products[1:]] + [end]
        spans = [(max(t, start), min(until, end), name) for (t, name), until in zip(self._products, ends, strict=True)]
        return [span for span in spans if span[0] < span[1]]

    def states(self, start: int, end: int) -> list[Stay]:
        """(from, until, state, reason) of [start, end), clipped to it."""
        return list(self._stays(max(start, self.start), end))

    def to_json(self, end: int) -> dict[str, object]:
        """Every event and the vector of the whole time."""
        pieces = sorted((t, product, made.value) for (product, made, _), times in self._made.items() for t in times)
        states = zip(self._times[1:], self._states[1:], strict=True)
        return {
            "ideal_s": {product: str(ideal / 10**9) for product, ideal in self.ideal_ns.items()},
            "breaks": self.breaks.between(self.start, end),
            "states": [[t, state, reason] for t, (state, reason) in states],
            "products": [list(one) for one in self._products],
            "pieces": [list(piece) for piece in pieces],
            "whole": self.vector(self.start, end).to_json(),
        }

    def _count(self, vector: Vector) -> None:
        for (product, made, starting_up), times in self._made.items():
            if pieces := within(times, vector.start, vector.end):
                vector.count(product, made, starting_up, pieces, self.ideal_ns[product])

    def _judge(self, vector: Vector, stop: list[Stay], micro_stop_ns: int) -> None:
        """Add what the window sees of one stop, given whole."""
        start, end = vector.start, vector.end
        begin = self._first_outside(stop[0].start, stop[-1].end)
        if begin is None:
            return
        is_micro = self._outside(stop[0].start, stop[-1].end) <= micro_stop_ns
        if start <= begin < end:
            vector.stops += not is_micro
            vector.micro_stops += is_micro
        for stay in stop:
            low, high = max(stay.start, start), min(stay.end, end)
            if low < high and is_micro:
                vector.micro_ns += self._outside(low, high)
            elif low < high and stay.state is State.FAULT:
                vector.fault_ns += self._outside(low, high)
        if not is_micro:
            self._judge_faults(vector, stop)

    def _judge_faults(self, vector: Vector, stop: list[Stay]) -> None:
        """Failures count where their busy part begins, restorations where they end, with all they took."""
        for state, stays in groupby(stop, key=lambda stay: stay.state):
            if state is not State.FAULT:
                continue
            fault = list(stays)
            began, ended = self._first_outside(fault[0].start, fault[-1].end), fault[-1].end
            if began is None:
                continue
            vector.failures += vector.start <= began < vector.end
            if vector.start < ended <= vector.end and ended < vector.as_of:
                vector.restored += 1
                vector.restoring_ns += self._outside(fault[0].start, ended)

    def _stays(self, start: int, end: int) -> Iterator[Stay]:
        """States clipped to [start, end)."""
        at = max(0, bisect_right(self._times, start) - 1)
        while at < len(self._times) and self._times[at] < end:
            begin = max(self._times[at], start)
            until = min(self._times[at + 1] if at + 1 < len(self._times) else end, end)
            if begin < until:
                yield Stay(begin, until, *self._states[at])
            at += 1

    def _stops(self, start: int, end: int, as_of: int) -> Iterator[list[Stay]]:
        """Stops that reach into [start, end], each whole as it was at `as_of`."""
        at = max(0, bisect_right(self._times, start) - 1)
        while at > 0 and self._is_stop(at - 1):
            at -= 1
        stop: list[Stay] = []
        for stay in self._stays(self._times[at], as_of):
            if stay.state in STOPS:
                stop.append(stay)
                continue
            if stop:
                yield stop
                stop = []
            if stay.start >= end:
                return
        if stop:
            yield stop

    def _is_stop(self, at: int) -> bool:
        """Whether a stop that holds at state `at + 1` reaches back to it; what lasted no time parts nothing."""
        return self._states[at][0] in STOPS or self._times[at] == self._times[at + 1]

    def _energy_at(self, t: int) -> int:
        """µJ since the start."""
        at = bisect_right(self._metered, t) - 1
        return self._energy[at] + self._power[at] * (t - self._metered[at]) // 1000

    def _first_outside(self, start: int, end: int) -> int | None:
        """The first instant of [start, end) that lies in no break."""
        for begin, until in self.breaks.between(start, end):
            if begin > start:
                break
            start = max(start, until)
        return start if start < end else None

    def _outside(self, start: int, end: int) -> int:
        return end - start - self._rest(start, end)

    def _rest(self, start: int, end: int) -> int:
        return sum(min(until, end) - max(begin, start) for begin, until in self.breaks.between(start, end))


def within(times: array[int], start: int, end: int) -> int:
    """How many of the sorted `times` lie in (start, end]."""
    return bisect_right(times, end) - bisect_right(times, start)
