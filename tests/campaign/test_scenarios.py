"""Every shipped scenario, played with real processes; shows at the end how far off the OEE was, and what it took."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edge_agent_hil.runner.library import library
from tests.hil.test_scenarios_fast import run

pytestmark = pytest.mark.skipif(
    not os.environ.get("CAMPAIGN_ROUNDS"), reason="long: make campaign; make test has the short ones"
)


@pytest.fixture(scope="module")
def rows() -> Iterator[list[tuple[str, float, float]]]:
    """(scenario, seconds, largest OEE error in points) of each, shown at the end."""
    found: list[tuple[str, float, float]] = []
    yield found
    print()
    for name, took, error in found:
        print(f"{name:28} {took:5.0f} s   OEE off by {error:.3f} points")
    if found:
        took, error = sum(row[1] for row in found), max(row[2] for row in found)
        print(f"{len(found)} scenarios in {took:.0f} s, OEE off by {error:.3f} points at most")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", library())
def test_every_verdict_of_a_scenario_holds(name: str, tmp_path: Path, rows: list[tuple[str, float, float]]) -> None:
    done = run(tmp_path, name)
    suite = next(ElementTree.parse(tmp_path / "junit.xml").getroot().iter("testsuite"))
    said = {one.get("name", ""): one.get("value", "") for one in suite.iter("property")}
    errors = [abs(float(value)) for key, value in said.items() if key.startswith("oee error")]
    rows.append((name, float(suite.get("time", "0")), max(errors, default=0.0)))
    assert done.returncode == 0, done.stdout + done.stderr
