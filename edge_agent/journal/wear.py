"""What the journal costs a flash medium: a sync writes whole pages, however little of them is new.

What was written is kept over restarts in the file `wear` (`slots.py`), three numbers for each of the last eight days
on which the journal was open: which day since 1970-01-01 UTC, for how many seconds it was open, bytes written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

PAGE: Final = 4096
DAY_S: Final = 86_400
DAYS: Final = 8
"""A week, whatever the time of day."""

FILE: Final = "wear"
# A page each time, so that measuring wear is none.
SAVE_EVERY_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Written:
    """So many bytes in so many seconds."""

    seconds: int = 0
    bytes: int = 0

    @property
    def a_day(self) -> float | None:
        """Bytes a day; None if that is too short to tell more than of the start."""
        return self.bytes * DAY_S / self.seconds if self.seconds >= SAVE_EVERY_S else None


def total(numbers: tuple[int, ...]) -> Written:
    """Of all days the file tells of."""
    return Written(sum(numbers[1::3]), sum(numbers[2::3]))


class Meter:
    """Adds up what is written, by days."""

    def __init__(self, numbers: tuple[int, ...] | None, now_s: float, written: int) -> None:
        """
        numbers  what the file says
        now_s    by a clock that only goes forward
        written  so far, of what `due` will be told
        """
        said = numbers or ()
        self._days = {said[i]: Written(said[i + 1], said[i + 2]) for i in range(0, len(said) - 2, 3)}
        self._saved_s, self._saved = now_s, written

    def due(self, now_ns: int, now_s: float, written: int, *, every_s: float = SAVE_EVERY_S) -> tuple[int, ...] | None:
        """What the file should say now; None as long as `every_s` have not gone by."""
        passed = int(now_s - self._saved_s)
        if passed < every_s:
            return None
        day = max(now_ns, 0) // (DAY_S * 10**9)
        before = self._days.pop(day, Written())
        self._days[day] = Written(before.seconds + passed, before.bytes + written - self._saved)
        while len(self._days) > DAYS:
            del self._days[next(iter(self._days))]
        self._saved_s, self._saved = self._saved_s + passed, written
        return tuple(number for one, said in self._days.items() for number in (one, said.seconds, said.bytes))


def pages(offset: int, size: int) -> int:
    """Bytes of the pages that `size` bytes at `offset` touch."""
    return ((offset + size - 1) // PAGE - offset // PAGE + 1) * PAGE if size else 0


def bytes_a_day(lanes: Iterable[float], flush_s: float, cursors: int, places_s: float) -> float:
    """What a journal will write in a day.

    lanes     bytes a second that come to each lane, 32 a record included; a lane with less than one record a flush
              is written as often as it has one: leave it out, it is a page each time
    flush_s   how often it is committed, seconds
    cursors   how many destinations are read in each lane, all lanes together
    places_s  how often their places are synced, seconds (`commit.SYNC_PLACES_S`)

    A commit of n bytes at any place in a page touches (n − 1) / 4096 + 1 pages on average; a place is one page.
    """
    commit = sum(PAGE + rate * flush_s - 1 for rate in lanes if rate > 0)
    return DAY_S * (commit / flush_s + cursors * PAGE / places_s)
