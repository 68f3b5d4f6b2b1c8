"""A report of a plant whose agent is running: made from what it has committed, without disturbing it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from edge_agent.cli import main
from edge_agent.report.plant import plant_document
from tests.peers.waiting import wait_for
from tests.report.plant import read_site
from tests.report.reading import Text

SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: "{data}"}}
devices:
  toy:
    driver: simulated
    url: "simulated://"
    tags:
      state: {{signal: cycle, steps: [{{value: 1, for: 10min}}]}}
      total: {{signal: counter, every: 200ms}}
      scrap: {{signal: counter, every: 10s}}
machines:
  toy:
    state: {{tag: toy.state, map: {{1: RUN}}}}
    counts: {{total: toy.total, scrap: toy.scrap}}
    ideal_cycle: 200ms
journal: {{flush: 100ms}}
api: {{listen: off}}
"""


def test_the_open_hour_of_a_running_agent_is_reported_and_the_agent_goes_on(tmp_path: Path) -> None:
    path, out = tmp_path / "site.yaml", tmp_path / "hour.html"
    path.write_text(SITE.format(data=tmp_path / "data"))
    command = [sys.executable, "-m", "edge_agent.cli", "run", str(path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as agent:
        try:
            def pieces() -> int:
                if main(["report", str(path), "--window", "day", "--out", str(out)]) != 0:
                    return 0
                found = str(Text(out.read_text()))
                assert "provisional" in found
                return int(found.split("good of ")[1].split()[0])

            wait_for(lambda: pieces() >= 5, 30, "five pieces")
            assert agent.poll() is None
        finally:
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(60) == 0
    assert plant_document(read_site(path), 0).said["devices"]["toy"]["level"] >= 1
