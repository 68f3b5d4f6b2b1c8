"""Report by exception: of all samples only those that say something new go on to the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Bytes, Floats, Int32s, Int64s, empty
from edge_agent.core.selection import Index, Places, Remembered, are_unique, index_of, stable_order, take
from edge_agent.core.tags import Kind, TagTable

# The quality of a tag's last report when there is none. No sample has it: class 3 does not exist.
_NO_REPORT: Final = 255

# From how many different tags on the samples of one turn are handled as columns (about 8 µs a
# turn) rather than one by one (about 0.5 µs each).
_LEAST_COLUMN: Final = 16

_NOTHING: Final = empty()

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the tags of a column stand, whether each stands there once, and their deadbands.

    `held`: value and quality of their last reports, as views, where the tags are consecutive, report
    every change and have no heartbeat: then a row is compared and noted as a whole.
    """

    index: Index
    unique: bool
    deadband: Floats | None  # None: all 0
    held: tuple[Floats, Bytes] | None


class Deadband:
    """Holds back samples of `table` that repeat what was last reported of their tag.

    A sample is reported if it is its tag's first, if its quality byte differs, or if its value is
    more than the tag's deadband away from the last *reported* value (with deadband 0: differs from
    it; NaN equals NaN). Bool and text have no deadband. `heartbeat_ns`: also if its time is at
    least that much later than the last report's.

    A driver may learn what a tag is (`Tag.kind`) when it connects: `refresh` after that.
    """

    def __init__(self, table: TagTable, heartbeat_ns: int | None = None) -> None:
        self._table = table
        self._heartbeat = heartbeat_ns
        self._value: Floats = np.zeros(len(table.places))
        self._quality: Bytes = np.full(len(table.places), _NO_REPORT, np.uint8)
        self._time: Int64s = np.zeros(len(table.places), np.int64)
        self._scratch: Places = np.zeros(len(table.places), np.intp)
        self._plans: Remembered[_Plan] = Remembered(self._plan)
        self.refresh()

    def refresh(self) -> None:
        """Look at the tags again, because their kinds may have changed."""
        self._deadband = np.array(
            [tag.deadband if tag.kind in (Kind.FLOAT, Kind.INT) else 0.0 for tag in self._table.places], np.float64
        )
        self._plans.forget()

    def forget(self, positions: Int32s | Sequence[int]) -> None:
        """Report the next sample of these tags whatever it is."""
        self._quality[np.asarray(positions, np.int32)] = _NO_REPORT

    def take_over(self, before: Deadband, at: Places) -> None:
        """Know of the tags at `at` what of them was reported last."""
        for mine, theirs in (
            (self._value, before._value), (self._quality, before._quality), (self._time, before._time),
        ):  # fmt: skip
            mine[at] = theirs[at]

    def filter(self, batch: Batch) -> Batch:
        """The samples to be reported, in their order: exactly as if taken one by one."""
        if not len(batch):
            return batch
        plan = self._plans(batch.tag)
        if plan.held is not None:
            return _row_news(batch, *plan.held)
        if isinstance(plan.index, slice) or plan.unique:
            at = self._news(plan.index, batch, plan.deadband)
        elif plan.deadband is None and self._heartbeat is None:
            at = self._changes(plan.index, batch)
        else:
            at = self._news_in_turns(plan.index, batch, plan.deadband)
        return batch if len(at) == len(batch) else take(batch, at)

    def _plan(self, tag: Int32s) -> _Plan:
        index = index_of(tag)
        deadband = self._deadband[index]
        unique = isinstance(index, slice) or are_unique(index, self._scratch)
        bands = deadband if deadband.any() else None
        held = None
        if isinstance(index, slice) and bands is None and self._heartbeat is None:
            held = self._value[index], self._quality[index]
        return _Plan(index, unique, bands, held)

    def _news(self, index: Index, batch: Batch, deadband: Floats | None) -> Places:
        """Places of the samples to report, no tag standing twice; notes them as reported."""
        mask = _differ(batch.value, self._value[index], deadband)
        mask |= batch.quality != self._quality[index]
        if self._heartbeat is not None:
            mask |= batch.time - self._time[index] >= self._heartbeat
        at = mask.nonzero()[0]
        if len(at):
            noted = at + index.start if isinstance(index, slice) else index[at]
            self._value[noted] = batch.value[at]
            self._quality[noted] = batch.quality[at]
            if self._heartbeat is not None:
                self._time[noted] = batch.time[at]
        return at

    def _changes(self, index: Places, batch: Batch) -> Places:
        """Like `_news` where tags stand several times and report every change: each differs from the one before."""
        order = stable_order(index, len(self._table.places))
        tag, value, quality = index[order], batch.value[order], batch.quality[order]
        goes_on = tag[1:] == tag[:-1]
        last_value, last_quality = self._value[tag], self._quality[tag]
        last_value[1:][goes_on] = value[:-1][goes_on]
        last_quality[1:][goes_on] = quality[:-1][goes_on]
        mask = _differ(value, last_value, None)
        mask |= quality != last_quality
        ends = np.append((~goes_on).nonzero()[0], len(tag) - 1)
        self._value[tag[ends]], self._quality[tag[ends]] = value[ends], quality[ends]
        return np.sort(order[mask])

    def _news_in_turns(self, index: Places, batch: Batch, deadband: Floats | None) -> Places:
        """Like `_news` where tags stand several times: first every tag's first sample, then the second …"""
        order = stable_order(index, len(self._table.places))
        tag = index[order]
        starts = np.concatenate(([0], (tag[1:] != tag[:-1]).nonzero()[0] + 1))
        turn = np.arange(len(tag)) - starts.repeat(np.diff(starts, append=len(tag)))
        by_turn = order[stable_order(turn, len(tag))]
        mask = np.zeros(len(tag), np.bool_)
        done = 0
        for size in np.bincount(turn).tolist():
            if size < _LEAST_COLUMN:
                break
            at = by_turn[done : done + size]
            bands = None if deadband is None else deadband[at]
            mask[at[self._news(index[at], take(batch, at), bands)]] = True
            done += size
        self._news_one_by_one(batch, np.sort(by_turn[done:]), mask)
        return mask.nonzero()[0]

    def _news_one_by_one(self, batch: Batch, at: Places, mask: Mask) -> None:
        """Decide the samples `at` in this order and set `mask` where one is to be reported."""
        tags, values, qualities = batch.tag[at].tolist(), batch.value[at].tolist(), batch.quality[at].tolist()
        times, bands = batch.time[at].tolist(), self._deadband[batch.tag[at]].tolist()
        held: dict[int, tuple[float, int, int]] = {}
        for place, tag, time, value, quality, band in zip(
            at.tolist(), tags, times, values, qualities, bands, strict=True
        ):
            last = held.get(tag)
            if last is None:
                last = held[tag] = (float(self._value[tag]), int(self._quality[tag]), int(self._time[tag]))
            if (
                quality != last[1]
                or _differs(value, last[0], band)
                or (self._heartbeat is not None and time - last[2] >= self._heartbeat)
            ):
                held[tag] = (value, quality, time)
                mask[place] = True
        for tag, (value, quality, time) in held.items():
            self._value[tag], self._quality[tag], self._time[tag] = value, quality, time


