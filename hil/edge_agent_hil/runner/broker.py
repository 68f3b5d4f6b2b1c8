"""The broker of a scenario: mosquitto where it is installed, else the one of the demo; a process of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket

from edge_agent_hil.part import Part, Parts

PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def free_port() -> int:
    """A TCP port of loopback that nobody has at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """One broker, at the same port each time it is started."""

    def __init__(self, parts: Parts) -> None:
        self.port = free_port()
        self._parts = parts
        self._part: Part | None = None
        self.mosquitto = shutil.which("mosquitto", path=PATHS)
        self._command = self._with(self.mosquitto) if self.mosquitto else None

    def _with(self, mosquitto: str) -> tuple[str, ...]:
        folder = self._parts.folder / "broker"
        folder.mkdir()
        config = folder / "mosquitto.conf"
        lines = (
            f"listener {self.port} 127.0.0.1", "allow_anonymous true", f"user {getpass.getuser()}",
            # It is the agent that is tested: nothing may go lost behind the broker.
            "max_queued_messages 0", "max_inflight_messages 0",
            "persistence true", f"persistence_location {folder}/",
        )  # fmt: skip
        config.write_text("\n".join(lines) + "\n")
        return mosquitto, "-c", str(config)

    @property
    def keys(self) -> dict[str, str]:
        """What the site file must say of it, beside the url."""
        return {} if self.mosquitto else {"version": "3.1.1"}

    def start(self) -> None:
        """Start it and wait until it listens. PartError if it does not."""
        if self._command:
            self._part = self._parts.run("the broker", *self._command)
        else:
            self._part = self._parts.start("the broker", "-m", "edge_agent.demo.broker", str(self.port))
        self._parts.wait_for(self._part, lambda: answers(self.port))

    def stop(self) -> None:
        """In good manners: sessions are kept, where it can."""
        if self._part:
            self._parts.stop(self._part)
            self._part = None

    def kill(self) -> None:
        """As a power cut would: sessions are forgotten."""
        if self._part:
            self._part.process.kill()
            self.stop()

    def freeze(self) -> None:
        """It stands still, with every connection open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._part:
            self._part.process.send_signal(number)
