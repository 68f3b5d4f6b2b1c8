"""What a cursor's file says: the stretches of a lane that its destination has not acknowledged yet.

The numbers (`slots.py`): evicted, lost, since, how many stretches; then of each stretch, the oldest first,
the last number that is done with and the last that belongs to it (0: it goes on); then what it lost and
was not told of (`gaps.py`). Stretches do not overlap; only the newest goes on. `since`: records at its
beginning that are older, ns UTC, are passed over.

Earlier versions wrote three numbers: released, evicted, lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from edge_agent.journal.gaps import Gaps
from edge_agent.journal.segment import Amount
from edge_agent.journal.slots import Numbers, Slots


class Stretch(NamedTuple):
    """Everything behind `released` up to and including `end` (None: it goes on) is to be delivered.

    `at` and `top`: how much of the lane lies up to these two; filled in when the chain is known.
    """

    released: int
    end: int | None = None
    at: Amount = Amount()
    top: Amount | None = None


@dataclass(slots=True)
class Place:
    """One destination in one lane."""

    slots: Slots
    stretches: list[Stretch]
    evicted: int = 0
    lost: int = 0
    since: int = 0
    gaps: Gaps = field(default_factory=Gaps)
    done: int = 0
    """what was saved as done with, wherever the chain begins now"""

    @property
    def highest(self) -> int:
        """The furthest it claims to have come."""
        return max(max(stretch.released, stretch.end or 0) for stretch in self.stretches)

    def numbers(self) -> Numbers:
        """To be saved."""
        ranges = [(stretch.released, stretch.end) for stretch in self.stretches]
        return packed(self.evicted, self.lost, self.since, ranges, self.gaps)


def packed(evicted: int, lost: int, since: int, stretches: list[tuple[int, int | None]], gaps: Gaps) -> Numbers:
    """The numbers to be saved."""
    numbers = [evicted, lost, since, len(stretches)]
    for released, end in stretches:
        numbers += (released, end or 0)
    return (*numbers, *gaps.numbers())


def unpacked(slots: Slots, numbers: Numbers | None) -> Place:
    """What was saved; from the beginning if that is nothing, or no such thing."""
    if numbers is not None and len(numbers) == 3:
        return Place(slots, [Stretch(numbers[0])], *numbers[1:])
    try:
        evicted, lost, since, count, *rest = numbers or ()
        pairs = [(rest[2 * i], rest[2 * i + 1]) for i in range(count)]
    except (ValueError, IndexError):
        return Place(slots, [Stretch(0)])
    stretches = [Stretch(released, end or None) for released, end in pairs]
    ordered = all(end is not None and end <= after.released for (_, end, *_), after in pairwise(stretches))
    if not ordered or not stretches or stretches[-1].end is not None:
        return Place(slots, [Stretch(0)], evicted, lost)
    place = Place(slots, stretches, evicted, lost, since, done=stretches[0].released)
    place.gaps.restore(tuple(rest[2 * count :]))
    return place
