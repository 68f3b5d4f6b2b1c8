"""Lines, areas and the site in the windows of a report: sums of what its pages show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge_agent.core.report import Report, Window
from edge_agent.core.rollup import Rollup, Scope, roll_up
from edge_agent.report.build import fresh_report
from edge_agent.report.model import MachinePage
from edge_agent.report.recall import Recalled


def add_up(
    scope: Scope, window: Window, known: Recalled, pages: Sequence[MachinePage], watermark: int
) -> Rollup | None:
    """The roll-up of a scope in one window; None if the facts of a member are no longer kept.

    A member's own page counts as it is; where its shifts are others than the scope's, it is judged over the scope's.
    """
    shown = {(page.id, page.record.window.start, page.record.window.end): page.record for page in pages}
    members: list[Report] = []
    for name in scope.machines:
        machine = known.engine.machines[name]
        report = shown.get((name, window.start, window.end))
        if report is None:
            if (machine.ledger.remembered_from or window.start) > window.start:
                return None
            due = window.end + watermark
            report = fresh_report(machine, window, min(known.until, due), due)
        if scope.tells_products(name) and machine.spec.job is not None and not report.products:
            report = replace(report, products=machine.ledger.products(window.start, window.end, report.as_of))
        members.append(report)
    return roll_up(scope, window, members)
