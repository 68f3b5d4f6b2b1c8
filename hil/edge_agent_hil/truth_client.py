"""Asks the truth service: a question a line, an answer a line."""

from __future__ import annotations

import json
import socket
from types import TracebackType
from typing import Any

ANSWER_S = 10.0             # of a plant of a thousand machines on a slow computer; it answers a few in milliseconds


class TruthClient:
    """A connection to the truth service of a plant; see `truth_service` for what can be asked."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=ANSWER_S)
        self._file = self._socket.makefile("rw", encoding="utf-8")

    def __enter__(self) -> TruthClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def ask(self, question: object) -> dict[str, Any]:
        """The answer; ValueError says what is wrong with the question."""
        self._file.write(json.dumps(question) + "\n")
        self._file.flush()
        answer: dict[str, Any] = json.loads(self._file.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def vector(self, machine: str, start: int, end: int, micro_stop: int = 0) -> dict[str, Any]:
        """What `machine` did in [start, end), ns UTC; stops up to `micro_stop` ns are micro-stops."""
        return self.ask({"machine": machine, "start": start, "end": end, "micro_stop": micro_stop})

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()
