"""Rates: which ideal cycle of a product is in force at an instant (domain 2.9: by the date from which it is valid).

A job brings the ideal cycle that holds until the first version; from then on the versions do. As with jobs, pieces
reported at `t` were made up to `t`: those of the very instant of a version still have the one before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction

Versions = Mapping[str, Sequence[tuple[int, Fraction]]]
"""Product → (ns UTC from which it is valid, ideal cycle in seconds), by time."""


class Rates:
    """The versions of all products of one machine; without any, jobs are all that counts."""

    def __init__(self, versions: Versions | None = None) -> None:
        given = {product: sorted(many) for product, many in (versions or {}).items() if many}
        self._starts = {product: [t for t, _ in many] for product, many in given.items()}
        self._ideals = {product: [ideal for _, ideal in many] for product, many in given.items()}
        self._all = sorted({t for starts in self._starts.values() for t in starts})
        self.estimates: dict[str, tuple[int, Fraction]] = {}
        """product → since when its ideal cycle is estimated, exclusive, and what it is"""

    def put_estimate(self, product: str, t: int, ideal: Fraction) -> None:
        """Pieces of `product` reported after `t` have this ideal cycle, where nobody gives one; the first stays."""
        self.estimates[product] = min(self.estimates.get(product, (t, ideal)), (t, ideal))
        self._all = sorted({*self._all, t})

    def estimate(self, product: str, t: int) -> Fraction | None:
        """The estimate for pieces reported at `t`; None: there was none yet."""
        since, ideal = self.estimates.get(product, (t, None))
        return ideal if since < t else None

    def changes(self, start: int, end: int) -> list[int]:
        """Where within (start, end), both exclusive, the ideal cycle of any product may change."""
        return self._all[bisect_right(self._all, start) : bisect_left(self._all, end)]

    def ideal(self, product: str, t: int, of_job: Fraction) -> Fraction:
        """The ideal cycle of pieces reported at `t`, seconds; `of_job` until the first version."""
        starts = self._starts.get(product)
        at = bisect_left(starts, t) if starts else 0
        return self._ideals[product][at - 1] if at else of_job
