"""When what is due: periods on a fixed grid, so that they do not drift."""

from __future__ import annotations

from collections.abc import Sequence


class Schedule:
    """Several periods (ns), all due at the start and then at start + k × period.

    A date that has passed while its period was busy is skipped, not made up for. Nothing
    starves: of two that are due, the one due for longer comes first.
    """

    def __init__(self, periods_ns: Sequence[int], start_ns: int) -> None:
        self._periods = tuple(periods_ns)
        self._due = [start_ns] * len(self._periods)

    def next(self) -> tuple[int, int]:
        """Which period is due first, and when (ns)."""
        due = min(self._due)
        return self._due.index(due), due

    def done(self, which: int, now_ns: int) -> None:
        """It has been served: due again at the first date of its grid after `now_ns`."""
        period, due = self._periods[which], self._due[which]
        self._due[which] = due + period * max(1, 1 + (now_ns - due) // period)
