"""From raw values to values worth using: scaled, and marked bad where they cannot be true."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Bytes, Floats, Int32s, Int64s
from edge_agent.core.moves import Moves
from edge_agent.core.quality import BAD, Reason, bad, uncertain
from edge_agent.core.selection import Places, Remembered, index_of
from edge_agent.core.tags import Kind, TagTable

# Numerator and denominator up to here multiply and divide every raw value of 32 bits exactly.
_EXACT: Final = 1 << 21


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done to a tag column of shape (n,); None: nothing. All vectors have shape (n,)."""

    multiplier: Floats | None
    divisor: Floats | None
    offset: Floats | None
    low: Floats | None
    high: Floats | None


class Cleaner:
    """Scales and checks the samples of `table`; 40 ns a sample in rows of 200, 10 in rows of 1000.

    value = raw × scale + offset for numbers; bool and text stay as they are. A scale is taken as
    the decimal that was written: 234 × 0.1 is 23.4, where the product of the two floats would be
    23.400000000000002 (the result is the float next to the true one, which also is the shortest
    to send and to store).

    A driver may learn what a tag is (`Tag.kind`) when it connects: `refresh` after that.
    """

    def __init__(self, table: TagTable) -> None:
        self._table = table
        self._plans: Remembered[_Plan] = Remembered(self._plan)
        self._moves = Moves(table)
        self.counts: dict[Reason, int] = {
            Reason.NOT_A_NUMBER: 0, Reason.UNMAPPED: 0, Reason.OUT_OF_RANGE: 0, Reason.SPIKE: 0, Reason.STUCK: 0,
        }  # fmt: skip
        """How many samples were marked here, by reason."""
        self.refresh()

    def refresh(self) -> None:
        """Look at the tags again, because their kinds may have changed."""
        numbers = [tag.kind in (Kind.FLOAT, Kind.INT) for tag in self._table.places]
        scales = [_ratio(t.scale) if n else (1.0, 1.0) for t, n in zip(self._table.places, numbers, strict=True)]
        # x + −0.0 is x for every x; x + 0.0 would turn −0.0 into 0.0
        offsets = [t.offset if n and t.offset else -0.0 for t, n in zip(self._table.places, numbers, strict=True)]
        self._multiplier = np.array([multiplier for multiplier, _ in scales], np.float64)
        self._divisor = np.array([divisor for _, divisor in scales], np.float64)
        self._offset = np.array(offsets, np.float64)
        self._low = np.array([tag.low for tag in self._table.places], np.float64)
        self._high = np.array([tag.high for tag in self._table.places], np.float64)
        self._text = np.array([tag.kind is Kind.TEXT for tag in self._table.places], np.bool_)
        self._plans.forget()
        self._moves.refresh()

    def take_over(self, before: Cleaner, at: Places) -> None:
        """Know of the tags at `at` how they moved, and count on."""
        self.counts = before.counts
        self._moves.take_over(before._moves, at)

    def clean(self, batch: Batch) -> Batch:
        """The samples of `batch` with final values and qualities, as many and in the same order.

        NaN or infinite → BAD|NOT_A_NUMBER (a text without a code: BAD|UNMAPPED); outside the tag's
        range → BAD|OUT_OF_RANGE, a move that the tag does not make → see `moves`; the value is kept. Samples
        that come bad keep their quality. The `tag` column is the very same array, and so is every column that does
        not change.
        """
        plan = self._plans(batch.tag)
        value = _scaled(batch.value, plan)
        ok = np.isfinite(value)
        if plan.low is not None:
            ok &= value >= plan.low
        if plan.high is not None:
            ok &= value <= plan.high
        quality = batch.quality
        if np.count_nonzero(ok) != len(ok):
            quality = self._marked(batch.tag, value, quality, ok)
        if value is not batch.value or quality is not batch.quality:
            batch = Batch(batch.tag, batch.time, value, quality)
        return self._moved(batch) if self._moves.any else batch

    def stuck(self, seen: Int64s) -> Batch | None:
        """What is to be said of tags that have not changed for too long; see `Moves.stuck`. Clean already."""
        batch = self._moves.stuck(seen)
        self.counts[Reason.STUCK] += 0 if batch is None else len(batch)
        return batch

    def _moved(self, batch: Batch) -> Batch:
        quality = self._moves.judge(batch)
        if quality is batch.quality:
            return batch
        new = quality[quality != batch.quality]
        self.counts[Reason.SPIKE] += int(np.count_nonzero(new == bad(Reason.SPIKE)))
        self.counts[Reason.STUCK] += int(np.count_nonzero(new == uncertain(Reason.STUCK)))
        return Batch(batch.tag, batch.time, batch.value, quality)

    def _marked(self, tag: Int32s, value: Floats, quality: Bytes, ok: NDArray[np.bool_]) -> Bytes:
        wrong = (~ok & (quality < BAD)).nonzero()[0]
        if not len(wrong):
            return quality
        finite = np.isfinite(value[wrong])
        text = self._text[tag[wrong]]
        marks = np.where(
            finite,
            np.uint8(bad(Reason.OUT_OF_RANGE)),
            np.where(text, np.uint8(bad(Reason.UNMAPPED)), np.uint8(bad(Reason.NOT_A_NUMBER))),
        )
        for reason in self.counts:
            self.counts[reason] += int(np.count_nonzero(marks == bad(reason)))
        quality = quality.copy()
        quality[wrong] = marks
        return quality

    def _plan(self, tag: Int32s) -> _Plan:
        index = index_of(tag)
        offset = self._offset[index]
        return _Plan(
            _unless(self._multiplier[index], 1.0),
            _unless(self._divisor[index], 1.0),
            offset if offset.any() else None,
            _unless(self._low[index], -np.inf),
            _unless(self._high[index], np.inf),
        )


def _scaled(raw: Floats, plan: _Plan) -> Floats:
    """raw × multiplier ÷ divisor + offset; `raw` itself if there is nothing to do."""
    if plan.multiplier is None and plan.divisor is None and plan.offset is None:
        return raw
    with np.errstate(over="ignore", invalid="ignore"):  # the result is checked: it is marked, not warned of
        value = raw * 1.0 if plan.multiplier is None else raw * plan.multiplier
        if plan.divisor is not None:
            value /= plan.divisor
        if plan.offset is not None:
            value += plan.offset
    return value


def _ratio(scale: float) -> tuple[float, float]:
    """Multiplier and divisor that make up `scale` exactly as written; (scale, 1) if that is too long."""
    if not np.isfinite(scale):
        return scale, 1.0
    written = Fraction(repr(float(scale)))
    if abs(written.numerator) <= _EXACT and written.denominator <= _EXACT:
        return float(written.numerator), float(written.denominator)
    return scale, 1.0


def _unless(vector: Floats, neutral: float) -> Floats | None:
    return None if bool((vector == neutral).all()) else vector
