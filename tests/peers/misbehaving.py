"""`edge-hil misbehave` as a process of a test, switched and questioned through its control port.

    with Misbehaving("late=300ms", units="1,2") as server:
        … server.port …
        server.switch("wrong_unit")
        assert server.counters()["connections"]["most"] == 1
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "edge_agent_hil.cli", "misbehave"]


def environment() -> dict[str, str]:
    """Where the process finds the packages, installed or not."""
    paths = [str(ROOT), str(ROOT / "hil"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class Misbehaving:
    """A server with these faults; options are those of the command line, such as `face="udp"`."""

    def __init__(self, *faults: str, **options: object) -> None:
        self._command = list(COMMAND)
        for fault in faults:
            self._command += ["--fault", fault]
        for name, value in options.items():
            self._command += [f"--{name}", str(value)]
        self._process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Misbehaving:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it can be reached."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, env=environment())
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.kill()
            raise AssertionError(f"{self._command} did not start")
        self.ready = json.loads(line)

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def wait(self, within: float = 5.0) -> int:
        """The exit code once it has ended by itself."""
        assert self._process
        return self._process.wait(within)

    def stop(self, number: int) -> int:
        """The exit code after a signal."""
        assert self._process
        self._process.send_signal(number)
        return self.wait()

    @property
    def port(self) -> int:
        """Of its TCP or UDP face."""
        return int(self.ready["port"])

    def order(self, **order: object) -> dict[str, Any]:
        """One line to the control port; the answer, be it an error."""
        with socket.create_connection(("127.0.0.1", self.ready["control"]), 5) as line, line.makefile("rwb") as stream:
            stream.write(json.dumps(order).encode() + b"\n")
            stream.flush()
            answer: dict[str, Any] = json.loads(stream.readline())
            return answer

    def switch(self, *faults: str) -> None:
        """These faults from now on, and no others."""
        answer = self.order(faults=list(faults))
        assert "error" not in answer, answer["error"]

    def counters(self) -> dict[str, Any]:
        """What it has seen; see hil/README.md."""
        return self.order(counters=True)

    def reset(self) -> None:
        """Count from 0."""
        self.order(reset=True)

    def values(self, table: str, address: int, count: int = 1, unit: int = 1) -> list[int]:
        """What a unit holds."""
        answer = self.order(table=table, address=address, count=count, unit=unit)
        values: list[int] = answer["values"]
        return values
