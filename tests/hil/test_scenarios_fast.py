"""The short scenarios of the library, played with real processes: every verdict holds, and the reports are there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edge_agent_hil.runner.library import chosen

ROOT = Path(__file__).parents[2]
FAST = [one.name for one in chosen(["fast"])]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent_hil.cli", "run", *words, "--report", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FAST)
def test_every_verdict_of_a_short_scenario_holds(name: str, tmp_path: Path) -> None:
    done = run(tmp_path, name)
    assert done.returncode == 0, done.stdout + done.stderr
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert root.attrib["failures"] == "0"
    assert int(root.attrib["tests"]) > 5
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert list((tmp_path / name).glob("agent-*/site.yaml"))
