"""What the hours of a unit amount to: which sums an hour has, and `Seen`, the figures made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from edge_agent.core.batch import Int64s
from edge_agent.core.indicators import UNJUDGED, Indicators, Row, indicators
from edge_agent.core.kpi import ratio

# Rows of an hour's slot: milliseconds (of present and expected: tag-milliseconds), then numbers of samples; then,
# behind those of version 0.1, what the other indicators count.
OBSERVED, CONNECTED, ONLINE, DELIVERED, PRESENT, EXPECTED, LATE, JUDGED = range(8)
SUMMED: Final = slice(0, Row.GOOD)
"""the counters of tags that go into a slot: received, odd, doubted, read, failed, judged, late, checked, contradicted
and present"""
SUMMED_TO: Final = [8, 9, 10, 11, 12, JUDGED, LATE, 13, 14, PRESENT]
"""and where they go"""
SLOT_ROWS: Final = 15


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one unit in the window; ratios are 0 to 1.

    `last_good`: ns UTC of the last good sample, None if there never was one; `last_tag`: the position of its tag.
    """

    connected: bool = False
    delivered: bool = False
    online: Fraction = Fraction(0)
    completeness: Fraction = Fraction(0)
    timeliness: Fraction = Fraction(0)
    last_good: int | None = None
    last_tag: int | None = None
    quality: Indicators = UNJUDGED


NOTHING: Final = Seen()


def over_hours(slots: Int64s) -> Int64s:
    """The sums (rows, units) of slots (hours, rows, units); an hour with too many samples makes up for no other."""
    sums: Int64s = slots.sum(axis=0)
    sums[PRESENT] = np.minimum(slots[:, PRESENT], slots[:, EXPECTED]).sum(axis=0)
    return sums


def of(sums: Sequence[int], last_good: int, last_tag: int) -> Seen:
    """The figures of one unit; `last_good` is 0 if there never was a good sample."""
    counts = [*(sums[row] for row in SUMMED_TO), 0, 0]
    completeness, online = ratio(sums[PRESENT], sums[EXPECTED]), sums[ONLINE]
    quality = indicators(counts, completeness)
    # What brings no samples because nothing changes is on time.
    on_time = Fraction(online > 0) if quality.timeliness is None else quality.timeliness
    return Seen(
        connected=sums[CONNECTED] > 0,
        delivered=sums[DELIVERED] > 0,
        online=ratio(online, sums[OBSERVED]) or Fraction(0),
        completeness=completeness or Fraction(0),
        timeliness=on_time,
        last_good=last_good or None,
        last_tag=last_tag if last_good else None,
        quality=quality,
    )
