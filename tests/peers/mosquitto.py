"""A real mosquitto on a free loopback port, in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.peers.waiting import free_port

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """`with Mosquitto(folder, "allow_anonymous true") as broker:`; `lines` go into its configuration."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self._config = folder / f"mosquitto-{self.port}.conf"
        head = [f"listener {self.port} 127.0.0.1", "max_queued_messages 200000"]
        self._config.write_text("\n".join([*head, *(lines or ("allow_anonymous true",)), ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert MOSQUITTO
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stdout=quiet, stderr=quiet)
        end = time.monotonic() + 40
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def signal(self, number: int) -> None:
        """SIGSTOP makes every connection half-open; SIGCONT brings it back."""
        assert self._process
        self._process.send_signal(number)

    def stop(self) -> None:
        """In good manners; it waits until its state is on disk, where it keeps one."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._process = None

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(60)
            self._process = None


class WebSocketMosquitto(Mosquitto):
    """One that listens for WebSockets at `websocket_port`, too; `lines` are of that listener.

    Debian's does not start with WebSockets alone.
    """

    def __init__(self, folder: Path, *lines: str) -> None:
        self.websocket_port = free_port()
        listener = f"listener {self.websocket_port} 127.0.0.1"
        super().__init__(folder, "allow_anonymous true", listener, "protocol websockets", *lines)

    def start(self) -> None:
        """Start it, and wait until it listens at both ports."""
        super().start()
        end = time.monotonic() + 40
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.websocket_port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("mosquitto does not listen for WebSockets")
