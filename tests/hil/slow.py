"""A slow integrator that shares nothing with the ledger: it walks through every stretch in which nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from edge_agent_hil.events import Event

Span = tuple[int, int]


@dataclass
class Stretch:
    """A stretch in which nothing changes."""

    start: int
    end: int
    state: str
    reason: str
    resting: bool
    seen: bool
    """in the window, not only in what the stops that reach into it are judged by"""


@dataclass
class Sums:
    """What it finds; the names are the agent's."""

    ns: Counter[str] = field(default_factory=Counter)
    n: Counter[str] = field(default_factory=Counter)
    ideal: Counter[str] = field(default_factory=Counter)
    energy_uj: Counter[str] = field(default_factory=Counter)


def integrate(
    events: Sequence[Event], begun: int, rests: Sequence[Span], window: Span, as_of: int, micro: int, ideal: Any
) -> Sums:
    """The window's sums; `begun`: the plant's start; `ideal`: product → ns."""
    sums, (start, end) = Sums(), window
    stretches = _stretches(events, begun, rests, window, as_of)
    for one in stretches:
        if one.seen:
            sums.ns["ct"] += one.end - one.start
            sums.ns["pdot" if one.resting else one.state] += one.end - one.start
            if not one.resting and one.reason and one.state != "RUN":
                sums.ns[f"reason {one.reason}"] += one.end - one.start
    for stop in _stops(stretches):
        _stop(sums, stop, window, micro, as_of)
    for event in events:
        if event.what == "piece" and start < event.t <= end:
            sums.n["pq"] += 1
            sums.n[f"{event.product} {event.made}"] += 1
            sums.n[{"good": "gq", "scrap": "sq", "rework": "rq"}[str(event.made)]] += 1
            sums.ideal["ipt"] += ideal[event.product]
            sums.ideal["igt"] += ideal[event.product] * (event.made == "good")
            sums.ideal["ist"] += ideal[event.product] * (event.made != "good" and event.starting_up)
    _energy(sums, events, window)
    return sums


def _stretches(
    events: Sequence[Event], begun: int, rests: Sequence[Span], window: Span, as_of: int
) -> list[Stretch]:
    changes = [(begun, "IDLE", ""), *((e.t, str(e.state), e.reason) for e in events if e.what == "state")]
    last = max(window[1], as_of)
    edges = {begun, *window, as_of, *(t for t, _, _ in changes), *(edge for rest in rests for edge in rest)}
    found, at = [], 0
    for a, b in pairwise(sorted(edge for edge in edges if begun <= edge <= last)):
        while at + 1 < len(changes) and changes[at + 1][0] <= a:
            at += 1
        resting = any(low <= a < high for low, high in rests)
        found.append(Stretch(a, b, changes[at][1], changes[at][2], resting, window[0] <= a < window[1]))
    return [one for one in found if one.end <= as_of or one.seen]


def _stops(stretches: Sequence[Stretch]) -> list[list[Stretch]]:
    stops: list[list[Stretch]] = [[]]
    for one in stretches:
        if one.state in ("IDLE", "FAULT"):
            stops[-1].append(one)
        else:
            stops.append([])
    return [stop for stop in stops if stop]


def _stop(sums: Sums, stop: list[Stretch], window: Span, micro: int, as_of: int) -> None:
    busy = [one for one in stop if not one.resting]
    is_micro = sum(one.end - one.start for one in busy) <= micro
    for one in busy:
        if one.seen:
            kind = "micro" if is_micro else "adet_fault" if one.state == "FAULT" else "adet_other"
            sums.ns[kind] += one.end - one.start
    if busy and window[0] <= busy[0].start < window[1]:
        sums.n["n_micro" if is_micro else "n_stop"] += 1
    if is_micro:
        return
    faults: list[list[Stretch]] = [[]]
    for one in stop:
        if one.state == "FAULT":
            faults[-1].append(one)
        else:
            faults.append([])
    for fault in filter(None, faults):
        spent = [one for one in fault if not one.resting]
        sums.n["fe"] += bool(spent) and window[0] <= spent[0].start < window[1]
        if spent and window[0] < fault[-1].end <= window[1] and fault[-1].end < as_of:
            sums.n["n_ttr_closed"] += 1
            sums.ns["ttr_sum"] += sum(one.end - one.start for one in spent)


def _energy(sums: Sums, events: Sequence[Event], window: Span) -> None:
    for event, following in pairwise([*events, None]):
        assert event is not None
        until = window[1] if following is None else min(following.t, window[1])
        if max(event.t, window[0]) < until:
            sums.energy_uj[str(event.state)] += event.power * (until - max(event.t, window[0]))


def ratio(part: Any, whole: Any) -> Fraction | None:
    return Fraction(part) / Fraction(whole) if whole else None
