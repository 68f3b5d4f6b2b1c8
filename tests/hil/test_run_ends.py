"""How a run ends when it is not let to its end: nothing is left running, and what is in the way is not removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hil.test_scenarios_fast import ROOT, run


def processes(word: str) -> list[str]:
    """Command lines of processes that name `word`."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue            # it has just ended
        if word in line:
            found.append(line)
    return found


@pytest.mark.timeout(300)
def test_a_run_that_is_interrupted_ends_with_1_and_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    command = [sys.executable, "-m", "edge_agent_hil.cli", "run", "words-swapped", "--report", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 120
        while not any(f"run {folder}" in line for line in processes(str(folder))):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "no agent was started"
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=90)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert "interrupted" in said
    assert processes(str(folder)) == []


def test_a_folder_that_is_not_ours_is_never_removed(tmp_path: Path) -> None:
    mine = tmp_path / "words-swapped"
    mine.mkdir()
    (mine / "thesis.txt").write_text("three years of work")
    done = run(tmp_path, "words-swapped")
    assert done.returncode == 1
    assert "is in the way" in done.stderr
    assert (mine / "thesis.txt").exists()
