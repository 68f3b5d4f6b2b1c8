"""A batch: many samples in four columns, the unit of everything that flows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n samples; all columns have shape (n,). 21 bytes a sample.

    tag      int32    position in the TagTable
    time     int64    source time, ns UTC
    value    float64  number, 0/1 for bool, code in the tag's vocabulary for text; NaN if there is none
    quality  uint8    see `quality`

    A batch is a whole poll or all that a subscription has queued, never one sample. Nobody
    changes the arrays of a batch: drivers hand out fresh ones, except `tag`, which a scan group
    shares between all its rows (see `TagTable` and `Ring`), and the quality of rows that are `good`.
    """

    tag: Int32s
    time: Int64s
    value: Floats
    quality: Bytes

    def __len__(self) -> int:
        return len(self.tag)

    def where(self, mask: NDArray[np.bool_]) -> Batch:
        """The samples where `mask`, shape (n,), is true; the batch itself if that is all of them."""
        if mask.all():
            return self
        return Batch(self.tag[mask], self.time[mask], self.value[mask], self.quality[mask])

    def part(self, rows: slice) -> Batch:
        """The samples of a slice, without copying."""
        return Batch(self.tag[rows], self.time[rows], self.value[rows], self.quality[rows])


@lru_cache(1024)
def good(n: int) -> Bytes:
    """The quality of n plainly good samples: read-only, each time the same array."""
    quality = np.zeros(n, np.uint8)
    quality.flags.writeable = False
    return quality


def row(tag: Int32s, time_ns: int, value: Floats, quality: Bytes | None = None) -> Batch:
    """One scan: all tags at one time; quality good unless given."""
    time = np.empty(len(tag), np.int64)
    time.fill(time_ns)      # twice as fast as np.full, which is Python inside; this runs once a scan
    return Batch(tag, time, value, good(len(tag)) if quality is None else quality)


def empty() -> Batch:
    """No samples: from a session that reports by exception it means "still there, nothing changed"."""
    return Batch(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))


def concat(batches: Sequence[Batch]) -> Batch:
    """All samples of `batches`, in their order."""
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return empty()
    return Batch(
        np.concatenate([b.tag for b in batches]),
        np.concatenate([b.time for b in batches]),
        np.concatenate([b.value for b in batches]),
        np.concatenate([b.quality for b in batches]),
    )
