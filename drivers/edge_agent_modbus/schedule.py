"""When what is due: periods on a fixed grid, so that they do not drift, and not all devices at once."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32


class Schedule:
    """Several periods (ns), all due at the start, and then wherever their grid has a date.

    The grid of a period has its dates at k × period + phase × period (of the clock in use), the phase
    from 0 to 1: devices with other phases are not asked at the same instant. The second date is at
    least half a period after the first. A date that has passed while its period was busy is skipped,
    not made up for. Nothing starves: of two that are due, the one due for longer comes first.
    """

    def __init__(self, periods_ns: Sequence[int], start_ns: int, phase: float = 0.0) -> None:
        self.skipped = 0
        """dates that were left out because their period was busy"""
        self._periods = tuple(periods_ns)
        self._due = [start_ns] * len(self._periods)
        self._offsets = [round(phase * period) for period in self._periods]
        self._began = [False] * len(self._periods)

    def next(self) -> tuple[int, int]:
        """Which period is due first, and when (ns)."""
        due = min(self._due)
        return self._due.index(due), due

    def done(self, which: int, now_ns: int) -> None:
        """It has been served: due again at the first date of its grid after `now_ns`."""
        period, due = self._periods[which], self._due[which]
        if not self._began[which]:
            self._began[which] = True
            earliest = max(now_ns + 1, due + (period + 1) // 2)
            self._due[which] = earliest + (self._offsets[which] - earliest) % period
            return
        passed = max(1, 1 + (now_ns - due) // period)
        self.skipped += passed - 1
        self._due[which] = due + period * passed


def phase_of(name: str) -> float:
    """A phase for the device `name`: always the same, and another for nearly every name."""
    return crc32(name.encode()) / 2**32
