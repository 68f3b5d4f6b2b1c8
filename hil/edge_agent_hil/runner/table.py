"""The table of verdicts, for people at a terminal and for logs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from edge_agent_hil.runner.played import Played
from edge_agent_hil.runner.verdict import Verdict

WIDTH = 100
ROW = "  {:4} {:17} {:26} {}"


def table(played: Played, verdicts: Sequence[Verdict]) -> list[str]:
    """One scenario: its title, a line a verdict, and behind what does not hold what is known about it."""
    failed = sum(not verdict.holds for verdict in verdicts)
    if played.skipped:
        return [f"{played.loaded.name}: skipped, {played.skipped}", ""]
    end = f"{failed} of {len(verdicts)} verdicts FAILED" if failed else f"all {len(verdicts)} verdicts hold"
    lines = [f"{played.loaded.name}: {played.loaded.file.scenario}"]
    for verdict in verdicts:
        mark = "ok" if verdict.holds else "FAIL"
        lines.append(ROW.format(mark, verdict.name, verdict.wanted, verdict.found).rstrip())
        if not verdict.holds and verdict.detail:
            for paragraph in verdict.detail.splitlines():
                lines += textwrap.wrap(paragraph, WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 9)
    return [*lines, f"  {end}, seed {played.seed}, {played.seconds:.0f} s", ""]


def summary(results: Sequence[tuple[Played, Sequence[Verdict]]]) -> list[str]:
    """The last lines: which scenarios failed."""
    failed = [played.loaded.name for played, verdicts in results if not all(one.holds for one in verdicts)]
    took = sum(played.seconds for played, _ in results)
    told = f"{len(results)} scenarios in {took:.0f} s: "
    return [told + (f"{len(failed)} FAILED: {', '.join(failed)}" if failed else "every verdict holds")]
