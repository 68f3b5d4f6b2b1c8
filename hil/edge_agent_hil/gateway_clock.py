"""The wall clock of a process that `edge_agent_hil.clocked` runs: a few bytes of a file that both look at."""

from __future__ import annotations

import struct
import time
from pathlib import Path

FORM = struct.Struct("<q?")
"""ns by which it is ahead of the real one; whether it is believed"""


class Clock:
    """The real time until it is set; believed, whether this computer's own clock is or not, until it is lost."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ahead_ns = 0
        file.write_bytes(FORM.pack(0, True))

    def step(self, by_ns: int) -> None:
        """Set it, at once."""
        self._set(self.ahead_ns + by_ns)

    def lose(self) -> None:
        """It begins at 1970-01-01, and knows that nobody has told it the time."""
        self._set(-time.time_ns(), believed=False)

    def right(self) -> None:
        """It shows the real time again, and is believed."""
        self._set(0)

    def _set(self, ahead_ns: int, believed: bool = True) -> None:
        self.ahead_ns = ahead_ns
        with self.file.open("r+b") as file:
            file.write(FORM.pack(ahead_ns, believed))
