"""Which addresses of an area can be read: found with few questions, for a refused block may hold small ones.

Asking every address takes a day on a serial line. So single places on a grid are tried, as close as maps
usually are: everywhere in a small range, else every tenth below 1000, every hundredth (and the one behind
it) above, and the next few behind whatever was found. From a place that answers, blocks reach out in both
directions, each half as long once one is refused, until the edges are known to the address.

What lies between two places of the grid and touches none of them is not found.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from edge_agent_modbus.dialogue import Answer

# Lengths that are tried, longest first. Even ones: some devices refuse half of a value of two registers.
REGISTERS: Final = (124, 64, 32, 16, 8, 4, 2, 1)
BITS: Final = (1968, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1)
# A range of so many addresses is asked one by one where it has to be.
_SMALL: Final = 300
_DENSE_BELOW: Final = 1_000
_DENSE: Final = 10
_SPARSE: Final = 100
# Maps leave out a few addresses between two groups of values.
_BEHIND: Final = (1, 2, 3, 4, 6, 8)

_ILLEGAL_FUNCTION: Final = 1

Read = Callable[[int, int], Awaitable[Answer]]
"""Reads so many addresses from a start"""


@dataclass(slots=True)
class Findings:
    """What is known of an area so far.

    runs      first address and the one behind the last of what can be read, in order, not touching
    data      address → its value
    refused   start and count of what was refused
    codes     what was said instead of values
    largest   addresses in the largest block that was answered
    """

    runs: list[tuple[int, int]] = field(default_factory=list)
    data: dict[int, int] = field(default_factory=dict)
    refused: list[tuple[int, int]] = field(default_factory=list)
    codes: set[int] = field(default_factory=set)
    largest: int = 0

    @property
    def count(self) -> int:
        """Addresses that can be read."""
        return sum(end - start for start, end in self.runs)

    def cap(self) -> int:
        """The largest block, if larger ones were refused though everything in them can be read; else 0."""
        for start, count in self.refused:
            if count > self.largest and any(first <= start and start + count <= end for first, end in self.runs):
                return self.largest
        return 0


class Explorer:
    """Explores one area of one unit; `findings` is right at any time, complete once `explore` returns."""

    def __init__(self, read: Read, *, bits: bool, most: int) -> None:
        self.findings = Findings()
        self._read = read
        self._bits = bits
        self._sizes = tuple(size for size in (BITS if bits else REGISTERS) if size <= most)

    async def explore(self, first: int, last: int) -> None:
        """Look at `first`..`last`. An area that the device does not have costs one question."""
        found = self.findings
        if not await self._has_the_area(first):
            return
        seeds = _seeds(first, last)
        while seeds:
            seed = seeds.pop()
            before = bisect_right(found.runs, (seed, last + 2)) - 1
            lowest = found.runs[before][1] if before >= 0 else first
            if seed < lowest:
                continue
            size = await self._hit(seed, last)
            if not size:
                continue
            self._add(seed, seed + size)
            await self._down(seed, lowest)
            end = await self._up(seed + size, last + 1)
            seeds += [end + step for step in reversed(_BEHIND) if end + step <= last]

    async def _has_the_area(self, first: int) -> bool:
        answer = await self._try(first, 1)
        return isinstance(answer, bytes) or answer != _ILLEGAL_FUNCTION

    async def _hit(self, seed: int, last: int) -> int:
        """How many addresses at `seed` can be read: 2, 1 or 0."""
        for size in (2, 1):
            if seed + size <= last + 1 and isinstance(await self._try(seed, size), bytes):
                return size
        return 0

    async def _up(self, end: int, limit: int) -> int:
        """The first address from `end` on that cannot be read."""
        for size in self._sizes:
            while end + size <= limit and isinstance(await self._try(end, size), bytes):
                self._add(end, end + size)
                end += size
        return end

    async def _down(self, start: int, limit: int) -> None:
        """Find everything that can be read right below `start`."""
        for size in self._sizes:
            while start - size >= limit and isinstance(await self._try(start - size, size), bytes):
                start -= size
                self._add(start, start + size)

    async def _try(self, start: int, count: int) -> Answer:
        found = self.findings
        answer = await self._read(start, count)
        if isinstance(answer, bytes):
            found.largest = max(found.largest, count)
            found.data.update(zip(range(start, start + count), _values(answer, bits=self._bits), strict=False))
        else:
            found.refused.append((start, count))
            found.codes.add(answer)
        return answer

    def _add(self, start: int, end: int) -> None:
        """A run, made one with those that it touches."""
        runs = self.findings.runs
        touching = [run for run in runs if run[0] <= end and start <= run[1]]
        whole = (min(start, *(run[0] for run in touching), start), max(end, *(run[1] for run in touching), end))
        runs[:] = sorted([*(run for run in runs if run not in touching), whole])


def _seeds(first: int, last: int) -> list[int]:
    """The places to try, the lowest last."""
    if last - first < _SMALL:
        return list(range(last, first - 1, -1))
    places = {first, first + 1, last}
    places.update(n for n in range(0, _DENSE_BELOW, _DENSE) if first <= n <= last)
    places.update(n + more for n in range(0, last + 1, _SPARSE) for more in (0, 1) if first <= n + more <= last)
    return sorted(places, reverse=True)


def _values(data: bytes, *, bits: bool) -> list[int]:
    if bits:
        return [byte >> bit & 1 for byte in data for bit in range(8)]
    return [int.from_bytes(data[n : n + 2], "big") for n in range(0, len(data), 2)]
