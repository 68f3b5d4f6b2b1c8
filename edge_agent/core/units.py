"""Units: sets of tags that are judged together, which may overlap; sums over all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.core.batch import Int64s
from edge_agent.core.selection import Places


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """Tags by position, and the devices whose lines bring them."""

    id: str
    tags: Places
    devices: tuple[str, ...]


class Groups:
    """The tags of all units one after the other, a tag as often as units have it."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.sizes = np.array([len(unit.tags) for unit in units], np.int64)
        """how many tags each unit has"""
        self._tags = np.concatenate([np.zeros(0, np.intp), *(unit.tags for unit in units)])
        self._unit = np.repeat(np.arange(len(units)), self.sizes)
        self._some = self.sizes.nonzero()[0]        # NumPy cannot reduce what is empty
        self._first = (np.cumsum(self.sizes) - self.sizes)[self._some]

    def sums(self, counts: Int64s) -> Int64s:
        """Of `counts`, shape (rows, tags), the sums (rows, units)."""
        found = np.zeros((len(counts), len(self.sizes)), np.int64)
        if len(self._some):
            found[:, self._some] = np.add.reduceat(counts[:, self._tags], self._first, axis=1)
        return found

    def largest(self, values: Int64s) -> tuple[Int64s, Places]:
        """Of `values`, shape (tags,), none negative, the largest of each unit and its position; 0 of an empty one."""
        found = np.zeros(len(self.sizes), np.int64)
        at = np.zeros(len(self.sizes), np.intp)
        values = values[self._tags]
        if len(self._some):
            found[self._some] = np.maximum.reduceat(values, self._first)
        is_it = values == found[self._unit]
        at[self._unit[is_it]] = self._tags[is_it]
        return found, at
