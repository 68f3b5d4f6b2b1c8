"""How long the agent lived: one instant in one small file, renewed with every commit.

Layout: the ns UTC as 20 digits and a newline, overwritten in place and *not* synced. After a kill
the kernel still has it, so the agent's end is known to within one commit; the kernel writes that page to flash
in its own time, twice a minute at most, and not with every commit. After a power cut the file may be old,
empty or torn: then the journal's newest record, which is synced, tells the end instead (an ALIVE record
comes every ten seconds at the latest).
"""

from __future__ import annotations

import os
from pathlib import Path

_DIGITS = 20


class Alive:
    """The instant file of one agent; blocking, a few µs: call it in the journal's thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, now_ns: int) -> None:
        """Everything up to `now_ns` is in the journal. A disk that refuses is the journal's to report."""
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            return
        try:
            os.pwrite(fd, b"%020d\n" % now_ns, 0)
        except OSError:
            pass    # the older instant stays: less is claimed than is true
        finally:
            os.close(fd)

    def read(self, at_least: int, at_most: int) -> int:
        """The last instant written, if it lies in [at_least, at_most]; else `at_least`."""
        try:
            text = self._path.read_bytes()[:_DIGITS]
        except OSError:
            return at_least
        if len(text) != _DIGITS or not text.isdigit():
            return at_least
        return int(text) if at_least <= int(text) <= at_most else at_least
