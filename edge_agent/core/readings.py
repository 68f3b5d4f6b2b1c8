"""The live side of a machine's meters and gauges: from samples to facts.

Meters are judged reading by reading, as counters are. What gauges show is taken over in columns: what is a
measurement is worked out where all of it is known, in `core.measures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from edge_agent.core.batch import Batch
from edge_agent.core.meter import Meter, MeterSpec
from edge_agent.core.quality import UNCERTAIN
from edge_agent.core.tags import Tag

Found = tuple[str, list[Any], bool]
"""Method of the ledger, its arguments, and whether it takes the place of what was told before."""


class Gauge(NamedTuple):
    """Where the values of the characteristic `name` come from, and what tells that there is a new one."""

    name: str
    tag: Tag
    trigger: Tag | None = None


class Readings:
    """Feed it batches, note what it finds."""

    def __init__(self, meters: Sequence[tuple[Tag, MeterSpec]], gauges: Sequence[Gauge]) -> None:
        self._meters = [(tag.position, Meter(spec, tag.stale_ns)) for tag, spec in meters]
        self._gauges = [(gauge.tag.position, gauge.name, False) for gauge in gauges]
        self._gauges += [(gauge.trigger.position, gauge.name, True) for gauge in gauges if gauge.trigger]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._meters or self._gauges)

    def feed(self, batch: Batch) -> Iterator[Found]:
        """What the samples of the meters' and gauges' tags say; others are passed over."""
        usable = (batch.quality < UNCERTAIN) & np.isfinite(batch.value)
        for position, name, is_trigger in self._gauges:
            its = batch.tag == position
            if its.any():
                rows = zip(batch.time[its].tolist(), batch.value[its].tolist(), usable[its].tolist(), strict=True)
                yield "measure", [name, [[t, x if good else None] for t, x, good in rows], is_trigger], False
        for position, meter in self._meters:
            its = batch.tag == position
            rows = zip(batch.time[its].tolist(), batch.value[its].tolist(), usable[its].tolist(), strict=True)
            for t, x, good in rows:
                yield from _taken(meter, t, meter.spec.steps(x) if good else None)

    def take_news(self) -> bool:
        """Whether something has changed that a restart must know, though nothing was found."""
        news = any(meter.is_news for _, meter in self._meters)
        for _, meter in self._meters:
            meter.is_news = False
        return news

    def gaps(self) -> list[int]:
        """Since when meters have not been readable, of those that are not."""
        return [meter.gap for _, meter in self._meters if meter.gap is not None]

    def was_away(self, ended: int) -> Iterator[Found]:
        """The agent did not run from `ended` on: the registers could not be read."""
        for _, meter in self._meters:
            if meter.counter.known_at > -(1 << 62):
                yield from _taken(meter, max(ended, meter.counter.known_at + 1), None)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe: where each register stands."""
        return {m.spec.name: [m.spec.same_as(), m.counter.snapshot(), m.gap] for _, m in self._meters}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Go on where the snapshot was taken, with the registers that are still the same."""
        for _, meter in self._meters:
            same_as, snapshot, gap = data.get(meter.spec.name, (None, None, None))
            if same_as == meter.spec.same_as():
                meter.restore(snapshot, gap)


def _taken(meter: Meter, t: int, steps: int | None) -> Iterator[Found]:
    for one in meter.take(t, steps):
        amount = meter.spec.millijoules(one.increment)
        since = one.time if one.since is None else one.since
        yield "energy", [one.time, meter.spec.name, amount, since, one.mark], one.again