def _row_news(batch: Batch, value: Floats, quality: Bytes) -> Batch:
    """The samples that differ from what was last reported; notes them there.

    All are noted: those that are not reported are equal to what is held.
    """
    mask = batch.value != value
    changed = np.count_nonzero(mask)
    if changed and np.count_nonzero(batch.value == batch.value) != len(mask):
        mask &= (batch.value == batch.value) | (value == value)
        changed = np.count_nonzero(mask)
    if batch.quality.tobytes() != quality.tobytes():  # a third of the time of comparing arrays
        mask |= batch.quality != quality
        changed = np.count_nonzero(mask)
        quality[:] = batch.quality
    if not changed:
        return _NOTHING
    value[:] = batch.value
    return batch if changed == len(mask) else take(batch, mask.nonzero()[0])


def _differ(value: Floats, last: Floats, deadband: Floats | None) -> Mask:
    """More than the deadband apart, shape (n,); NaN equals NaN, and so does an infinity itself."""
    if deadband is None:
        mask: Mask = value != last
        if np.count_nonzero(mask):
            mask &= (value == value) | (last == last)
        return mask
    with np.errstate(invalid="ignore", over="ignore"):  # inf − inf, and differences past the largest float
        mask = ~(np.abs(value - last) <= deadband)
    if np.count_nonzero(mask):
        mask &= (value != last) & ((value == value) | (last == last))
    return mask


def _differs(value: float, last: float, deadband: float) -> bool:
    if value == last or (value != value and last != last):
        return False
    return not abs(value - last) <= deadband
