"""The value of every signal at a time. All but the walks are functions of the time alone.

A walk depends on the seed, the tag's name and how many samples there were: the n-th sample
after the start is the same every time.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from zlib import crc32

import numpy as np

from edge_agent.api import Tag
from edge_agent_simulated.config import Constant, Counter, Cycle, Ramp, Signal, Sine, Square, Walk

Value = Callable[[int], float]
"""From ns UTC to the signal's value then"""


def value_of(signal: Signal, tag: Tag, seed: int) -> Value:
    """The function that gives the samples of `signal`; texts become codes of the tag's vocabulary."""
    match signal:
        case Sine():
            return _sine(signal)
        case Ramp():
            return lambda time: signal.low + (signal.high - signal.low) * _progress(signal, time)
        case Square():
            return lambda time: signal.high if _progress(signal, time) < signal.duty else signal.low
        case Counter():
            return lambda time: float(time // signal.every % (1 << signal.width))
        case Walk():
            return _walk(signal, np.random.default_rng((seed, crc32(tag.id.encode()))))
        case Constant():
            constant = _number(signal.value, tag)
            return lambda _: constant
        case Cycle():
            return _cycle(signal, tag)
    raise AssertionError(f"no signal: {signal!r}")


def _progress(wave: Sine | Ramp | Square, time: int) -> float:
    """How much of the current period has passed, 0 to 1."""
    return (time - wave.phase) % wave.period / wave.period


def _sine(wave: Sine) -> Value:
    middle, amplitude = (wave.high + wave.low) / 2, (wave.high - wave.low) / 2
    return lambda time: middle + amplitude * math.sin(2 * math.pi * _progress(wave, time))


def _walk(walk: Walk, random: np.random.Generator) -> Value:
    width = walk.high - walk.low
    at = width / 2

    def step(_: int) -> float:
        nonlocal at
        # folding at both ends: what would pass `high` comes back from it by as much
        at = (at + walk.step * float(random.standard_normal())) % (2 * width)
        at = min(at, 2 * width - at)
        return walk.low + at

    return step


def _cycle(cycle: Cycle, tag: Tag) -> Value:
    ends = list(accumulate(step.span for step in cycle.steps))
    values = [_number(step.value, tag) for step in cycle.steps]
    return lambda time: values[bisect_right(ends, time % ends[-1])]


def _number(value: float | str, tag: Tag) -> float:
    return tag.vocabulary.code(value) if isinstance(value, str) else value
