"""Agents that are wrong on purpose: each fails the scenario that is there to catch it, by the verdict that names it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.hil.test_scenarios_fast import run

WRONG = [
    ("loses_one_sample", "broker-out-of-reach", {"lost"}),
    ("swaps_words", "words-swapped", {"wrong values"}),
    ("counts_a_glitch", "counter-glitch", {"piece error", "oee error"}),
    ("takes_no_data_for_run", "device-cable-out", {"unknown", "quality"}),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("agent", "scenario", "verdicts"), WRONG, ids=[agent for agent, _, _ in WRONG])
def test_a_wrong_agent_fails_the_scenario_that_is_there_to_catch_it(
    agent: str, scenario: str, verdicts: set[str], tmp_path: Path
) -> None:
    done = run(tmp_path, scenario, "--agent", f"tests.hil.wrong_agents.{agent}")
    assert done.returncode == 1, done.stdout + done.stderr
    cases = ElementTree.parse(tmp_path / "junit.xml").getroot().iter("testcase")
    failed = {case.attrib["name"] for case in cases if case.find("failure") is not None}
    assert verdicts <= failed, done.stdout
    assert "played" not in failed
