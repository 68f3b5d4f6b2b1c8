"""Jobs: which product a machine made, and for which order, from when on; told in any order."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from edge_agent.core.pieces import Job, job
from edge_agent.core.steps import Steps


class JobSpan(NamedTuple):
    """`product` was made from `start` until `end`, ns UTC, for the order of number `order`; `end` None: still is."""

    start: int
    end: int | None
    product: str
    order: str


class Jobs:
    """Two step functions, for the two come from different tags: what is made, and the number of the order."""

    def __init__(self) -> None:
        self.made: Steps[Job] = Steps()
        self.numbers: Steps[str] = Steps()

    def spans(self, start: int, end: int, as_of: int | None = None) -> list[JobSpan]:
        """The jobs that overlap [start, end), whole as far as they are remembered, in time order.

        The time before the first has none.
        """
        found: list[JobSpan] = []
        for t in sorted({*self.made.times, *self.numbers.times}):
            if t >= end or (as_of is not None and t > as_of):
                break
            made, number = self.made.at(t), self.numbers.at(t) or ""
            product = made.product if made else ""
            if found and (found[-1].product, found[-1].order) == (product, number):
                continue
            if found:
                found[-1] = found[-1]._replace(end=t)
            found.append(JobSpan(t, None, product, number))
        following = self._next(found[-1], end) if found else None
        if following is not None and (as_of is None or following <= as_of):
            found[-1] = found[-1]._replace(end=following)
        return [span for span in found if span.end is None or span.end > start]

    def _next(self, last: JobSpan, at: int) -> int | None:
        """Where the job that reaches across `at` ends."""
        for t in sorted({*self.made.changes(at - 1, 1 << 62), *self.numbers.changes(at - 1, 1 << 62)}):
            made = self.made.at(t)
            if (made.product if made else "", self.numbers.at(t) or "") != (last.product, last.order):
                return t
        return None

    def drop_before(self, t: int) -> None:
        """Forget what no longer matters from `t` on."""
        self.made.drop_before(t)
        self.numbers.drop_before(t)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        return {
            "jobs": [
                [t, one.product, str(one.ideal) if one.rated else None, one.order, str(one.scrap), one.estimated,
                 one.units]
                for t, one in zip(self.made.times, self.made.values, strict=True)
            ],
            "numbers": [[t, v] for t, v in zip(self.numbers.times, self.numbers.values, strict=True)],
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """What `snapshot` gave, also that of earlier versions."""
        for t, product, ideal, order, *more in data["jobs"]:
            rated = None if ideal is None else Fraction(ideal)
            told = dict(zip(("scrap", "estimated", "units"), more, strict=False))
            scrap = Fraction(told.pop("scrap", "0"))
            self.made.put(t, job(product, rated, order, scrap, **told))
        for t, number in data.get("numbers", ()):
            self.numbers.put(t, number)
