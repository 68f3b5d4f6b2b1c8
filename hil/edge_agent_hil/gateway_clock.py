"""The wall clock of a process that `edge_agent_hil.clocked` runs: a few bytes of a file that both look at."""

from __future__ import annotations

import struct
import time
from pathlib import Path

FORM = struct.Struct("<qB")
"""ns by which it is ahead of the real one; one of these:"""
ASK_THE_KERNEL, BELIEVED, NOT_BELIEVED = range(3)


class Clock:
    """The real time until it is set."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ahead_ns = 0
        file.write_bytes(FORM.pack(0, ASK_THE_KERNEL))

    def step(self, by_ns: int) -> None:
        """Set it, at once."""
        self._set(self.ahead_ns + by_ns, ASK_THE_KERNEL)

    def lose(self) -> None:
        """It begins at 1970-01-01, and knows that nobody has told it the time."""
        self._set(-time.time_ns(), NOT_BELIEVED)

    def right(self) -> None:
        """It shows the real time again."""
        self._set(0, ASK_THE_KERNEL)

    def sync(self) -> None:
        """It has been told the time."""
        self._set(0, BELIEVED)

    def _set(self, ahead_ns: int, belief: int) -> None:
        self.ahead_ns = ahead_ns
        with self.file.open("r+b") as file:
            file.write(FORM.pack(ahead_ns, belief))
