"""A peer that says "ready": started, killed, started again; and ports for those that listen."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Sequence


class Peer:
    """`with Peer([program, …]):` runs it from "ready" on; with `listens` from when that port can be connected to."""

    def __init__(self, command: Sequence[object], listens: int | None = None) -> None:
        self._command = [str(word) for word in command]
        self._listens = listens
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Peer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it serves."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        if self._is_ready():
            return
        self.kill()
        raise AssertionError(f"{self._command} did not start")

    def _is_ready(self) -> bool:
        assert self._process is not None and self._process.stdout is not None
        if self._listens is None:
            return self._process.stdout.readline() == "ready\n"
        end = time.monotonic() + 40
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._listens)) == 0:
                    return True
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None
