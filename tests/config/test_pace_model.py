"""`state: {pace: …}` in a site file."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_files import FAKE_SITE, mistakes_of, replaced, site_of, told

from edge_agent.config import machine_specs
from edge_agent.config.reading_speed import speed_warnings
from edge_agent.core.pace import PaceJudge
from edge_agent.core.sources import Rank

STATE = "state: {tag: press-1.state, map: {0: IDLE, 1: RUN}}"


def test_strokes_are_a_source_that_is_inferred(tmp_path: Path) -> None:
    site = site_of(tmp_path, replaced(FAKE_SITE, STATE, "state: {pace: {count: press-1.total, cycle: 1.2s}}"))
    [spec] = machine_specs(site, site.tag_table())
    [source] = spec.sources
    assert (source.rank, source.judge) == (Rank.INFERRED, PaceJudge(1_200_000_000, 3_600_000_000))
    assert source.inputs["count"].id == "press-1.total"
    other = site_of(tmp_path, replaced(FAKE_SITE, STATE, "state: {pace: {pulse: press-1.total, cycle: 1.2s, gap: 5s}}"))
    [changed] = machine_specs(other, other.tag_table())
    assert changed.sources[0].judge == PaceJudge(1_200_000_000, 5_000_000_000, True)
    assert changed.config_hash != spec.config_hash


def test_strokes_that_follow_from_the_state_they_are_to_tell_are_a_mistake(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, STATE, "state: {pace: {count: press-1.total, cycle: 1.2s}}")
    text = replaced(text, "counts: {total: press-1.total, scrap: press-1.scrap}", "counts: {total: runs}")
    assert told(mistakes_of(tmp_path, text)) == [
        "14: machines.press-1.counts.total: 'runs' is runs beside a state from strokes; the pieces would follow from "
        "the state, and the state from the pieces"
    ]


@pytest.mark.parametrize(
    ("pace", "message"),
    [
        ("{cycle: 1s}", "13: machines.press-1.state.pace: needs count or pulse; the tag that tells of strokes"),
        ("{count: press-1.total}", "13: machines.press-1.state.pace.cycle: is missing"),
        ("{count: press-1.total, pulse: press-1.total, cycle: 1s}",
         "13: machines.press-1.state.pace.count: 'press-1.total' and pulse: exclude each other; remove one of the two"),
        ("{count: press-1.total, cycle: 2s, gap: 2s}",
         "13: machines.press-1.state.pace.gap: '2s' is not longer than one cycle; then every cycle would be a stop"),
    ],
)  # fmt: skip
def test_a_pace_that_cannot_be_is_named(tmp_path: Path, pace: str, message: str) -> None:
    assert told(mistakes_of(tmp_path, replaced(FAKE_SITE, STATE, f"state: {{pace: {pace}}}"))) == [message]


def test_strokes_and_pulses_that_are_read_too_seldom_are_named(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, STATE, "state: {pace: {pulse: press-1.total, cycle: 600ms}}")
    counts = "counts: {total: press-1.total, scrap: press-1.scrap}"
    text = replaced(text, counts, "counts: {total: {pulse: press-1.total}}")
    assert list(speed_warnings(site_of(tmp_path, text))) == [
        "machines.press-1.counts.total: press-1.total is read every 1s, too seldom to see each pulse of a stroke of "
        "1200ms; poll: 300ms would do",
        "machines.press-1.state: press-1.total is read every 1s, so a gap of 1800ms may be none; gap: 3s would do",
    ]
    fast = replaced(text, "fake://10.0.0.5", "fake://10.0.0.5\n    poll: 100ms")
    assert list(speed_warnings(site_of(tmp_path, fast))) == []
