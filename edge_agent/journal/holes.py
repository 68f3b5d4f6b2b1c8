"""Which sequence numbers the damage found on opening may have destroyed.

A newest segment says nowhere how many records it held, and both lanes share their numbers. So of a hole is known
between which records it lies, and how many heads fit into its bytes; the numbers in it that the other lane has were not
destroyed, and of the others some may never have been given out. What is told of it is "at most".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edge_agent.journal.disk import Disk
from edge_agent.journal.gaps import Loss
from edge_agent.journal.place import Place
from edge_agent.journal.reading import intact_blocks
from edge_agent.journal.record import HEAD_SIZE, OWN, next_intact, take
from edge_agent.journal.salvage import readable
from edge_agent.journal.segment import HEADER_SIZE, Segment


class Hole(NamedTuple):
    """At most `most` records between `after` and `before`; None: whatever came."""

    after: int
    most: int
    before: int | None = None


def holes_in(disk: Disk, segment: Segment) -> list[Hole]:
    """Of a damaged segment, before it is mended."""
    try:
        data = readable(disk, segment)
    except OSError:
        return [Hole(segment.first - 1, segment.size // HEAD_SIZE)]
    found: list[Hole] = []
    last, broken = segment.first - 1, 0
    position = HEADER_SIZE
    while position < len(data):
        taken, stop = take(data, position, segment.header.salt)
        numbers = [raw[0] for raw in taken if raw[1] not in OWN]
        if numbers and broken:
            found.append(Hole(last, _records(broken), numbers[0]))
            broken = 0
        last = max(numbers, default=last)
        position = next_intact(data, stop + 1, segment.header.salt) if stop < len(data) else stop
        broken += position - stop
    return [*found, Hole(last, _records(broken))] if broken else found


def _records(broken_bytes: int) -> int:
    return max(broken_bytes // HEAD_SIZE, 1)


def numbers_in(disk: Disk, segments: Sequence[Segment], hole: tuple[int, int]) -> set[int]:
    """Those from `hole[0]` to `hole[1]` that are the lane's of these segments."""
    first, last = hole
    return {
        raw[0]
        for segment in segments
        if segment.first <= last and segment.last >= first
        for raws in intact_blocks(disk, segment)
        for raw in raws
        if first <= raw[0] <= last and raw[1] not in OWN
    }


def tell(place: Place, hole: tuple[int, int], most: int, others: set[int]) -> None:
    """Note with a destination's place what it will never get of the numbers `hole[0]` to `hole[1]`."""
    first, last = hole
    for stretch in place.stretches:
        begins = max(first, stretch.released + 1)
        ends = last if stretch.end is None else min(last, stretch.end)
        records = min(most, ends + 1 - begins - sum(begins <= number <= ends for number in others))
        if records > 0:
            place.lost += records
            place.gaps.note("damage", Loss(begins, ends, records, 0, 0))
