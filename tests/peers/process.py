"""A peer that says "ready": started, killed, started again; and ports for those that listen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from edge_agent_hil.ports import wait_until_listens


def proxy_command(port: int, target: int) -> list[str]:
    """Of a wire on loopback; killing it cuts every connection."""
    ends = f"127.0.0.1:{target}", "--listen", f"127.0.0.1:{port}"
    return [sys.executable, "-m", "edge_agent_hil.cli", "proxy", *ends]


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
        process = self._process
        return wait_until_listens(self._listens, lambda: process.poll() is None)

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None
