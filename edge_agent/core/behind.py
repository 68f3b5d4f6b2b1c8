"""What is behind the figures of a window: why time was lost, which jobs there were, how pieces came over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from edge_agent.core.cell import Cell
from edge_agent.core.kpi import SECOND
from edge_agent.core.ledger import Ledger
from edge_agent.core.machine import Machine
from edge_agent.core.report import OPEN, Window
from edge_agent.core.slices import Slice
from edge_agent.core.states import MachineState

LOST: Final = ("adet_fault", "adet_other", "micro", "aust", "maint", "adot", "unk", "excluded")
"""Buckets of time in which nothing was made though it had been planned."""

# Points of the production curve: one each five minutes of a shift.
POINTS: Final = 96


@dataclass(frozen=True, slots=True)
class Reason:
    """Time lost in one bucket, in one state, for one reason; `count`: how often that began in the window."""

    bucket: str
    state: MachineState
    reason: str
    count: int
    time: int


@dataclass(frozen=True, slots=True)
class Job:
    """What was made of one product for one order, [start, end); names are '' where nobody told them."""

    start: int
    end: int
    product: str
    order: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class Point:
    """Pieces made since the beginning of the window, and how many the ideal cycle would have allowed."""

    time: int
    total: int
    good: int
    ideal: Fraction | None


def reasons(slices: Sequence[Slice]) -> list[Reason]:
    """What stopped the machine, the longest first: each bucket, state and reason with its time and how often it began.

    Their times add up to the lost buckets of the cell.
    """
    times: defaultdict[tuple[str, MachineState, str], int] = defaultdict(int)
    counts: defaultdict[tuple[str, MachineState, str], int] = defaultdict(int)
    for one in slices:
        if one.bucket in LOST:
            key = (one.bucket, one.state, one.reason)
            times[key] += one.length
            counts[key] += one.begins
    found = [Reason(*key, counts[key], time) for key, time in times.items()]
    return sorted(found, key=lambda one: (-one.time, one.bucket, one.state, one.reason))


def jobs(ledger: Ledger, start: int, end: int, as_of: int) -> list[Job]:
    """What was made when in [start, end): their cells add up to its cell. Empty where nobody told what was made."""
    told = ledger.jobs(start, end, as_of)
    if not any(span.product or span.order for span in told):
        return []
    cuts = [(start, "", ""), *((max(span.start, start), span.product, span.order) for span in told)]
    return [
        Job(low, high, product, order, ledger.part(low, high, as_of))
        for (low, product, order), (high, *_) in pairwise([*cuts, (end, "", "")])
        if low < high
    ]


def mean_ideal(cell: Cell) -> Fraction | None:
    """The mean ideal cycle of the pieces of a cell, seconds; None without rated pieces."""
    rated = cell.pq - cell.unrated
    return Fraction(cell.ipt) / rated if rated > 0 and cell.ipt > 0 else None


def ideal_of(machine: Machine, cell: Cell, t: int) -> Fraction | None:
    """Seconds a piece: the mean of what a cell made, else of what is made at `t`; None: nobody knows."""
    if (made := mean_ideal(cell)) is not None:
        return made
    stroke = machine.ledger.stroke(t)
    return stroke / machine.units(machine.ledger.product) if stroke else None


def allowed(busy: int | None, ideal: Fraction | None) -> Fraction | None:
    """Pieces that so much planned busy time, ns, allows at `ideal` seconds a piece; None where one is not known."""
    return None if busy is None or ideal is None else Fraction(busy, SECOND) / ideal


def planned(ledger: Ledger, window: Window) -> int | None:
    """Planned busy time of a whole window, ns, as it is planned now; None: nobody knows when it ends."""
    return None if window.end >= OPEN else ledger.calendar.busy(window.start, window.end)


def curve(ledger: Ledger, start: int, end: int, as_of: int, ideal: Fraction | None) -> Iterator[Point]:
    """Pieces since `start`, at `POINTS` instants, and those that `ideal`, seconds a piece, allows in planned busy time.

    One by one, for each takes its time.
    """
    if end <= start:
        return
    yield Point(start, 0, 0, allowed(0, ideal))
    total = good = busy = 0
    for low, high in pairwise(start + (end - start) * at // POINTS for at in range(POINTS + 1)):
        cell = ledger.part(low, high, as_of)
        total, good, busy = total + cell.pq, good + cell.gq, busy + cell.pbt
        yield Point(high, total, good, allowed(busy, ideal))
