"""Lines, areas and the site of a replay, from what each machine contributed to their windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from edge_agent.core.finals import Finals
from edge_agent.core.report import Report
from edge_agent.core.rollup import Rollup, Scope, roll_up
from edge_agent.core.rollups import digest_of_sum
from edge_agent.replay.machines import Outcome


def sums_of(
    scopes: Iterable[Scope], outcomes: Mapping[str, Outcome], told: Mapping[str, Finals]
) -> list[Rollup]:
    """Scope by scope, each by time; of the windows of which every machine has its share, where all machines are known.

    `told`, by scope: what the agent told, whose revisions they then have.
    """
    return [
        _as_told(rollup, told.get(scope.key, Finals()))
        for scope in scopes
        if outcomes.keys() >= set(scope.machines)
        for rollup in _of(scope, outcomes)
    ]


def _as_told(rollup: Rollup, finals: Finals) -> Rollup:
    """With the revision the agent gave it, if it is what the agent told last; else it is the next one."""
    told = finals[rollup.window]
    if told is None:
        return rollup
    same = rollup.final and told.digest == digest_of_sum(rollup)
    return replace(rollup, revision=told.revision if same else told.revision + 1)


def _of(scope: Scope, outcomes: Mapping[str, Outcome]) -> Iterable[Rollup]:
    shares: dict[tuple[int, int], list[Report]] = {}
    for machine in scope.machines:
        for report in outcomes[machine].shares.get(scope.key, ()):
            shares.setdefault((report.window.start, report.window.end), []).append(report)
    for (start, end), reports in sorted(shares.items()):
        if len(reports) == len(scope.machines):
            named = [one for one in scope.windows(reports[0].window.kind, start, end) if one.start == start]
            yield roll_up(scope, named[0] if named else reports[0].window, reports)
