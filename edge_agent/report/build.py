"""From what is known of a machine to its page: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

from edge_agent.core.cell import Cell
from edge_agent.core.kpi import SECOND
from edge_agent.core.ledger import Ledger
from edge_agent.core.machine import Machine
from edge_agent.core.report import OPEN, Report, Window
from edge_agent.core.reporting import report_of
from edge_agent.core.slices import Slice
from edge_agent.core.states import MachineState
from edge_agent.report.model import Hour, Job, MachinePage, Point, Reason, Trace

LOST: Final = ("adet_fault", "adet_other", "micro", "aust", "maint", "adot", "unk", "excluded")
"""Buckets of time in which nothing was made though it had been planned."""

# Points of the production curve: one each five minutes of a shift.
POINTS: Final = 96


def machine_page(
    machine: Machine, window: Window, made: Sequence[Report], until: int, watermark: int
) -> MachinePage | None:
    """The page of one window; None if there is no record and the facts are no longer kept.

    `made`: the agent's own records of it, the latest last. Facts are known up to `until`, ns UTC; `watermark`: how
    long after its end a window is final, ns.
    """
    ledger, spec = machine.ledger, machine.spec
    is_kept = ledger.remembered_from is None or ledger.remembered_from <= window.start
    if not made and not is_kept:
        return None
    due = window.end + watermark
    fresh = fresh_report(machine, window, made[-1].as_of if made else min(until, due), due)
    record = made[-1] if made else fresh
    trace = _trace(record, fresh, is_journalled=bool(made), is_kept=is_kept)
    start, end = window.start, window.end if window.end < OPEN else record.as_of
    plan = tuple(ledger.calendar.spans(start, end))
    if trace is Trace.GONE:
        return MachinePage(spec.id, spec.line, record, tuple(made), plan, trace)
    as_of = record.as_of
    known_until = min(end, as_of)
    slices = tuple(ledger.slices(start, end, as_of))
    return MachinePage(
        spec.id, spec.line, record, tuple(made), plan, trace, slices,
        reasons=tuple(reasons(slices)),
        jobs=tuple(jobs(ledger, start, known_until, as_of)),
        curve=tuple(curve(ledger, start, known_until, as_of, fresh.cell)),
        hours=tuple(
            Hour(low, high, ledger.cell(low, high, as_of))
            for one in ledger.calendar.hours(start, known_until)
            if (low := max(one.start, start)) < (high := min(one.end, known_until))
        ),
    )  # fmt: skip


def fresh_report(machine: Machine, window: Window, as_of: int, due: int) -> Report:
    """The record of a window, added up now."""
    return report_of(machine, window, as_of, final=as_of >= due)


def _trace(record: Report, fresh: Report, *, is_journalled: bool, is_kept: bool) -> Trace:
    if not is_kept:
        return Trace.GONE
    if not is_journalled:
        return Trace.FRESH
    if record.cell == fresh.cell:
        return Trace.SAME
    return Trace.DIFFERS if record.config_hash == fresh.config_hash else Trace.RULES


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
    cuts = [(start, "", "")]
    for span in ledger.jobs(start, end, as_of):
        cuts.append((max(span.start, start), span.product, span.order))
    found = [
        Job(low, high, product, order, ledger.cell(low, high, as_of))
        for (low, product, order), (high, *_) in pairwise([*cuts, (end, "", "")])
        if low < high
    ]
    return found if any(one.product or one.order for one in found) else []


def curve(ledger: Ledger, start: int, end: int, as_of: int, whole: Cell) -> list[Point]:
    """Pieces since `start`, at `POINTS` instants; ideal is the planned busy time at the mean ideal cycle of `whole`."""
    if end <= start:
        return []
    ideal = Fraction(whole.ipt) / (whole.pq - whole.unrated) if whole.pq > whole.unrated and whole.ipt > 0 else None
    points = [Point(start, 0, 0, None if ideal is None else Fraction(0))]
    total = good = busy = 0
    cuts = [start + (end - start) * at // POINTS for at in range(POINTS + 1)]
    for low, high in pairwise(cuts):
        cell = ledger.cell(low, high, as_of)
        total, good, busy = total + cell.pq, good + cell.gq, busy + cell.pbt
        points.append(Point(high, total, good, None if ideal is None else Fraction(busy, SECOND) / ideal))
    return points
