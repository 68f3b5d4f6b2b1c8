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
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent import renewal
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

    def asked(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        more = {"content-type": "application/json"} if body is not None else {}
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        request = urllib.request.Request(url, data, {**(headers or {}), **more})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.cookie = (answer.headers["set-cookie"] or "").partition(";")[0]
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None

    def engineer(self) -> dict[str, str]:
        """The headers of one who has logged in."""
        code = wait_for(lambda: re.search(r"first visit is (\S+)", self.log.read_text()), 60, "a code")[1]
        me = self.asked("first-user", {"user": "anna", "password": "correct horse battery", "code": code})
        return {"cookie": self.cookie, "x-csrf-token": me["csrf"]}

    def apply(self, engineer: dict[str, str], text: str) -> Any:
        etag = self.asked("config", headers=engineer)["etag"]
        return self.asked("config/apply", {"text": text, "etag": etag}, engineer)

    def devices(self) -> list[str]:
        return list((self.asked("status") or {"devices": {}})["devices"])

    def said(self, what: str) -> bool:
        return re.search(what, self.log.read_text()) is not None


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    running = Agent(tmp_path)
    try:
        wait_for(lambda: (running.asked("machines/press/production") or {}).get("total"), 60, "pieces are counted")
        yield running
        running.process.terminate()
        assert running.process.wait(60) == 0
    finally:
        running.process.kill()


def test_a_changed_file_is_taken_up_without_losing_a_piece_and_a_wrong_one_changes_nothing(agent: Agent) -> None:
    before = agent.asked("machines/press/production")["total"]
    agent.file.write_text(agent.text.replace("\nmachines:", f"{MORE}machines:"))
    wait_for(lambda: agent.devices() == ["io", "more"], 60, "the device is there")
    assert agent.process.poll() is None
    after = wait_for(
        lambda: (agent.asked("machines/press/production") or {}).get("total", 0) > before + 20, 60, "it counts on"
    )
    assert after
    agent.file.write_text(agent.text.replace("driver: simulated", "driver: simulatde"))
    wait_for(lambda: agent.said("is wrong, and nothing was changed"), 60, "it is reported")
    assert agent.said("did you mean 'simulated'|did you mean simulated")
    assert agent.devices() == ["io", "more"]
    agent.file.write_text(agent.text)
    os.kill(agent.process.pid, signal.SIGHUP)
    wait_for(lambda: agent.devices() == ["io"], 60, "the device is gone")
    os.kill(agent.process.pid, signal.SIGHUP)
    wait_for(lambda: agent.said("says the same as before"), 60, "nothing has changed")
    spans = agent.asked("machines/press/spans")["spans"]
    assert {span["reason"] for span in spans if span["state"] == "UNKNOWN"} <= {"AGENT_DOWN", None}


def test_a_counter_through_five_changes_over_the_api_gives_the_exact_total(agent: Agent) -> None:
    engineer = agent.engineer()
    changes = [
        ("\nmachines:", f"{MORE}machines:"),
        ("signal: sine", "signal: square"),
        ("every: 200ms", "every: 300ms"),
        ("{1: RUN, 2: FAULT}", "{1: RUN, 2: IDLE}"),
        (MORE.replace("sine", "square").lstrip("\n"), ""),
    ]
    text, taken_up = agent.text, re.compile("what it says now is taken up")
    for n, (old, new) in enumerate(changes, 1):
        assert old in text
        text = text.replace(old, new)
        done = agent.apply(engineer, text)
        assert (done["ok"], done["error"], done["mistakes"]) == (True, None, [])
        wait_for(lambda n=n: len(taken_up.findall(agent.log.read_text())) == n, 60, "it is taken up")
        assert not agent.apply(engineer, text.replace("simulated", "simulatde"))["ok"]
    assert agent.devices() == ["io"]
    status = agent.asked("status")
    assert status["counts"]["sessions_lost"] == 0
    assert status["devices"]["io"]["state"] == "connected"
    # The signal counts from 0 on when its only session begins: what it shows is what was made since the first reading.
    tag = agent.asked("tags/io.total/history?max_points=10000")["points"]
    made = agent.asked("machines/press/production")
    points = [point for point in tag if point[1] is not None and point[0] <= when_ms(made["as_of"])]
    assert made["total"] == points[-1][1] - points[0][1]


def when_ms(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


def test_who_has_logged_in_stays_so_when_the_file_changes(agent: Agent) -> None:
    engineer = agent.engineer()
    agent.file.write_text(agent.text.replace("\nmachines:", f"{MORE}machines:"))
    wait_for(lambda: agent.devices() == ["io", "more"], 60, "the device is there")
    assert agent.asked("me", headers=engineer)["user"] == "anna"
    agent.file.write_text(agent.text.replace("flush: 50ms", "flush: 60ms"))     # where all begins anew
    wait_for(lambda: agent.devices() == ["io"], 60, "the device is gone")
    assert agent.asked("me", headers=engineer)["user"] == "anna"


def test_what_is_right_and_cannot_be_run_is_given_up_for_what_was_before(agent: Agent) -> None:
    (agent.file.parent / "blocked").write_text("no folder")
    agent.file.write_text(agent.text.replace("data_dir: data", "data_dir: blocked"))
    wait_for(lambda: agent.said("cannot be run; the agent goes on as before"), 60, "it is given up")
    before = wait_for(lambda: (agent.asked("machines/press/production") or {}).get("total"), 60, "it runs again")
    wait_for(lambda: agent.asked("machines/press/production")["total"] > before, 60, "it counts on")


async def test_a_fault_that_no_check_foresaw_is_reported_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(port=free_port()))
    held = renewal.Renewal(path, renewal.read(path))
    monkeypatch.setattr(renewal, "read", lambda _: 1 // 0)
    await held._take_up_file()
    assert "cannot be judged, and nothing was changed" in caplog.text
