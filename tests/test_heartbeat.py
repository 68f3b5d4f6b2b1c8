"""What systemd and a health check hear of an agent: a real datagram socket, a real file, a real process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.heartbeat import BEAT_S, Heartbeat
from tests.peers.waiting import wait_for

SITE = """
agent: {id: gw-1, timezone: UTC, data_dir: data}
devices:
  press-1: {driver: simulated, url: "simulated://", tags: {total: {signal: counter}}}
api: {listen: "off"}
"""


class Manager:
    """Hears datagrams as systemd does."""

    def __init__(self, address: str) -> None:
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._address = address
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        while data := self._socket.recv(4096):
            self.heard += data.decode().splitlines()

    def say(self, text: str) -> None:
        """Tell itself something, which is heard after all that was told before."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(text.encode(), self._address)

    def end(self) -> None:
        """Hear no more."""
        self.say("")
        self._listening.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.end()


@asynccontextmanager
async def beating(heartbeat: Heartbeat, told: str = "") -> AsyncIterator[None]:
    task = asyncio.create_task(heartbeat.keep_beating(lambda: told))
    try:
        yield
    finally:
        assert not task.done(), "it beats for as long as it is let"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def hang(seconds: float) -> None:
    """Nothing else of the loop runs meanwhile."""
    time.sleep(seconds)


async def test_systemd_hears_ready_then_beats(tmp_path: Path, manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())}
    async with beating(Heartbeat(environ), "2 of 2 devices connected"):
        await asyncio.to_thread(wait_for, lambda: manager.heard.count("WATCHDOG=1") > 3, 2, "beats")
    assert manager.heard[:3] == ["READY=1", "STATUS=2 of 2 devices connected", "WATCHDOG=1"]
    assert manager.heard.count("STATUS=2 of 2 devices connected") == 1, "told as it changes"


async def test_a_loop_that_hangs_does_not_beat(tmp_path: Path, manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000"}
    async with beating(Heartbeat(environ)):
        await asyncio.to_thread(wait_for, lambda: "WATCHDOG=1" in manager.heard, 2, "the first beat")
        manager.say("all before this was sent before")
        wait_for(lambda: "all before this was sent before" in manager.heard, 2, "what was sent is heard")
        before = manager.heard.count("WATCHDOG=1")
        hang(0.4)
        assert manager.heard.count("WATCHDOG=1") == before


def test_what_the_agent_starts_does_not_inherit_the_managers_socket() -> None:
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1", "HOME": "/root"}
    heartbeat = Heartbeat(environ)
    assert environ == {"HOME": "/root"}
    assert heartbeat.period_s == BEAT_S, "the watchdog is another process's"


def test_beats_come_three_times_as_often_as_systemd_asks() -> None:
    assert Heartbeat({"WATCHDOG_USEC": "9000000"}).period_s == 3
    assert Heartbeat({"WATCHDOG_USEC": "90000000"}).period_s == BEAT_S
    assert Heartbeat({}).period_s == BEAT_S


async def test_a_manager_that_is_gone_holds_nothing_up(tmp_path: Path) -> None:
    async with beating(Heartbeat({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "30000"})):
        await asyncio.sleep(0.1)


def test_an_abstract_socket_is_found() -> None:
    manager = Manager(f"\0edge-agent-test-{os.getpid()}")
    Heartbeat({"NOTIFY_SOCKET": f"@edge-agent-test-{os.getpid()}"})._notify("READY=1")
    wait_for(lambda: manager.heard == ["READY=1"], 2, "the datagram")
    manager.end()


def test_an_agent_that_runs_is_ready_and_touches_its_file(tmp_path: Path, manager: Manager) -> None:
    site, file = tmp_path / "site.yaml", tmp_path / "heartbeat"
    site.write_text(SITE)
    environ = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "900000"}
    command = [sys.executable, "-m", "edge_agent.cli", "run", str(site), "--heartbeat", str(file)]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: manager.heard.count("WATCHDOG=1") > 2, 20, "beats")
        touched = file.stat().st_mtime_ns
        wait_for(lambda: file.stat().st_mtime_ns > touched, 2, "the file is touched again")
        wait_for(lambda: "STATUS=1 of 1 devices, 0 of 0 destinations connected" in manager.heard, 5, "the status")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert manager.heard[0] == "READY=1"


def test_a_file_that_cannot_be_touched_is_told_before_anything_starts(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    command = [sys.executable, "-m", "edge_agent.cli", "run", str(site), "--heartbeat", str(tmp_path / "no" / "file")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr
