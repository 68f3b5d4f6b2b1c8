"""The ring: the newest samples of every tag, in memory that is bounded from the start.

Two stores side by side, because one layout cannot be quick for both kinds of batch:

* a scan group (the tags one request round answers together, see `tags.scan_group`) has a
  time-major matrix: value float64 (N, T), quality uint8 (N, T), time int64 (N,), with N a power
  of two. A scan is written as one row, six to nine times cheaper than scattering it;
* every other batch (subscriptions, comm-lost marks, a group's row whose samples do not share one
  time) goes to the change log, four columns that wrap together.

Beside them stand the last values of all tags. The newest row of a group is carried over to them
only when they are asked for, or before a change of the same tags; a scan then costs no more than
its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Bytes, Floats, Int32s, Int64s
from edge_agent.core.quality import BAD
from edge_agent.core.selection import Places, index_of, take

NEVER: Final = int(np.iinfo(np.int64).min)
"""The time of the last value of a tag that has had no sample."""

_ROW_BYTES: Final = 9  # of one tag in one row: value 8, quality 1; the row's time is 8 more
_CHANGE_BYTES: Final = 21  # tag 4, time 8, value 8, quality 1
_TAG_BYTES: Final = 21  # last value 8, its time 8, its quality 1, number of the tag's group 4
_LEAST_ROWS: Final = 2
_LEAST_CHANGES: Final = 64


class Latest(NamedTuple):
    """The last value of every tag: columns of shape (number of tags,), read-only.

    They are the ring's own, true until the next `append`: copy what is to be kept. A tag that has
    had no sample has the time `NEVER`, value NaN and quality BAD.
    """

    value: Floats
    time: Int64s
    quality: Bytes


class _Group:
    """The rows of one scan group; row `written & (N − 1)` is the next to be written."""

    __slots__ = ("index", "mask", "newest", "newest_time", "quality", "tag", "time", "value", "written")

    def __init__(self, tag: Int32s, rows: int) -> None:
        self.tag = tag
        self.index = index_of(tag)
        self.mask = rows - 1
        self.value: Floats = np.empty((rows, len(tag)))
        self.quality: Bytes = np.empty((rows, len(tag)), np.uint8)
        self.time: Int64s = np.empty(rows, np.int64)
        self.written = 0
        self.newest = -1  # the row not yet carried over to the last values; −1: none
        self.newest_time = 0

    def bytes(self) -> int:
        return self.value.nbytes + self.quality.nbytes + self.time.nbytes


class Ring:
    """The last samples of `n_tags` tags in at most `bytes_max` bytes.

    `groups` are the tag columns of the scan groups: the very arrays that the drivers put into
    their rows, kept alive here. ValueError: a tag stands twice in them, or `bytes_max` is too
    small for even the shortest ring.
    """

    def __init__(self, n_tags: int, groups: Sequence[Int32s], bytes_max: int) -> None:
        self._group_of: Int32s = np.full(n_tags, -1, np.int32)
        grouped = _number_groups(self._group_of, groups)
        rows, changes = _share(n_tags, grouped, len(groups), bytes_max)
        self._groups = [_Group(tag, rows) for tag in groups]
        self._by_id = {id(group.tag): group for group in self._groups}
        self._log = _columns(changes)
        self._logged = 0  # changes ever written; the next goes to `_logged % changes`
        self._last = Latest(
            np.full(n_tags, np.nan), np.full(n_tags, NEVER, np.int64), np.full(n_tags, BAD, np.uint8)
        )
        self._shown = Latest(self._last.value.view(), self._last.time.view(), self._last.quality.view())
        for column in self._shown:
            column.flags.writeable = False
        self.rows: Final = rows
        """How many scans of each group fit."""
        self.changes: Final = changes
        """How many samples of the change log fit."""

    @property
    def memory_bytes(self) -> int:
        """Bytes of all arrays, used or not; they never grow."""
        log, last = self._log, self._last
        fixed = sum(a.nbytes for a in (log.tag, log.time, log.value, log.quality, *last, self._group_of))
        return fixed + sum(group.bytes() for group in self._groups)

    @property
    def latest(self) -> Latest:
        """The last value of every tag by source time; a later arrival wins over one of the same time."""
        for group in self._groups:
            self._settle(group)
        return self._shown

    def take_over(self, before: Ring, at: Places) -> None:
        """Hold what `before` holds of the tags at `at`, which have the same places and groups there; the newest of
        it, if there is less room here."""
        for group in self._groups:
            held = before._by_id.get(id(group.tag))
            if held is not None:
                before._settle(held)
                group.written = n = min(held.written, before.rows, self.rows)
                rows = np.arange(held.written - n, held.written) & held.mask
                group.time[:n] = held.time[rows]
                group.value[:n], group.quality[:n] = held.value[rows], held.quality[rows]
        wanted = np.zeros(len(before._group_of), np.bool_)
        wanted[at] = True
        filled = min(before._logged, before.changes)
        rows = _by_arrival(wanted[before._log.tag[:filled]], before._logged, before.changes)[-self.changes :]
        self._write_log(take(before._log, rows))
        latest = before.latest
        self._last.value[at], self._last.time[at] = latest.value[at], latest.time[at]
        self._last.quality[at] = latest.quality[at]

    def append(self, batch: Batch) -> None:
        """Take up all samples of `batch`; the oldest make room."""
        group = self._by_id.get(id(batch.tag))
        if group is not None and _is_one_row(batch.time):
            self._append_row(group, batch)
        elif len(batch):
            self._append_changes(batch)

    def window(self, position: int, start: int, end: int) -> tuple[Int64s, Floats, Bytes]:
        """Time, value and quality of one tag's samples in [start, end), ns UTC, in time order.

        Samples of the same time stand in the order of their arrival, a scan's before the log's.
        """
        times, values, qualities = [], [], []
        number = int(self._group_of[position])
        if number >= 0:
            group = self._groups[number]
            held = min(group.written, self.rows)
            inside = (group.time[:held] >= start) & (group.time[:held] < end)
            rows = _by_arrival(inside, group.written, self.rows)
            column = int((group.tag == position).nonzero()[0][0])
            times.append(group.time[rows])
            values.append(group.value[rows, column])
            qualities.append(group.quality[rows, column])
        log = self._log
        held = min(self._logged, self.changes)
        at = _by_arrival(log.tag[:held] == position, self._logged, self.changes)
        at = at[(log.time[at] >= start) & (log.time[at] < end)]
        times.append(log.time[at])
        values.append(log.value[at])
        qualities.append(log.quality[at])
        return _in_time_order(np.concatenate(times), np.concatenate(values), np.concatenate(qualities))

    def _append_row(self, group: _Group, batch: Batch) -> None:
        row = group.written & group.mask
        if row == group.newest:
            self._settle(group)
        time = int(batch.time[0])
        group.time[row] = time
        group.value[row] = batch.value
        group.quality[row] = batch.quality
        group.written += 1
        if group.newest < 0 or time >= group.newest_time:
            group.newest, group.newest_time = row, time

    def _append_changes(self, batch: Batch) -> None:
        at = batch.tag.astype(np.intp)
        for number in self._groups_of(at):
            self._settle(self._groups[number])
        self._write_log(batch)
        if np.count_nonzero(batch.time[1:] < batch.time[:-1]):
            batch = take(batch, batch.time.argsort(kind="stable"))
            at = batch.tag.astype(np.intp)
        late = batch.time < self._last.time[at]
        if np.count_nonzero(late):
            kept = (~late).nonzero()[0]
            batch, at = take(batch, kept), at[kept]
        # Where a tag stands several times, its last sample is the one that remains.
        self._last.value[at] = batch.value
        self._last.time[at] = batch.time
        self._last.quality[at] = batch.quality

    def _write_log(self, batch: Batch) -> None:
        skipped = max(len(batch) - self.changes, 0)  # of a batch longer than the log, the end
        at = (self._logged + skipped) % self.changes
        first = min(len(batch) - skipped, self.changes - at)
        log = self._log
        for held, new in (
            (log.tag, batch.tag),
            (log.time, batch.time),
            (log.value, batch.value),
            (log.quality, batch.quality),
        ):
            held[at : at + first] = new[skipped : skipped + first]
            held[: len(batch) - skipped - first] = new[skipped + first :]
        self._logged += len(batch)

    def _groups_of(self, at: Places) -> set[int]:
        """Numbers of the groups of the tags at `at`; none if there are no groups at all."""
        if not self._groups:
            return set()
        return set(self._group_of[at].tolist()) - {-1}

    def _settle(self, group: _Group) -> None:
        """Carry the group's newest row over to the last values, except where these are newer."""
        if group.newest < 0:
            return
        value, quality = group.value[group.newest], group.quality[group.newest]
        index, time = group.index, group.newest_time
        late = self._last.time[index] > time
        if np.count_nonzero(late):
            kept = (~late).nonzero()[0]
            index, value, quality = group.tag[kept].astype(np.intp), value[kept], quality[kept]
        self._last.value[index] = value
        self._last.time[index] = time
        self._last.quality[index] = quality
        group.newest = -1


