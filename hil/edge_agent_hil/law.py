"""How long something lasts: `5s` is exponential with that mean, `[3s, 8s]` is uniform between the two.

Every duration is drawn in whole microseconds, because that is the finest time stamp every face can
carry without rounding: an event's time on the wire is then exactly its time in the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated

from pydantic import PlainValidator

from edge_agent.core.quantity import duration_ns

MICROSECOND = 1_000


@dataclass(frozen=True, slots=True)
class Law:
    """A distribution of durations, ns; `low == high` is a fixed duration, `mean` is the exponential one."""

    low: int
    high: int
    mean: int = 0

    def draw(self, rng: Random) -> int:
        """One duration, ns, a multiple of 1 µs and never 0."""
        ns = rng.expovariate(1 / self.mean) if self.mean else rng.uniform(self.low, self.high)
        return whole(ns)


def whole(ns: float) -> int:
    """A duration rounded to whole microseconds, at least one."""
    return max(1, round(ns / MICROSECOND)) * MICROSECOND


def parse(value: object) -> Law:
    """`"5s"` or `["3s", "8s"]`; ValueError says what would be right."""
    if isinstance(value, str):
        return Law(0, 0, mean=_positive(value))
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(item, str) for item in value):
        low, high = _positive(value[0]), _positive(value[1])
        if low > high:
            raise ValueError("begins above its end; write the shorter duration first")
        return Law(low, high)
    raise ValueError("is not a duration law; write 5s (exponential, that mean) or [3s, 8s] (uniform between)")


def _positive(text: str) -> int:
    ns = duration_ns(text)
    if ns < MICROSECOND:
        raise ValueError("is too short; the shortest duration is 1us")
    return ns


LawField = Annotated[Law, PlainValidator(parse)]
