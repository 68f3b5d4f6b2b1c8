"""An MQTT broker in a process of its own, on a free port of loopback: mosquitto, or the demo's where there is none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from edge_agent_hil.ports import free_port, wait_until_listens

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
MANNERS_S = 30.0


class BrokerError(RuntimeError):
    """It does not listen, or is not there."""


class Broker:
    """A command that listens at `port`; at the same one each time it is started."""

    name = "a broker"

    def __init__(self, command: Sequence[str], port: int) -> None:
        self.port = port
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Of a destination."""
        return f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(self._command, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603
        self._process = process
        if not wait_until_listens(self.port, lambda: process.poll() is None):
            self.kill()
            raise BrokerError(f"{self.name} does not listen at port {self.port}: {' '.join(self._command)}")

    def signal(self, number: int) -> None:
        """SIGSTOP makes every connection half-open; SIGCONT brings it back."""
        if self._process is None:
            raise BrokerError(f"{self.name} does not run")
        self._process.send_signal(number)

    def stop(self) -> None:
        """In good manners; it waits until its state is on disk, where it keeps one."""
        self.signal(signal.SIGTERM)
        assert self._process is not None, "it took the signal"
        self._process.wait(MANNERS_S)
        self._process = None

    def kill(self) -> None:
        """As a power cut would; nothing if it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(MANNERS_S)
            self._process = None


class Mosquitto(Broker):
    """`with Mosquitto(folder, "allow_anonymous true") as broker:`; `lines` go into its configuration."""

    name = "mosquitto"

    def __init__(self, folder: Path, *lines: str) -> None:
        if MOSQUITTO is None:
            raise BrokerError("there is no mosquitto; as root: apt-get install mosquitto")
        port = free_port()
        config = folder / f"mosquitto-{port}.conf"
        head = [f"listener {port} 127.0.0.1", "max_queued_messages 200000"]
        config.write_text("\n".join([*head, *(lines or ("allow_anonymous true",)), ""]))
        super().__init__([MOSQUITTO, "-c", str(config)], port)


class InnerBroker(Broker):
    """The demo's: MQTT 3.1.1 only, an order of magnitude slower. Needs the extra `demo`."""

    name = "the demo's broker"

    def __init__(self) -> None:
        port = free_port()
        super().__init__([sys.executable, "-m", "edge_agent.demo.broker", str(port)], port)


def broker(folder: Path) -> Broker:
    """One that is there; not started yet."""
    return Mosquitto(folder) if MOSQUITTO else InnerBroker()
