"""Samples in any order in, slices in the order of time out; what does not fit into memory waits on disk.

Within an instant the tags are in the order of the table, and what is the very same sample once more is left out:
so the slices are the same whatever order the samples came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Int64s, concat
from edge_agent.core.selection import Places, stable_order, take
from edge_agent.core.tags import TagTable
from edge_agent.replay.history import Found

RUN: Final = 4 << 20        # samples sorted at once: 88 MB, and as much again while sorting
HELD: Final = 3             # so many sorted runs stay in memory
SLICE: Final = 1 << 20      # samples in a slice, about
_STEP: Final = 1 << 12      # one time in so many of a run is looked at to find where to cut


class Slice(NamedTuple):
    """Samples in the order of time; nothing that comes later is before `until`, ns UTC."""

    batch: Batch
    until: int


class Sorter:
    """Takes samples, then gives them back in order; `with` removes what waits on disk."""

    def __init__(self, table: TagTable, found: Found) -> None:
        self._table = table
        self._found = found
        self._folder: TemporaryDirectory[str] | None = None
        self._fresh: list[Batch] = []
        self._n_fresh = 0
        self._runs: list[Batch] = []
        self.first = self.last = 0
        """time of the first and the last sample; 0 without any"""
        self._samples: Int64s = np.zeros(len(table), np.int64)
        self._earliest: Int64s = np.full(len(table), np.iinfo(np.int64).max)
        self._latest: Int64s = np.full(len(table), np.iinfo(np.int64).min)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runs = []
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, batch: Batch) -> None:
        """More samples."""
        if not len(batch):
            return
        first, last = int(batch.time.min()), int(batch.time.max())
        is_first = not self._fresh and not self._runs
        self.first = first if is_first else min(self.first, first)
        self.last = last if is_first else max(self.last, last)
        self._samples += np.bincount(batch.tag, minlength=len(self._table))
        np.minimum.at(self._earliest, batch.tag, batch.time)
        np.maximum.at(self._latest, batch.tag, batch.time)
        self._fresh.append(batch)
        self._n_fresh += len(batch)
        if self._n_fresh >= RUN:
            self._end_run()

    def intervals(self) -> Int64s:
        """The mean time between the samples of each tag, ns, shape (tags,); 0 where there are no two."""
        several = self._samples > 1
        apart = np.where(several, self._latest, 0) - np.where(several, self._earliest, 0)
        found: Int64s = apart // np.maximum(self._samples - 1, 1)
        return found

    def _end_run(self) -> None:
        run = _by_time(concat(self._fresh))
        self._fresh, self._n_fresh = [], 0
        self._runs.append(run if len(self._runs) < HELD else self._put_away(run))

    def _put_away(self, run: Batch) -> Batch:
        """The same run, on disk: read back as it is needed."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="edge-agent-replay-")
        columns = []
        for name, column in (("tag", run.tag), ("time", run.time), ("value", run.value), ("quality", run.quality)):
            path = Path(self._folder.name) / f"{len(self._runs)}.{name}.npy"
            np.save(path, column)
            columns.append(np.load(path, mmap_mode="r"))
        return Batch(*columns)

    def slices(self) -> Iterator[Slice]:
        """All of them, in order."""
        if self._fresh:
            self._end_run()
        at = [0] * len(self._runs)
        for until in self._cuts():
            ends = [int(np.searchsorted(run.time, until)) for run in self._runs]
            pieces = [run.part(slice(low, high)) for run, low, high in zip(self._runs, at, ends, strict=True)]
            at = ends
            yield Slice(self._in_order(concat(pieces)), until)

    def _cuts(self) -> list[int]:
        """Where slices of about the wanted size end; the last is behind all samples."""
        if not self._runs:
            return []
        seen: Int64s = np.sort(np.concatenate([run.time[::_STEP] for run in self._runs]))
        cuts = np.unique(seen[:: SLICE // _STEP][1:]).tolist()
        return [*cuts, self.last + 1]

    def _in_order(self, batch: Batch) -> Batch:
        order = stable_order(batch.tag, len(self._table))
        order = order[batch.time[order].argsort(kind="stable")]
        batch = take(batch, order)
        same = (batch.time[1:] == batch.time[:-1]) & (batch.tag[1:] == batch.tag[:-1])
        return self._without_repetition(batch, same) if same.any() else batch

    def _without_repetition(self, batch: Batch, same: NDArray[np.bool_]) -> Batch:
        """Of samples of one tag at one instant each once, in an order that does not depend on their coming."""
        group = np.concatenate(([0], np.cumsum(~same)))
        rank = self._ranks(batch)
        order = np.lexsort((rank, batch.quality, group))
        batch, group, rank = take(batch, order), group[order], rank[order]
        alike = np.concatenate(([False], (group[1:] == group[:-1]) & (batch.quality[1:] == batch.quality[:-1])))
        alike[1:] &= (rank[1:] == rank[:-1]) | (np.isnan(rank[1:]) & np.isnan(rank[:-1]))
        self._found.repeated += int(alike.sum())
        kept: Places = (~alike).nonzero()[0]
        self._found.contradicting += len(kept) - len(np.unique(group))
        return take(batch, kept)

    def _ranks(self, batch: Batch) -> NDArray[np.float64]:
        """What values are ordered by: numbers by themselves, texts by their letters, not by their codes."""
        rank = batch.value
        for tag in np.unique(batch.tag).tolist():
            texts = self._table[tag].vocabulary.texts
            if not texts:
                continue
            place = np.empty(len(texts))
            place[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts))
            here = (batch.tag == tag) & np.isfinite(batch.value)
            if rank is batch.value:
                rank = rank.copy()
            rank[here] = place[batch.value[here].astype(np.intp)]
        return rank


def _by_time(batch: Batch) -> Batch:
    if not np.count_nonzero(batch.time[1:] < batch.time[:-1]):
        return batch
    return take(batch, batch.time.argsort(kind="stable"))
