"""Machine and process capability from subgroups of measurements (ISO 22400-2 rows 18 to 21).

`Cp`, `Cpk` rest on the spread within subgroups, estimated from the mean standard deviation (s̄/c₄) or
the mean range (R̄/d₂); `Pp`, `Ppk` on the spread of all points. `Cm`, `Cmk` are `Pp`, `Ppk` of a short
machine run. Statistics are floats: nothing here is ever added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import erf, exp, lgamma, sqrt
from statistics import fmean, stdev


def capability(
    subgroups: Sequence[Sequence[float]],
    lsl: float,
    usl: float,
    c4: float | None = None,
    d2: float | None = None,
) -> dict[str, float | None]:
    """Capability indices of subgroups of equal size n >= 2; zero variance gives `None`.

    `c4`, `d2` override the constants for n. ValueError if subgroups are missing, differ in size or
    are too small.
    """
    sizes = {len(group) for group in subgroups}
    if len(sizes) != 1 or min(sizes) < 2:
        raise ValueError("subgroups must have one common size of at least 2")
    n = sizes.pop()
    points = [float(x) for group in subgroups for x in group]
    mean, s_bar = fmean(points), fmean(stdev(map(float, group)) for group in subgroups)
    r_bar = fmean(max(group) - min(group) for group in subgroups)
    by_s, by_r = s_bar / (c4 or c4_of(n)), r_bar / (d2 or d2_of(n))
    overall = stdev(points)
    found: dict[str, float | None] = {
        "mean": mean, "s_overall": overall, "s_bar": s_bar, "r_bar": r_bar,
        "sigma_within_sbar": by_s, "sigma_within_rbar": by_r,
    }
    spreads = (("Pp", "Ppk", overall), ("Cp_sbar", "Cpk_sbar", by_s), ("Cp_rbar", "Cpk_rbar", by_r))
    for name, centred, sigma in spreads:
        found[name] = (usl - lsl) / (6 * sigma) if sigma else None
        found[centred] = min(usl - mean, mean - lsl) / (3 * sigma) if sigma else None
    return found


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
