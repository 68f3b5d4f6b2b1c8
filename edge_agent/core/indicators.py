"""The six indicators of data quality (GB/T 36344-2018; domain 4.6) from plain counts, and their mean.

    conformity     规范性  samples that are what the tag dictionary says (type, vocabulary, range) / received
    completeness   完整性  time for which there was a sample / time observed
    accuracy       准确性  samples that are plausible (range, step, stuck, sensor, counter) / received
    consistency    一致性  checks between sources that held / checks made
    timeliness     时效性  samples received within the allowed age / samples whose age was judged
    accessibility  可访问性  reads that succeeded / reads attempted

The formulas X = A/B and the names are quoted from pages about the standard, not from its text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.quality import BAD, Reason

NAMES: Final = ("conformity", "completeness", "accuracy", "consistency", "timeliness", "accessibility")


class Row(IntEnum):
    """What is counted, of a tag or of all tags of a device together."""

    RECEIVED = 0        # samples with something in them
    ODD = 1             # of these: not of the type, vocabulary or range of the tag
    DOUBTED = 2         # of these: not plausible
    READ = 3            # reads that succeeded
    FAILED = 4          # reads that did not
    JUDGED = 5          # samples whose age at receipt was judged
    LATE = 6            # of these: too old
    CHECKED = 7         # checks between sources
    CONTRADICTED = 8    # of these: failed
    PRESENT = 9         # ms for which there was a sample, be it good or not
    GOOD = 10           # ms for which there was a good and fresh one
    OBSERVED = 11       # ms observed


ROWS: Final = len(Row)

_UNREAD: Final = (
    Reason.COMM_LOST, Reason.REFUSED, Reason.NO_ANSWER, Reason.GATEWAY, Reason.BUSY, Reason.GARBLED
)  # fmt: skip
_UNTRIED: Final = (Reason.STALE, Reason.AGENT_DOWN)
_ODD: Final = (Reason.NOT_A_NUMBER, Reason.UNMAPPED, Reason.OUT_OF_RANGE)
_DOUBTED: Final = (Reason.OUT_OF_RANGE, Reason.STUCK, Reason.SPIKE, Reason.DEVICE)


def _of_quality(reasons: Sequence[Reason]) -> NDArray[np.bool_]:
    """True for quality bytes that are not good for one of `reasons`; shape (256,)."""
    quality = np.arange(256)
    return np.asarray((quality >> 6 > 0) & np.isin(quality & 63, reasons))


UNREAD: Final = _of_quality(_UNREAD)
"""of each quality byte: the read brought nothing"""
HELD: Final = ~_of_quality((*_UNREAD, *_UNTRIED))
"""of each quality byte: there is a sample, good or not"""
ODD: Final = _of_quality(_ODD)
DOUBTED: Final = _of_quality(_DOUBTED)
assert not HELD[BAD | Reason.STALE]


@dataclass(frozen=True, slots=True)
class Indicators:
    """Shares from 0 to 1; None where nothing was there to be judged."""

    conformity: Fraction | None = None
    completeness: Fraction | None = None
    accuracy: Fraction | None = None
    consistency: Fraction | None = None
    timeliness: Fraction | None = None
    accessibility: Fraction | None = None

    def known(self) -> dict[str, Fraction]:
        """Those that could be judged, by name."""
        return {name: value for name in NAMES if (value := getattr(self, name)) is not None}

    @property
    def score(self) -> float | None:
        """DQ: the geometric mean of those known, 0 as soon as one is 0; None where none is known.

        Mostly it is consistency that is not known, because nothing tells the same thing twice: see `known`.
        """
        known = self.known().values()
        if not known:
            return None
        if not all(known):
            return 0.0
        return math.exp(math.fsum(math.log(value) for value in known) / len(known))


UNJUDGED: Final = Indicators()


def indicators(counts: Sequence[int], completeness: Fraction | None = None) -> Indicators:
    """From counts in the order of `Row`. Completeness is PRESENT/OBSERVED, at most 1, unless given."""
    received = counts[Row.RECEIVED]
    if completeness is None and counts[Row.OBSERVED]:
        completeness = min(Fraction(counts[Row.PRESENT], counts[Row.OBSERVED]), Fraction(1))
    return Indicators(
        conformity=_without(counts[Row.ODD], received),
        completeness=completeness,
        accuracy=_without(counts[Row.DOUBTED], received),
        consistency=_without(counts[Row.CONTRADICTED], counts[Row.CHECKED]),
        timeliness=_without(counts[Row.LATE], counts[Row.JUDGED]),
        accessibility=_without(counts[Row.FAILED], counts[Row.READ] + counts[Row.FAILED]),
    )


def quality_of(found: Indicators) -> dict[str, float | None]:
    """The six indicators and their mean, `score`, by name, JSON-safe."""
    known = found.known()
    return {**{name: float(known[name]) if name in known else None for name in NAMES}, "score": found.score}


def _without(wrong: int, of: int) -> Fraction | None:
    """1 − wrong/of; a counter's reading may be found implausible twice, and 0 is the least."""
    return Fraction(max(of - wrong, 0), of) if of else None
