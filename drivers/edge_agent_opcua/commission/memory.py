"""What a search has found so far, in a file, so that the next one goes on where this one ended, be it by a power cut.

The first line says whose memory it is, each further line is one step of the search (JSON). A line is written in one
piece when its step is complete; of a process that was killed at most the last line is cut off, and is dropped when
the file is read. Nothing in it belongs to a session: nodes are spelled with their namespace's URI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

_VERSION: Final = 1


class Memory:
    """`recall` first; `steps` are those of earlier searches; `keep` adds one. Without a path it keeps nothing."""

    def __init__(self, path: Path | None, whose: Mapping[str, str]) -> None:
        self.steps: list[dict[str, Any]] = []
        self._path = path
        self._head = {"v": _VERSION, **whose}
        self._end = 0

    async def recall(self) -> None:
        """Read what there is. ValueError: the file is another search's, or no memory, or cannot be used."""
        if self._path is not None:
            await asyncio.to_thread(self._read, self._path)

    async def keep(self, step: Mapping[str, Any]) -> None:
        """Add a step."""
        if self._path is not None:
            await asyncio.to_thread(self._append, self._path, orjson.dumps(step) + b"\n")

    def _read(self, path: Path) -> None:
        head = orjson.dumps(self._head) + b"\n"
        try:
            text = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise ValueError(f"--resume {path}: {error.strerror or error}") from None
        lines = self._whole(text)
        if not lines and head.startswith(text):
            self._append(path, head)
            return
        if not lines or lines[0] != self._head:
            raise ValueError(f"--resume {path}: {self._other(lines)}; name another file, or delete it")
        self.steps = lines[1:]

    def _whole(self, text: bytes) -> list[dict[str, Any]]:
        """The lines up to the first that is cut off or no mapping."""
        lines: list[dict[str, Any]] = []
        for line in text.splitlines(keepends=True):
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError:
                break
            if not isinstance(found, dict) or not line.endswith(b"\n"):
                break
            lines.append(found)
            self._end += len(line)
        return lines

    def _other(self, lines: list[dict[str, Any]]) -> str:
        if not lines or "v" not in lines[0]:
            return "is not what an earlier search has kept"
        if lines[0]["v"] != _VERSION:
            return "was written by another version"
        wrong = next(key for key in {**self._head, **lines[0]} if lines[0].get(key) != self._head.get(key))
        return f"is of a search with {wrong} {lines[0].get(wrong)}, not {self._head.get(wrong)}"

    def _append(self, path: Path, line: bytes) -> None:
        try:
            with path.open("r+b" if path.exists() else "xb") as file:
                file.seek(self._end)
                file.truncate()
                file.write(line)
        except OSError as error:
            raise ValueError(f"--resume {path}: {error.strerror or error}") from None
        self._end += len(line)
