"""What the journal costs a flash medium: a sync writes whole pages, however little of them is new."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

PAGE: Final = 4096
DAY_S: Final = 86_400


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
