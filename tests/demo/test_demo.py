"""The demo as a visitor meets it, and what it does when a part of it is missing."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.peers.waiting import BUSY, free_port

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
pytestmark = pytest.mark.timeout(400)
MACHINES = ("press-1", "press-2", "cnc-7")
PARTS = ("edge_agent.demo.broker", "edge_agent_hil.cli", "edge_agent.cli")


class Demo:
    """`edge-agent demo …` with its output in a file; whatever is left of it at the end is killed."""

    def __init__(self, folder: Path, *arguments: str, terminal: bool = False) -> None:
        self.folder = folder
        self._out = folder / "out.txt"
        self._screen = b""
        self._terminal = -1
        command = [sys.executable, "-m", "edge_agent.cli", "demo", *arguments]
        environment = {**os.environ, "TMPDIR": str(folder), "TERM": "xterm-256color"}
        with self._out.open("wb") as out:
            output: Any = out
            if terminal:
                self._terminal, output = pty.openpty()
                fcntl.ioctl(output, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        if terminal:
            os.close(output)

    def said(self) -> str:
        if self._terminal < 0:
            return self._out.read_text()
        while self._terminal >= 0 and select.select([self._terminal], [], [], 0)[0]:
            try:
                self._screen += os.read(self._terminal, 65536)
            except OSError:     # nobody holds the other side any more
                os.close(self._terminal)
                self._terminal = -2
        return self._screen.decode(errors="replace")

    def children(self) -> dict[str, int]:
        """Module → pid of every process that this demo has started, by parent or by its folder."""
        found: dict[str, int] = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().decode().split("\0")
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue        # it has ended while we looked
            mine = parent == self.process.pid or any(word.startswith(str(self.folder)) for word in words)
            if mine and "-m" in words:
                found[words[words.index("-m") + 1]] = int(path.name)
        found.pop("edge_agent.cli", None) if found.get("edge_agent.cli") == self.process.pid else None
        return found

    def wait_until(self, what: Callable[[], Any], seconds: float, why: str) -> Any:
        end = time.monotonic() + seconds * BUSY
        while time.monotonic() < end:
            found = what()
            if found:
                return found
            assert self.process.poll() is None, f"the demo has ended: {self.said()}"
            time.sleep(0.05)
        pytest.fail(f"waited {seconds} s in vain: {why}: {self.said()}")

    def end(self, seconds: float = 20) -> int:
        """Its exit code, once it has ended by itself."""
        end = time.monotonic() + seconds * BUSY
        while self.process.poll() is None and time.monotonic() < end:
            self.said()         # a terminal nobody reads from would hold it up
            time.sleep(0.05)
        return self.process.wait(0.1)

    def leaves_nothing(self) -> None:
        assert self.children() == {}
        assert list(self.folder.glob("edge-agent-demo-*")) == []

    def kill(self) -> None:
        for pid in (*self.children().values(), self.process.pid):
            if self.process.poll() is None or pid != self.process.pid:
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        if self._terminal >= 0:
            os.close(self._terminal)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def run(*arguments: str, terminal: bool = False) -> Demo:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        started.append(Demo(folder, *arguments, terminal=terminal))
        return started[-1]

    yield run
    for demo in started:
        demo.kill()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[str]:
    if not MOSQUITTO:
        pytest.skip("needs mosquitto (apt-get install mosquitto)")
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    quiet = subprocess.DEVNULL
    with subprocess.Popen([MOSQUITTO, "-c", str(config)], stdout=quiet, stderr=quiet) as process:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"mqtt://127.0.0.1:{port}"
        process.kill()


def retained(url: str) -> list[str]:
    """Topics of which the broker keeps the last message."""
    found: list[str] = []
    done = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
    client.on_message = lambda _c, _d, m: done.set() if m.topic == "end" else found.append(m.topic)
    client.on_subscribe = lambda c, *_: c.publish("end", qos=1)
    client.connect("127.0.0.1", int(url.rpartition(":")[2]))
    client.loop_start()
    assert done.wait(60)
    client.disconnect()
    client.loop_stop()
    return found


def is_true(said: str) -> None:
    """The verdict is there, every machine is ok, and nothing is coloured."""
    assert "\x1b" not in said
    table = said[said.index("received from the broker, and what") :]
    for machine in MACHINES:
        assert re.search(rf"^{machine} +received +(\d+\.\d\d +){{4}}\d+ +\d+  ok$", table, re.MULTILINE), table
    assert len(re.findall(r"^ +true +(\d+\.\d\d +){4}\d+ +\d+  OEE [+-]\d+\.\d{3}$", table, re.MULTILINE)) == 3
    assert re.search(r"^\d{3,} samples, \d+ duplicates, 0 out of order$", table, re.MULTILINE)
    assert re.search(r"^every OEE is true, within \d+\.\d\d points$", table, re.MULTILINE)
    assert "Traceback" not in said


def test_the_demo_needs_nothing_and_ends_with_a_true_verdict(start: Callable[..., Demo]) -> None:
    demo = start("--seconds", "10")
    demo.wait_until(lambda: len(demo.children()) == len(PARTS), 30, "all parts")
    assert set(demo.children()) == set(PARTS)
    assert demo.end(40) == 0, demo.said()
    is_true(demo.said())
    assert re.search(r"^ +\d+ s  press-1 ", demo.said(), re.MULTILINE)
    demo.leaves_nothing()


def test_an_agent_that_a_busy_computer_keeps_from_its_shift_gets_another_one(start: Callable[..., Demo]) -> None:
    demo = start("--seconds", "5")
    demo.wait_until(lambda: "edge_agent.cli" in demo.children(), 30, "the agent")
    agent = demo.children()["edge_agent.cli"]
    os.kill(agent, signal.SIGSTOP)
    time.sleep(12)      # its shift begins within three seconds, or one and a half times what the plant took
    os.kill(agent, signal.SIGCONT)
    demo.wait_until(lambda: "the agent was late for its shift" in demo.said(), 30, "another shift")
    assert demo.end(40) == 0, demo.said()
    is_true(demo.said())
    demo.leaves_nothing()


@pytest.mark.peer
def test_a_broker_of_ones_own_is_used_and_left_as_it_was(start: Callable[..., Demo], mosquitto: str) -> None:
    demo = start("--seconds", "5", "--broker", mosquitto)
    demo.wait_until(lambda: "edge_agent.cli" in demo.children(), 30, "the agent")
    assert set(demo.children()) == {"edge_agent.cli", "edge_agent_hil.cli"}
    assert demo.end(30) == 0, demo.said()
    is_true(demo.said())
    assert retained(mosquitto) == []
    demo.leaves_nothing()


def test_in_a_terminal_the_table_lives_and_ctrl_c_ends_everything(start: Callable[..., Demo]) -> None:
    demo = start(terminal=True)
    demo.wait_until(lambda: "the shift begins in" in demo.said(), 30, "the table")
    demo.wait_until(lambda: re.search(r"│ press-1 │.*RUN", demo.said()), 30, "the first state")
    assert len(demo.children()) == len(PARTS)
    demo.process.send_signal(signal.SIGINT)
    assert demo.end(15) == 0
    said = demo.said()
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).replace("\r", "\n").split("\n")
    assert max(len(line) for line in lines if "tmp" not in line) <= 80
    assert "received from the broker, and what" in said
    assert "Traceback" not in said
    demo.leaves_nothing()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_visitor_may_leave_before_it_has_begun(start: Callable[..., Demo], number: int) -> None:
    demo = start()
    demo.wait_until(lambda: "edge_agent_hil.cli" in demo.children(), 20, "the plant's process")
    demo.process.send_signal(number)
    assert demo.end(10) == 0
    assert "Traceback" not in demo.said()
    demo.leaves_nothing()


def test_a_part_that_dies_ends_the_demo_with_its_name_and_1(start: Callable[..., Demo]) -> None:
    demos = {part: start("--seconds", "60") for part in PARTS}
    for part, demo in demos.items():
        demo.wait_until(lambda: "topics edge/" in demo.said(), 40, "all parts")     # noqa: B023
        os.kill(demo.children()[part], signal.SIGKILL)
    names = {"edge_agent.demo.broker": "broker", "edge_agent_hil.cli": "plant", "edge_agent.cli": "agent"}
    for part, demo in demos.items():
        assert demo.end(15) == 1
        assert f"edge-agent demo: the {names[part]} has ended with code -9" in demo.said()
        assert "Traceback" not in demo.said()
        demo.leaves_nothing()


def test_a_broker_that_refuses_is_told_at_once(start: Callable[..., Demo]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        demo = start("--seconds", "5", "--broker", f"mqtt://127.0.0.1:{port}")
        assert demo.end(15) == 1
    assert demo.said().startswith(f"edge-agent demo: no broker answers at 127.0.0.1:{port} ")
    demo.leaves_nothing()
