"""Thresholds of a power signature, learnt from what a machine has drawn (domain 3.7).

Power is looked at by its logarithm, weighted with how long it lasted. Otsu's method parts it into modes: OFF, IDLE
and RUN. A threshold is where the two modes beside it are equally many standard deviations away, with a hysteresis
of a tenth. Modes that are less than three pooled standard deviations apart are not told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Bytes, Floats, Int64s
from edge_agent.core.quality import is_good

DAY: Final = 86_400_000_000_000
MIN_DAYS: Final = 3.0
MIN_SIGMA: Final = 3.0
HYSTERESIS: Final = 0.1

# Fine enough: 256 steps over four decades are a step of 4 %, and a hysteresis is a tenth.
_BINS: Final = 256
_DECADES: Final = 4
# What is seen for less than this share of the time is no mode, but the way from one to another.
_MIN_SHARE: Final = 0.005
# A lower one of two modes is OFF only if almost nothing is drawn.
_OFF_SHARE: Final = 0.02


class NotLearnt(Exception):
    """The reason why there are no thresholds, for people."""


@dataclass(frozen=True, slots=True)
class Mode:
    """`power`: its geometric mean; `share` of the time; mean and deviation of the logarithm (base 10)."""

    power: float
    share: float
    mean: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """Thresholds (low, high); `modes` from the lowest on, `sigmas` how far each is from the next; `days` of data."""

    off: tuple[float, float] | None
    run: tuple[float, float] | None
    modes: tuple[Mode, ...]
    sigmas: tuple[float, ...]
    days: float


def learn(time: Int64s, power: Floats, quality: Bytes, until: int, min_days: float = MIN_DAYS) -> Learnt:
    """Thresholds from readings, shape (n,) each, in any order, the last of which holds `until` then (ns UTC).

    A reading holds until the next; after a bad one nothing is known. NotLearnt where they do not tell the modes.
    """
    order = np.argsort(time, kind="stable")
    lasting = np.diff(time[order], append=max(until, int(time.max(initial=0)))).astype(float)
    known = is_good(quality[order]) & np.isfinite(power[order]) & (lasting > 0)
    lasting, watts = lasting[known], power[order][known]
    days = float(lasting.sum()) / DAY
    if days < min_days:
        raise NotLearnt(f"{days:.1f} days of readings, {min_days:g} are needed")
    top = float(watts.max())
    if top <= 0:
        raise NotLearnt("nothing was ever drawn")
    edges = np.linspace(np.log10(top) - _DECADES, np.log10(top), _BINS + 1)
    logs = np.log10(np.maximum(watts, top * 10.0**-_DECADES))
    weights, _ = np.histogram(logs, edges, weights=lasting)
    middles = (edges[:-1] + edges[1:]) / 2
    apart = ""
    for classes in (3, 2):
        modes = [_mode(middles[part], weights[part], weights.sum()) for part in _otsu(weights, middles, classes)]
        sigmas = tuple(_sigmas(low, high) for low, high in pairwise(modes))
        if min(sigmas) >= MIN_SIGMA and min(mode.share for mode in modes) >= _MIN_SHARE:
            return _thresholds(modes, sigmas, days)
        apart = f"its modes are {min(sigmas):.1f} sigma apart, {MIN_SIGMA:g} are needed"
    raise NotLearnt(f"{apart}: idle and running cannot be told by this power")


def _thresholds(modes: Sequence[Mode], sigmas: tuple[float, ...], days: float) -> Learnt:
    between = [_around(low, high) for low, high in pairwise(modes)]
    if len(modes) > len(("idle", "run")):
        return Learnt(between[0], between[1], tuple(modes), sigmas, days)
    is_off = modes[0].power < _OFF_SHARE * modes[1].power
    return Learnt(between[0] if is_off else None, None if is_off else between[0], tuple(modes), sigmas, days)


def _around(low: Mode, high: Mode) -> tuple[float, float]:
    middle = 10 ** ((low.mean * high.sigma + high.mean * low.sigma) / (low.sigma + high.sigma))
    return float(middle * (1 - HYSTERESIS)), float(middle * (1 + HYSTERESIS))


def _sigmas(low: Mode, high: Mode) -> float:
    pooled = (low.share * low.sigma**2 + high.share * high.sigma**2) / (low.share + high.share)
    return float((high.mean - low.mean) / np.sqrt(pooled))


def _mode(logs: Floats, weights: Floats, total: float) -> Mode:
    """One mode; a step of the histogram is its least deviation."""
    held = float(weights.sum())
    step = _DECADES / _BINS
    if held == 0:
        return Mode(10 ** float(logs[0]), 0.0, float(logs[0]), step)
    mean = float((logs * weights).sum()) / held
    spread = float((weights * (logs - mean) ** 2).sum()) / held
    return Mode(10**mean, held / total, mean, max(float(np.sqrt(spread)), step))


def _otsu(weights: Floats, logs: Floats, classes: int) -> list[slice]:
    """The parts of the histogram between which the variance is greatest."""
    counts = np.concatenate(([0.0], np.cumsum(weights)))
    sums = np.concatenate(([0.0], np.cumsum(weights * logs)))
    cut = np.arange(1, len(weights))

    def between(first: NDArray[np.int64], last: NDArray[np.int64]) -> Floats:
        held, moment = counts[last] - counts[first], sums[last] - sums[first]
        gain: Floats = np.divide(moment**2, held, out=np.zeros(held.shape), where=held > 0)
        return gain

    start, end = np.zeros_like(cut), np.full_like(cut, len(weights))
    if classes == len(("low", "high")):
        best = int(cut[np.argmax(between(start, cut) + between(cut, end))])
        return [slice(0, best), slice(best, len(weights))]
    low, high = np.triu_indices(len(cut), 1)
    gain = between(start, cut)[low] + between(cut[low], cut[high]) + between(cut, end)[high]
    best = int(np.argmax(gain))
    first, second = int(cut[low[best]]), int(cut[high[best]])
    return [slice(0, first), slice(first, second), slice(second, len(weights))]