def _columns(n: int) -> Batch:
    return Batch(np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n), np.empty(n, np.uint8))


def _number_groups(group_of: Int32s, groups: Sequence[Int32s]) -> int:
    """Write each grouped tag's group number into `group_of`; how many tags that are."""
    grouped = 0
    for number, tag in enumerate(groups):
        if len(np.unique(tag)) != len(tag) or (group_of[tag] >= 0).any():
            raise ValueError("a tag stands twice in the scan groups")
        group_of[tag] = number
        grouped += len(tag)
    return grouped


def _share(n_tags: int, grouped: int, groups: int, bytes_max: int) -> tuple[int, int]:
    """Rows of every group and length of the change log: together at most `bytes_max`.

    The rows get seven eighths of what is left beside the last values, or less where many tags
    stand in no group; rounding them down to a power of two leaves the rest to the log.
    """
    left = bytes_max - n_tags * _TAG_BYTES
    row_bytes = grouped * _ROW_BYTES + groups * 8
    least = _LEAST_ROWS * row_bytes + _LEAST_CHANGES * _CHANGE_BYTES
    if left < least:
        raise ValueError(f"a ring of {n_tags} tags needs at least {bytes_max - left + least} bytes")
    if row_bytes == 0:
        return _LEAST_ROWS, left // _CHANGE_BYTES
    for_rows = left * min(7 * n_tags, 8 * grouped) // (8 * n_tags)
    for_rows = min(for_rows, left - _LEAST_CHANGES * _CHANGE_BYTES)
    rows = max(1 << (max(for_rows // row_bytes, 1).bit_length() - 1), _LEAST_ROWS)
    return rows, (left - rows * row_bytes) // _CHANGE_BYTES


def _is_one_row(time: Int64s) -> bool:
    """All the same time; bytes are compared a fifth as long as integers in rows of a hundred."""
    return len(time) > 0 and time[:1].tobytes() * len(time) == time.tobytes()


def _by_arrival(mask: NDArray[np.bool_], written: int, capacity: int) -> Places:
    """Places where `mask` is true, oldest arrival first, in a store that has had `written` entries."""
    at = mask.nonzero()[0]
    if written <= capacity:
        return at
    oldest = int(np.searchsorted(at, written % capacity))
    return np.concatenate((at[oldest:], at[:oldest]))


def _in_time_order(time: Int64s, value: Floats, quality: Bytes) -> tuple[Int64s, Floats, Bytes]:
    if not np.count_nonzero(time[1:] < time[:-1]):
        return time, value, quality
    order = time.argsort(kind="stable")
    return time[order], value[order], quality[order]
