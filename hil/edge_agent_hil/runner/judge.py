"""All verdicts on what came of a scenario."""

from __future__ import annotations

from edge_agent_hil.runner import judge_agent, judge_kpis, judge_samples, judge_times
from edge_agent_hil.runner.played import Played
from edge_agent_hil.runner.verdict import Verdict


def judge(played: Played) -> list[Verdict]:
    """In the order of the table. A scenario that could not be played has one, and it fails; a skipped one has none."""
    if played.skipped:
        return []
    if played.trouble:
        return [Verdict("played", "yes", "no", holds=False, detail=played.trouble)]
    return [verdict for part in (judge_times, judge_samples, judge_kpis, judge_agent) for verdict in part.judge(played)]
