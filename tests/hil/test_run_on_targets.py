"""A scenario on equipment that is not the plant's: what needs no truth is judged, what needs it is said not to be."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from edge_agent_hil.runner.load import PLANTS
from tests.hil.test_edge_hil_serve import Rig
from tests.hil.test_scenarios_fast import run

SCENARIO = """\
scenario: another press
plant: press
duration: 12s
timeline:
  - {at: 3s, wire: press-1, fault: reset}
expect: {live within: 30s, lost: 0, oee error: 0.001, connections: 2}
"""


@pytest.mark.timeout(600)
def test_a_scenario_is_played_on_real_equipment_through_a_wire(tmp_path: Path) -> None:
    path = tmp_path / "target.yaml"
    path.write_text(SCENARIO)
    real = Rig(tmp_path, PLANTS / "press.yaml", "--seed", "99")
    try:
        url = real.ready["machines"]["press-1"]["url"]
        done = run(tmp_path / "report", str(path), "--target", f"press-1={url}")
    finally:
        assert real.stop() == 0
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not judged: real equipment knows no truth" in done.stdout
    cases = ElementTree.parse(tmp_path / "report" / "junit.xml").getroot().iter("testcase")
    names = {case.get("name") for case in cases}
    assert {"live within", "good at the end", "lost", "oee error", "connections"} <= names
