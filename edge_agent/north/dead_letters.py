"""What a destination refuses for good: kept in a file, with the reason, so that nothing is gone without a trace.

`data_dir/dead/<destination>.jsonl`, one JSON object a line:

    {"time": ISO 8601, "topic": …, "reason": …, "payload": …}     payload is base64 under "base64" where it is no UTF-8

At most twice `MOST_BYTES` a destination: the file before is kept as `<destination>.1.jsonl`.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import orjson

MOST_BYTES: Final = 10_000_000


class DeadLetter(NamedTuple):
    """One message that was refused at `time` (ns UTC)."""

    time: int
    topic: str
    payload: bytes
    reason: str

    def line(self) -> bytes:
        """As it stands in the file."""
        said: dict[str, str] = {
            "time": datetime.fromtimestamp(self.time / 1e9, UTC).isoformat(timespec="milliseconds"),
            "topic": self.topic,
            "reason": self.reason,
        }
        try:
            said["payload"] = self.payload.decode()
        except UnicodeDecodeError:
            said["base64"] = base64.b64encode(self.payload).decode()
        return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)


class DeadLetters:
    """The file of one destination. Every method blocks: called in a thread."""

    def __init__(self, folder: Path, destination: str) -> None:
        self._path = folder / f"{destination}.jsonl"
        self._before = folder / f"{destination}.1.jsonl"

    def add(self, letters: Sequence[DeadLetter]) -> str:
        """Append; '' or why it could not be: then these are only counted."""
        try:
            self._path.parent.mkdir(mode=0o750, exist_ok=True)
            waiting = deque(letter.line() for letter in letters)
            while waiting:
                self._fill(waiting)
        except OSError as error:
            return f"{self._path}: {error.strerror}"
        return ""

    def _fill(self, waiting: deque[bytes]) -> None:
        """Write what the file has room for; a line at least, into a new one where there is none."""
        size = self._path.stat().st_size if self._path.exists() else 0
        if size and size + len(waiting[0]) > MOST_BYTES:
            self._path.replace(self._before)
            size = 0
        with self._path.open("ab") as file:
            while waiting and (not size or size + len(waiting[0]) <= MOST_BYTES):
                size += file.write(waiting.popleft())
