"""The disk: every call the journal makes to the file system, so that a test can stand in for it."""

from __future__ import annotations

import os
from pathlib import Path

from edge_agent.journal.wear import pages


class File:
    """One file open for writing."""

    def __init__(self, path: Path, *, fresh: bool) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if fresh else 0)
        self._fd = os.open(path, flags, 0o640)

    def write(self, offset: int, data: bytes) -> None:
        """All of `data` at `offset`, or OSError with an unknown part of it written."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self._fd, view, offset)
            view, offset = view[done:], offset + done

    def sync(self) -> None:
        """Return once content and size would survive a power cut."""
        os.fdatasync(self._fd)

    def truncate(self, size: int) -> None:
        """Cut at `size`; durable with the next `sync`."""
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        """Let go of the file; never raises."""
        try:
            os.close(self._fd)
        except OSError:
            pass  # what matters was synced before; the descriptor is gone either way


class Disk:
    """The real one. Every method blocks: called in the journal's thread only."""

    written = 0
    """bytes of the pages that were synced to the medium (`wear.py`)"""

    def wrote(self, offset: int, size: int) -> None:
        """Count what was written and synced."""
        self.written += pages(offset, size)

    def open(self, path: Path, *, fresh: bool = False) -> File:
        """For writing; created if missing, emptied if `fresh`."""
        return File(path, fresh=fresh)

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end of the file."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(fd, size, offset)
            while len(data) < size and (more := os.pread(fd, size - len(data), offset + len(data))):
                data += more
            return data
        finally:
            os.close(fd)

    def size(self, path: Path) -> int:
        """Bytes."""
        return path.stat().st_size

    def space(self, folder: Path) -> tuple[int, int]:
        """Bytes of its file system that we may still use, and all there are."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def make_folder(self, path: Path) -> None:
        """An empty one, or the one there is; durable with `sync_folder` of its parent."""
        path.mkdir(exist_ok=True)

    def names(self, folder: Path) -> list[str]:
        """Of all files in `folder`, sorted."""
        return sorted(path.name for path in folder.iterdir())

    def rename(self, old: Path, new: Path) -> None:
        """Atomically; durable with `sync_folder`."""
        old.replace(new)

    def link(self, old: Path, new: Path) -> None:
        """A second name for the same bytes; replaces `new`."""
        new.unlink(missing_ok=True)
        os.link(old, new)

    def remove(self, path: Path) -> None:
        """Gone, or was never there."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Make created, renamed and removed names durable."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
