"""Which tags a batch is about, worked out once for the tag columns that come again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Int32s

P = TypeVar("P")

Places = NDArray[np.intp]
"""Places in an array. NumPy turns any other integers into these first, which in columns of a few
dozen costs eight times the access itself: convert once, use often."""

Index = slice | Places
"""What selects tags in a vector of all of them; see `index_of`."""

# A site has a few hundred scan groups. The limit matters only for a driver that hands out a new
# read-only tag column with every batch: then everything is forgotten and worked out anew.
REMEMBERED_LIMIT = 1024


def index_of(tag: Int32s) -> Index:
    """What selects the tags of `tag`, shape (n,), in a vector of all tags, in this order.

    A slice (a view, no copy) where they are consecutive, else their places.
    """
    n = len(tag)
    if n == 0:
        return slice(0, 0)
    first = int(tag[0])
    if int(tag[-1]) - first == n - 1 and np.count_nonzero(tag[1:] > tag[:-1]) == n - 1:
        return slice(first, first + n)
    return tag.astype(np.intp)


def take(batch: Batch, at: Places) -> Batch:
    """The samples at the places `at`, in that order."""
    return Batch(batch.tag[at], batch.time[at], batch.value[at], batch.quality[at])


def stable_order(number: NDArray[np.integer[Any]], limit: int) -> Places:
    """`argsort` of integers 0 … limit − 1 that keeps equal ones in order; quick for small limits."""
    if limit <= 1 << 16:
        number = number.astype(np.uint16)  # sorted by radix: 11 ns each, not 28
    return number.argsort(kind="stable")


class Remembered(Generic[P]):
    """`build(tag)` for each tag column, remembered by identity for the read-only ones.

    `scan_group` makes read-only arrays and drivers put the very same one into every row, so a
    scan finds its plan with one dictionary access. A remembered column is kept alive: its id
    cannot come to mean another array.
    """

    def __init__(self, build: Callable[[Int32s], P]) -> None:
        self._build = build
        self._held: dict[int, tuple[Int32s, P]] = {}

    def __call__(self, tag: Int32s) -> P:
        """What `build` makes of `tag`, shape (n,)."""
        held = self._held.get(id(tag))
        if held is not None:
            return held[1]
        plan = self._build(tag)
        if not tag.flags.writeable:
            if len(self._held) >= REMEMBERED_LIMIT:
                self._held.clear()
            self._held[id(tag)] = (tag, plan)
        return plan

    def forget(self) -> None:
        """Work everything out anew, because what `build` looks at has changed."""
        self._held.clear()


def are_unique(places: Places, scratch: Places) -> bool:
    """True if no place occurs twice; `scratch`, one for each tag of the table, is overwritten.

    Writes each sample's number at its place and looks whether it is still there: a fifth of the
    time that sorting takes.
    """
    number = np.arange(len(places))
    scratch[places] = number
    return int(np.count_nonzero(scratch[places] == number)) == len(places)
