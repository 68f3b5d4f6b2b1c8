"""Machine and process capability of a characteristic (ISO 22400-2 rows 18 to 21; Pp and Ppk besides).

`Cp`, `Cpk` rest on the spread within subgroups, estimated from the mean standard deviation (s̄/c₄) or the mean range
(R̄/d₂); `Pp`, `Ppk` on the spread of all values. `Cm`, `Cmk` are `Pp`, `Ppk` of a short machine run.

A value is kept in whole steps of about a millionth of its tolerance, from the middle of it: so sums are exact, and
what was measured may come in any order, any number of times, and be added up over any windows. In whole numbers the
parallel update of Chan, Golub and LeVeque is plain addition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import erf, exp, floor, lgamma, log10, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.rows import Int64s

ZERO_VARIANCE: Final = "ZERO_VARIANCE"
"""The flag of values that are all alike: their capability is not known, however good they look."""

STEPS: Final = 1_000_000        # at least so many in a tolerance
FAR: Final = 1 << 31            # steps from the middle: what is farther is no measurement but a defect of the gauge
FINE: Final = 1024              # standard deviations are added up in so many parts of a step
NEAR: Final = 1 << 26           # subgroups that are wider take longer to compute

Floats = NDArray[np.float64]


class Characteristic(NamedTuple):
    """What is measured: its limits and the size of its subgroups (1: none), of which product ("": any)."""

    name: str
    lsl: float
    usl: float
    size: int = 1
    product: str = ""

    @property
    def step(self) -> float:
        """In the unit of the limits: the greatest power of ten that is at most a millionth of the tolerance."""
        return float(f"1e{floor(log10((self.usl - self.lsl) / STEPS))}")

    @property
    def middle(self) -> float:
        """From where steps are counted."""
        return (self.lsl + self.usl) / 2

    def steps(self, values: Floats) -> Int64s:
        """Values in whole steps from the middle; those that are no measurement (too far, not a number) left out."""
        found = np.rint((values - self.middle) / self.step)
        return found[np.abs(found) < FAR].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Stats:
    """Sums over the values of one characteristic, in its steps; `a + b` is exact."""

    n: int = 0
    total: int = 0          # Σ value
    squares: int = 0        # Σ value²
    low: int = FAR          # the least value; FAR without any
    high: int = -FAR        # the greatest
    groups: int = 0         # complete subgroups
    spreads: int = 0        # Σ their standard deviations (n - 1), in parts of `FINE`
    ranges: int = 0         # Σ their ranges
    refused: int = 0        # values that were no measurements

    def __add__(self, other: Stats) -> Stats:
        return Stats(
            self.n + other.n, self.total + other.total, self.squares + other.squares,
            min(self.low, other.low), max(self.high, other.high),
            self.groups + other.groups, self.spreads + other.spreads, self.ranges + other.ranges,
            self.refused + other.refused,
        )  # fmt: skip

    @property
    def m2(self) -> float:
        """Σ (value - mean)², in steps²."""
        return (self.n * self.squares - self.total**2) / self.n if self.n else 0.0


def stats_of(values: Int64s, groups: Int64s, refused: int = 0) -> Stats:
    """Sums over values and over complete subgroups, shape (groups, size), both in steps."""
    if not len(values):
        return Stats(refused=refused)
    squares = values * values   # below 2⁶²: added up in two halves, no sum of which overflows
    high, low = int((squares >> 31).sum()), int((squares & ((1 << 31) - 1)).sum())
    return Stats(
        len(values), int(values.sum()), (high << 31) + low, int(values.min()), int(values.max()),
        len(groups), *_spreads(groups), refused,
    )  # fmt: skip


def _spreads(groups: Int64s) -> tuple[int, int]:
    """Σ standard deviations, each rounded to a part of `FINE`, and Σ ranges."""
    size = groups.shape[1]
    if size < 2 or not len(groups):
        return 0, 0
    from_first = groups - groups[:, :1]
    # Each deviation is rounded by itself, from whole numbers: the same on every machine and in any company.
    wide = from_first if np.abs(from_first).max() < NEAR else from_first.astype(object)
    squared = size * (wide * wide).sum(axis=1) - wide.sum(axis=1) ** 2
    deviations = np.sqrt(squared.astype(np.float64) / (size * (size - 1)))
    return int(np.rint(deviations * FINE).astype(np.int64).sum()), int(np.ptp(groups, axis=1).sum())


@dataclass(frozen=True, slots=True)
class Measured:
    """The sums of all characteristics of a machine: `a + b` is exact, `Measured()` is its zero."""

    parts: tuple[tuple[Characteristic, Stats], ...] = ()     # in the order of characteristics, each once

    def __add__(self, other: Measured) -> Measured:
        if not isinstance(other, Measured):
            return NotImplemented
        if other is NO_MEASURES:
            return self
        found = dict(self.parts)
        for one, stats in other.parts:
            found[one] = found[one] + stats if one in found else stats
        return Measured(tuple(sorted(found.items(), key=lambda part: part[0])))

    def to_list(self) -> list[list[Any]]:
        """JSON-safe and exact: whole numbers that need more than 64 bits are text."""
        return [[*one, *(_written(getattr(stats, name)) for name in Stats.__slots__)] for one, stats in self.parts]

    @classmethod
    def from_list(cls, data: list[list[Any]]) -> Measured:
        """What `to_list` wrote."""
        if not data:
            return NO_MEASURES
        n = len(Characteristic._fields)
        return cls(tuple((Characteristic(*row[:n]), Stats(*map(int, row[n:]))) for row in data))


def _written(value: int) -> int | str:
    return value if abs(value) < 1 << 63 else str(value)


NO_MEASURES: Final = Measured()


def capability_of(
    one: Characteristic, stats: Stats, c4: float | None = None, d2: float | None = None
) -> dict[str, float | None]:
    """Capability indices and what they rest on; without variance, or with too few values, `None`.

    `c4`, `d2` override the constants for the size of the subgroups.
    """
    n, step = stats.n, one.step
    mean = one.middle + step * stats.total / n if n else None
    found: dict[str, float | None] = {
        "mean": mean,
        "s_overall": step * sqrt(stats.m2 / (n - 1)) if n > 1 else None,
        "s_bar": step * stats.spreads / FINE / stats.groups if stats.groups else None,
        "r_bar": step * stats.ranges / stats.groups if stats.groups else None,
    }
    within = one.size > 1 and stats.groups
    found["sigma_within_sbar"] = found["s_bar"] / (c4 or c4_of(one.size)) if within else None  # type: ignore[operator]
    found["sigma_within_rbar"] = found["r_bar"] / (d2 or d2_of(one.size)) if within else None  # type: ignore[operator]
    for cp, cpk, sigma in (
        ("Pp", "Ppk", "s_overall"), ("Cm", "Cmk", "s_overall"),
        ("Cp_sbar", "Cpk_sbar", "sigma_within_sbar"), ("Cp_rbar", "Cpk_rbar", "sigma_within_rbar"),
    ):  # fmt: skip
        found |= _pair(one, mean, found[sigma], cp, cpk)
    return found


def _pair(
    one: Characteristic, mean: float | None, sigma: float | None, cp: str, cpk: str
) -> Mapping[str, float | None]:
    if mean is None or not sigma:
        return {cp: None, cpk: None}
    return {cp: (one.usl - one.lsl) / (6 * sigma), cpk: min(one.usl - mean, mean - one.lsl) / (3 * sigma)}


def told(one: Characteristic, stats: Stats) -> dict[str, Any]:
    """One characteristic in the KPI record; Cp and Cpk by the mean standard deviation of subgroups."""
    found, step = capability_of(one, stats), one.step
    return {
        "n": stats.n, "mean": found["mean"], "s": found["s_overall"],
        "min": one.middle + step * stats.low if stats.n else None,
        "max": one.middle + step * stats.high if stats.n else None,
        "lsl": one.lsl, "usl": one.usl, "subgroup": one.size, "subgroups": stats.groups, "s_bar": found["s_bar"],
        "Cp": found["Cp_sbar"], "Cpk": found["Cpk_sbar"],
        **{name: found[name] for name in ("Pp", "Ppk", "Cm", "Cmk")},
        "refused": stats.refused, "flags": flags_of(stats),
    }  # fmt: skip


def flags_of(stats: Stats) -> list[str]:
    """What a reader must know before trusting the indices."""
    return [ZERO_VARIANCE] if stats.n > 1 and stats.low == stats.high else []


@lru_cache(64)
def c4_of(n: int) -> float:
    """Expected standard deviation of n normal points, in units of sigma."""
    return sqrt(2 / (n - 1)) * exp(lgamma(n / 2) - lgamma((n - 1) / 2))


@lru_cache(64)
def d2_of(n: int) -> float:
    """Expected range of n normal points, in units of sigma: the integral of 1 - (1-F)ⁿ - Fⁿ.

    The trapezoid rule is good to 1e-12 here: the integrand is smooth and vanishes at ±9.
    """
    steps, width = 1800, 0.01
    found = 0.0
    for at in range(steps + 1):
        f = (1 + erf((at * width - 9) / sqrt(2))) / 2
        found += 1 - (1 - f) ** n - f**n
    return found * width
