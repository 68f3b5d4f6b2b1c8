"""The short scenarios of the library, played with real processes: every verdict holds, and the reports are there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edge_agent_hil.runner.library import chosen

ROOT = Path(__file__).parents[2]
# Of the longest scenario on a computer that does ten other things at once.
PATIENCE_S = 500
FAST = [one.name for one in chosen(["fast"])]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`edge-hil run` to its end; one that takes too long is asked to end, so that it leaves nothing running."""
    command = [sys.executable, "-m", "edge_agent_hil.cli", "run", *words, "--report", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.communicate(timeout=PATIENCE_S)
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            raise
        return subprocess.CompletedProcess(command, process.returncode, *said)


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
