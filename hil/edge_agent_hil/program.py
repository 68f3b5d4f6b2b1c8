"""Commands of `edge-hil` as processes of a program without an event loop: started, ordered about, ended.

    with Program("proxy", "127.0.0.1:1883") as proxy:
        proxy.ready["port"]
        proxy.ask({"apply": ["black-hole"]})
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

READY_S = 60.0                  # a busy small computer takes long to import what an OPC UA server needs
ANSWER_S = 30.0
MANNERS_S = 10.0


class ProgramError(RuntimeError):
    """It did not start, or refused an order."""


class Program:
    """A command that prints one ready line of JSON with its `control` port. Started when made."""

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "edge_agent_hil.cli", *arguments]
        self._line: socket.socket | None = None
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603
        try:
            self.ready: dict[str, Any] = json.loads(self._first_line())
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def _first_line(self) -> bytes:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], READY_S)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            raise ProgramError(f"{' '.join(self._command[2:])} did not start; what it says is on stderr")
        return line

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """An order to its control port; the answer. ProgramError if it is refused, or the process is gone."""
        try:
            if self._line is None:
                self._line = socket.create_connection(("127.0.0.1", self.ready["control"]), ANSWER_S)
            self._line.sendall(json.dumps(order).encode() + b"\n")
            with self._line.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(stream.readline() or b'{"error": "it has ended"}')
        except OSError as error:
            raise ProgramError(f"{self._command[3]} does not answer: {error}") from error
        if "error" in answer:
            raise ProgramError(answer["error"])
        return answer

    def close(self) -> None:
        """End it in good manners; insist if it has none."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(MANNERS_S)
        self.kill()

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._line is not None:
            self._line.close()
            self._line = None


class Proxy(Program):
    """`edge-hil proxy`: a wire before a target, `HOST:PORT` or a URL."""

    def __init__(self, target: str, *faults: str, listen: str = "127.0.0.1:0", seed: int = 1) -> None:
        options = [word for fault in faults for word in ("--fault", fault)]
        super().__init__("proxy", target, "--listen", listen, "--seed", str(seed), *options)

    @property
    def url(self) -> str:
        """Where to connect to instead of the target; `host:port` if the target was no URL."""
        return str(self.ready["url"])

    @property
    def port(self) -> int:
        """Of loopback."""
        return int(self.ready["port"])

    def apply(self, *faults: str) -> None:
        """These, too, from now on: `black-hole`, `delay:by=300ms`. ProgramError says what is wrong with one."""
        self.ask({"apply": list(faults)})

    def clear(self, *names: str) -> None:
        """These are no more; without a name: none is."""
        self.ask({"clear": list(names) or True})

    def counters(self) -> dict[str, int]:
        """What has happened; see `edge_agent_hil.wire.Wire.counters`."""
        counters: dict[str, int] = self.ask({"counters": True})["counters"]
        return counters
