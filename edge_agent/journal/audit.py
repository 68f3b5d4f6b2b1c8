"""The audit log: who asked for what to be written to equipment, and what became of it.

Files in `data_dir`, JSON lines, mode 0600: `audit.log` grows; at 10 MB it is renamed to
`audit.{number of its last line}.log`, and the oldest beyond ten files go. Each line:

    {"n":…,"time":…,"step":…,"id":…,"who":…,"through":…,"device":…,"tag":…,"value":…,…,"prev":…}

Invariants: `n` counts lines and only grows; `prev` is the SHA-256 of the line before (without its
line break), across files, so a line that was changed, taken out or put in shows (`audit_check`);
a line counts once it is synced. What it cannot show: lines missing from the end, and a chain made
anew by someone who may write the files.

A crash leaves at most one torn last line. Nothing was sent to equipment on its strength: it is cut
off when the log is next opened, and a line with step `cut` says so.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

NAME: Final = "audit.log"
FIRST: Final = "0" * 64
"""`prev` of the very first line"""

# Decades of commands at a few a day; a gateway's flash does not notice 100 MB.
MAX_BYTES: Final = 10_000_000
FILES: Final = 10
# Ends of commands that a broken disk did not take: one a device, for no other is begun meanwhile.
KEPT: Final = 1000

Entry = Mapping[str, Any]


class Audit:
    """The log's growing end. Blocks: called in the journal's thread only, which also is its only lock."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, files: int = FILES) -> None:
        self.folder = folder
        self._path = folder / NAME
        self._max_bytes = max_bytes
        self._files = files
        self._fd = -1
        self._size = 0
        self._n = 0
        self._prev = FIRST
        self._owed: deque[Entry] = deque(maxlen=KEPT)

    def note(self, entry: Entry, keep: bool) -> str:
        """Add a line and sync it; '' once it is durable, else why it is not.

        keep  it has happened: if it cannot be written now, it will be before the next line
        """
        try:
            while self._owed:
                self._add(self._owed[0])
                self._owed.popleft()
            self._add(entry)
        except OSError as error:
            self.close()
            if keep:
                self._owed.append(entry)
            return error.strerror or str(error)
        return ""

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.close(fd)
            except OSError:
                pass    # what matters was synced before; the descriptor is gone either way

    def _add(self, entry: Entry) -> None:
        if self._fd < 0:
            self._open()
        line = orjson.dumps({"n": self._n + 1, **entry, "prev": self._prev})
        if self._size and self._size + len(line) + 1 > self._max_bytes:
            self._roll()
            line = orjson.dumps({"n": self._n + 1, **entry, "prev": self._prev})
        self._append(line)

    def _append(self, line: bytes) -> None:
        view = memoryview(line + b"\n")
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            os.fdatasync(self._fd)
        except OSError:
            # Nobody may rely on this line: it goes, here or when the file is next opened.
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(line) + 1
        self._n += 1
        self._prev = digest(line)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._path, flags, 0o600)
        if stat.S_IMODE(os.fstat(self._fd).st_mode) != 0o600:
            os.fchmod(self._fd, 0o600)
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        self._size = whole
        lines = data[:whole].splitlines() or self._lines_before()
        self._n, self._prev = _end_of(lines)
        if not data:
            self._sync_folder()
        if whole != len(data):
            os.ftruncate(self._fd, whole)
            self._append(self._cut(len(data) - whole))

    def _cut(self, size: int) -> bytes:
        what = f"the last line was torn and is cut off ({size} bytes); nothing was sent on its strength"
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return orjson.dumps({"n": self._n + 1, "time": now, "step": "cut", "error": what, "prev": self._prev})

    def _lines_before(self) -> list[bytes]:
        older = closed_files(self.folder)
        return older[-1].read_bytes().splitlines() if older else []

    def _roll(self) -> None:
        """Close this file under the number of its last line and begin the next; the oldest go."""
        self.close()
        self._path.rename(self.folder / f"audit.{self._n:012d}.log")
        for path in closed_files(self.folder)[: -(self._files - 1) or None]:
            path.unlink()
        self._sync_folder()
        self._open()

    def _sync_folder(self) -> None:
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def digest(line: bytes) -> str:
    """What the line after `line` says of it."""
    return hashlib.sha256(line).hexdigest()


def closed_files(folder: Path) -> list[Path]:
    """The files that were closed, oldest first."""
    return sorted(folder.glob("audit.[0-9]*.log"))


def _end_of(lines: list[bytes]) -> tuple[int, str]:
    """Number and digest of the last line. One that cannot be read counts as one."""
    for back, line in enumerate(reversed(lines)):
        try:
            return int(orjson.loads(line)["n"]) + back, digest(lines[-1])
        except (ValueError, KeyError, TypeError):
            continue
    return len(lines), digest(lines[-1]) if lines else FIRST
