"""The next sequence number after whatever was lost.

All records of each lane's newest segment are read, so normally it is the last one plus one. But when
bytes were lost at an end (torn, damaged, missing), numbers may have been given out that nobody can see
any more. The file `floor` (`slots.py`) bounds them: its numbers are a `base` for each lane (in this lane
there were numbers up to below it), `least` (everything below may be used), `reserved` (nothing from here
on is used) and the epoch. It is written before the first commit of each segment and before one that
reaches `reserved`. If a lane's newest record is below its `base - 1`, or broken bytes stood behind it,
numbering goes on at `reserved`; and nowhere below any cursor's place.

Earlier versions had one chain and wrote three numbers: base, reserved, epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge_agent.journal.slots import Numbers

# Numbers per write of `floor`: minutes at a hundred records a second, and a small gap after a loss.
RESERVE: Final = 1 << 16


@dataclass(slots=True)
class Floor:
    """What `floor` says."""

    bases: tuple[int, int] = (1, 1)
    """for each lane"""
    least: int = 1
    """everything below may be used"""
    reserved: int = 1
    """nothing from here on is used"""
    epoch: int = 0
    known: bool = False

    def numbers(self) -> Numbers:
        """To be saved."""
        return (*self.bases, self.least, self.reserved, self.epoch)


def floor_of(numbers: Numbers | None) -> Floor:
    """What was saved."""
    if numbers is not None and len(numbers) == 3:
        numbers = (1, numbers[0], *numbers)
    if numbers is None or len(numbers) != 5:
        return Floor()
    return Floor((numbers[0], numbers[1]), *numbers[2:], known=True)


def next_number(floor: Floor, lasts: tuple[int, int], highest: int, *, whole: bool) -> tuple[int, bool]:
    """Where numbering goes on, and whether numbers may have been lost.

    lasts    each lane's newest record
    highest  the furthest any cursor claims to have come
    whole    no broken bytes stood at an end
    """
    last = max(lasts)
    highest = max(last, highest)
    missing = any(one + 1 < base for one, base in zip(lasts, floor.bases, strict=True))
    if whole and not missing and (floor.known or highest == last):
        return max(highest + 1, floor.least), False
    return (max(floor.reserved, highest + 1) if floor.known else highest + 1 + RESERVE), True
