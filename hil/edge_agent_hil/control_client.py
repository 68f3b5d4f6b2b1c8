"""Asks a control port, or a truth service: an order a line, an answer a line."""

from __future__ import annotations

import json
import socket
from typing import Any, Self

ANSWER_S = 30.0             # of a plant of a thousand machines on a slow computer; it answers a few in milliseconds


class ControlClient:
    """A connection, from when it is made."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=ANSWER_S)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, order: object) -> dict[str, Any]:
        """The answer; ValueError says what is wrong with the order, OSError that nobody answers."""
        self._socket.sendall(json.dumps(order).encode() + b"\n")
        line = self._file.readline()
        if not line:
            raise ConnectionError("it has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()
