"""The number of each CONNECT, by which a host matches a death with its birth: kept over restarts.

The file holds the last number used, as text. It is written before the CONNECT that carries the number is sent, so a
crash between the two skips a number and never repeats one. A file that cannot be read counts as none.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

NUMBERS: Final = 256


class BdSeq:
    """Of one destination. `next` may be called in any thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: int | None = None
        self._said = False

    def next(self) -> int:
        """0, then one more each time, 255 → 0."""
        last = self._read() if self._last is None else self._last
        self._last = (last + 1) % NUMBERS
        try:
            self._write(self._last)
            self._said = False
        except OSError as error:
            # The connection is worth more than the number: a host takes any, it only may not see one death.
            if not self._said:
                log.error("%s cannot be written: %s; bdSeq may repeat after a restart", self._path, error)
                self._said = True
        return self._last

    def _read(self) -> int:
        try:
            kept = int(self._path.read_text())
        except FileNotFoundError:
            return NUMBERS - 1
        except (OSError, ValueError) as error:
            log.error("%s cannot be read: %s; bdSeq begins at 0", self._path, error)
            return NUMBERS - 1
        return kept % NUMBERS

    def _write(self, number: int) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(f"{number}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
