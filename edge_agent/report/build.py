"""From what is known of a machine to its page: pure."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.core.behind import curve, jobs, mean_ideal, reasons
from edge_agent.core.machine import Machine
from edge_agent.core.report import OPEN, Report, Window
from edge_agent.core.reporting import report_of
from edge_agent.report.model import Hour, MachinePage, Trace


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
        curve=tuple(curve(ledger, start, known_until, as_of, mean_ideal(fresh.cell))),
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
