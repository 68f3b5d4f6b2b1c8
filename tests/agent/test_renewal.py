"""A site file that changes while the agent runs: taken up where it is right, reported where it is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.waiting import free_port, wait_for

SITE = """
agent: {{id: gw-1, data_dir: data}}
devices:
  io:
    driver: simulated
    url: "simulated://"
    poll: 50ms
    tags:
      state: {{signal: cycle, steps: [{{value: 1, for: 1s}}, {{value: 2, for: 1s}}]}}
      total: {{signal: counter, every: 100ms}}
      scrap: {{signal: constant, value: 0}}
machines:
  press:
    state: {{tag: io.state, map: {{1: RUN, 2: FAULT}}}}
    counts: {{total: io.total, scrap: io.scrap}}
    ideal_cycle: 100ms
journal: {{flush: 50ms}}
kpi: {{every: 200ms}}
api: {{listen: "127.0.0.1:{port}"}}
pages: off
"""
MORE = """
  more:
    driver: simulated
    url: "simulated://"
    tags: {level: {signal: sine}}
"""


class Agent:
    """`edge-agent run` on a file."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.file, self.log = folder / "site.yaml", folder / "agent.log"
        self.text = SITE.format(port=self.port)
        self.file.write_text(self.text)
        with self.log.open("w") as out:
            command = [sys.executable, "-m", "edge_agent.cli", "run", str(self.file)]
            self.process = subprocess.Popen(command, stderr=out)

    def asked(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None

    def devices(self) -> list[str]:
        return list((self.asked("status") or {"devices": {}})["devices"])

    def said(self, what: str) -> bool:
        return re.search(what, self.log.read_text()) is not None


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    running = Agent(tmp_path)
    try:
        wait_for(lambda: (running.asked("machines/press/production") or {}).get("total"), 30, "pieces are counted")
        yield running
        running.process.terminate()
        assert running.process.wait(60) == 0
    finally:
        running.process.kill()


def test_a_changed_file_is_taken_up_without_losing_a_piece_and_a_wrong_one_changes_nothing(agent: Agent) -> None:
    before = agent.asked("machines/press/production")["total"]
    agent.file.write_text(agent.text.replace("\nmachines:", f"{MORE}machines:"))
    wait_for(lambda: agent.devices() == ["io", "more"], 20, "the device is there")
    assert agent.process.poll() is None
    after = wait_for(
        lambda: (agent.asked("machines/press/production") or {}).get("total", 0) > before + 20, 20, "it counts on"
    )
    assert after
    agent.file.write_text(agent.text.replace("driver: simulated", "driver: simulatde"))
    wait_for(lambda: agent.said("is wrong, and nothing was changed"), 20, "it is reported")
    assert agent.said("did you mean 'simulated'|did you mean simulated")
    assert agent.devices() == ["io", "more"]
    agent.file.write_text(agent.text)
    os.kill(agent.process.pid, signal.SIGHUP)
    wait_for(lambda: agent.devices() == ["io"], 20, "the device is gone")
    os.kill(agent.process.pid, signal.SIGHUP)
    wait_for(lambda: agent.said("says the same as before"), 20, "nothing has changed")
    spans = agent.asked("machines/press/spans")["spans"]
    assert {span["reason"] for span in spans if span["state"] == "UNKNOWN"} <= {"AGENT_DOWN", None}


def test_who_has_logged_in_stays_so_when_the_file_changes(agent: Agent) -> None:
    code = wait_for(lambda: re.search(r"first visit is (\S+)", agent.log.read_text()), 10, "a code")[1]
    body = json.dumps({"user": "anna", "password": "correct horse battery", "code": code}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{agent.port}/api/v1/first-user", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        cookie = answer.headers["set-cookie"].partition(";")[0]
    agent.file.write_text(agent.text.replace("\nmachines:", f"{MORE}machines:"))
    wait_for(lambda: agent.devices() == ["io", "more"], 20, "the device is there")
    request = urllib.request.Request(f"http://127.0.0.1:{agent.port}/api/v1/me", headers={"cookie": cookie})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["user"] == "anna"


def test_what_is_right_and_cannot_be_run_is_given_up_for_what_was_before(agent: Agent) -> None:
    (agent.file.parent / "blocked").write_text("no folder")
    agent.file.write_text(agent.text.replace("data_dir: data", "data_dir: blocked"))
    wait_for(lambda: agent.said("cannot be run; the agent goes on as before"), 20, "it is given up")
    before = wait_for(lambda: (agent.asked("machines/press/production") or {}).get("total"), 20, "it runs again")
    wait_for(lambda: agent.asked("machines/press/production")["total"] > before, 20, "it counts on")
