"""The publisher `stdout`: lines for a pipe, and a pipe that nobody reads."""

from __future__ import annotations

import array
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from edge_agent.api import Message
from edge_agent.north.local_stdout import line
from tests.peers.no_api import without_api
from tests.peers.waiting import wait_for

SITE = """
agent: {id: gw-1, data_dir: data}
devices:
  toy-1: {driver: simulated, url: "simulated://", poll: 100ms, tags: {total: {signal: counter, every: 200ms}}}
publish:
  out: {type: stdout}
journal: {flush: 200ms}
"""


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b'{"a": [1, null]}', {"payload": {"a": [1, None]}}),
        ("temp 21.5 °C\n".encode(), {"payload": "temp 21.5 °C\n"}),
        (b"", {"payload": ""}),
        (b"\xff\x00", {"base64": "/wA="}),
    ],
)
def test_every_payload_fits_one_line(payload: bytes, said: dict[str, Any]) -> None:
    written = line(Message("a/b", payload, retain=True))
    assert written.count(b"\n") == 1
    assert orjson.loads(written) == {"topic": "a/b", "retain": True, **said}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Any]:
    path = tmp_path / "site.yaml"
    path.write_text(without_api(SITE))
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_agent.cli", "run", str(path)], stdout=subprocess.PIPE, stderr=log
        )
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_samples_come_as_lines_and_nothing_else_does(agent: Any) -> None:
    lines = [orjson.loads(agent.stdout.readline()) for _ in range(12)]
    assert lines[0]["topic"] == "edge/gw-1/status"
    values = [
        group["values"]["total"]
        for one in lines
        if one["topic"] == "edge/gw-1/toy-1/tags"
        for group in one["payload"]["samples"]
    ]
    assert len(values) > 3
    assert values == sorted(values)


def test_an_agent_whose_pipe_nobody_reads_goes_on_and_can_be_stopped(agent: Any, tmp_path: Path) -> None:
    agent.stdout.readline()
    agent.stdout.close()
    wait_for(lambda: "cannot be written: Broken pipe" in (tmp_path / "log").read_text(), 20, "it is told")
    assert agent.poll() is None
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(60) == 0


def test_an_agent_whose_pipe_is_full_can_be_stopped(agent: Any) -> None:
    pipe = agent.stdout.fileno()
    os.read(pipe, 1)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    held = array.array("i", [0])
    wait_for(lambda: not fcntl.ioctl(pipe, termios.FIONREAD, held) and held[0] > 3500, 40, "it is full")
    time.sleep(1)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(60) == 0
