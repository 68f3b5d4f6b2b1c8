"""What only the history says of its tags: whether they hold numbers or texts, and how often they were read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Int64s
from edge_agent.core.tags import Kind
from edge_agent.replay.history import number
from edge_agent.replay.plan import Plan

# Readings of a counter are so many times the mean interval apart at most, as a rule.
_SPARSE: Final = 4
_SECOND: Final = 1_000_000_000


def settle_kinds(plan: Plan) -> Callable[[Batch], Batch]:
    """Call it when everything was read (open tags as texts); it gives what makes final samples of those read.

    A tag all of whose texts are numbers holds numbers; any other holds texts, as its `kind` says from now on.
    """
    numbers: dict[int, NDArray[np.float64]] = {}
    for position in sorted(plan.open):
        tag = plan.table[position]
        read = [number(text) for text in tag.vocabulary.texts]
        if None in read:
            tag.kind = Kind.TEXT
        else:
            tag.kind = Kind.FLOAT
            numbers[position] = np.array(read, np.float64)

    def final(batch: Batch) -> Batch:
        value = batch.value
        for position, meant in numbers.items():
            here = (batch.tag == position) & np.isfinite(batch.value)
            if here.any():
                value = value.copy() if value is batch.value else value
                value[here] = meant[batch.value[here].astype(np.intp)]
        return batch if value is batch.value else Batch(batch.tag, batch.time, value, batch.quality)

    return final


def settle_silences(plan: Plan, intervals: Int64s) -> None:
    """Counters may be silent for some `intervals`, the mean between their samples in ns, shape (tags,).

    A history may be coarser than the agent polls: then what comes at once was not made at once. Never so long
    that a register may have gone round meanwhile.
    """
    for spec in plan.specs:
        for source, tag in spec.counts.items():
            silence = _SPARSE * int(intervals[tag.position])
            counter = spec.counters[source]()
            if counter.bits is not None and counter.max_rate:
                silence = min(silence, int((_SECOND << counter.bits - 1) / counter.max_rate))
            tag.stale_ns = max(tag.stale_ns, silence)
