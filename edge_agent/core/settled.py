"""What a ledger has already added up: cells of the settled part of windows that are asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from edge_agent.core.cell import Cell

# Facts are up to this late without anything having to be taken back: longer than a poll period.
LATENESS: Final = 60_000_000_000
# A fact later than that costs adding up this much again, at most about twice.
STRIDE: Final = 3_600_000_000_000
# Open shift, hour and day share or have each their own start; final windows pass through.
WINDOWS: Final = 12


class Mark(NamedTuple):
    """The cell of everything from the window's start up to `upto`, known as of `as_of` (`None`: now)."""

    upto: int
    as_of: int | None
    cell: Cell


class Settled:
    """Marks by window start. All of a window's marks are boundaries no stop or gap reaches across."""

    def __init__(self) -> None:
        self._marks: dict[int, list[Mark]] = {}
        self._latest = -(1 << 62)

    def take_back(self, t: int) -> None:
        """Something at `t` has changed: forget the marks it may concern."""
        if t > self._latest:
            return
        for marks in self._marks.values():
            while len(marks) > 1 and marks[-1].upto >= t:
                marks.pop()
        self._latest = max((marks[-1].upto for marks in self._marks.values()), default=self._latest)

    def reach(
        self,
        start: int,
        stop: int,
        as_of: int | None,
        measure: Callable[[int, int], Cell],
        boundary: Callable[[int], int | None],
        spreads_across: Callable[[int, int, int], bool],
    ) -> tuple[int, Cell]:
        """How far [start, stop) is settled, and the cell of that part, after settling what can be."""
        marks = self._window(start)
        self._check(marks, as_of, spreads_across)
        if marks[-1].upto <= stop:
            self._advance(marks, stop, as_of, measure, boundary)
        found = next(mark for mark in reversed(marks) if mark.upto <= stop)
        return found.upto, found.cell

    def _window(self, start: int) -> list[Mark]:
        marks = self._marks.pop(start, None) or [Mark(start, None, Cell())]
        self._marks[start] = marks      # the last asked for is the last to go
        while len(self._marks) > WINDOWS:
            del self._marks[next(iter(self._marks))]
        return marks

    def _check(
        self, marks: list[Mark], as_of: int | None, spreads_across: Callable[[int, int, int], bool]
    ) -> None:
        """Drop marks that know of more, or fewer, late reports about their time than `as_of` does."""
        while len(marks) > 1 and marks[-1].as_of != as_of:
            low, high = sorted((_date(marks[-1].as_of), _date(as_of)))
            if not spreads_across(marks[-1].upto, low, high):
                return
            marks.pop()

    def _advance(
        self,
        marks: list[Mark],
        stop: int,
        as_of: int | None,
        measure: Callable[[int, int], Cell],
        boundary: Callable[[int], int | None],
    ) -> None:
        target = boundary(stop - LATENESS)
        if target is None:
            return
        while marks[-1].upto < target:
            last = marks[-1]
            near = boundary(last.upto + STRIDE)
            upto = near if near is not None and last.upto < near < target else target
            marks.append(Mark(upto, as_of, last.cell + measure(last.upto, upto)))
        self._latest = max(self._latest, marks[-1].upto)


def _date(as_of: int | None) -> int:
    return (1 << 62) if as_of is None else as_of
