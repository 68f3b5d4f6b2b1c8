"""Axes: round numbers and round instants at which to write something."""

from __future__ import annotations

from datetime import UTC
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.core.wall import SECOND, local, to_ns

_MINUTE: Final = 60 * SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
STEPS: Final = (
    SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND,
    _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE,
    _HOUR, 2 * _HOUR, 3 * _HOUR, 4 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY,
)  # fmt: skip

MOST: Final = 6
"""Times of day next to each other on a phone."""


def instants(start: int, end: int, zone: str) -> list[int]:
    """Round local times within [start, end], `MOST` + 1 at most; full hours are full by the wall clock."""
    step = next((one for one in STEPS if (end - start) / one <= MOST), (end - start) // MOST or 1)
    wall = local(start, ZoneInfo(zone))
    shift = to_ns(wall.replace(tzinfo=UTC)) - to_ns(wall)
    first = -(-(start + shift) // step) * step - shift
    return list(range(first, end + 1, step))


def up_to(highest: Fraction | float) -> list[int]:
    """0 and up to four more round numbers, the last of which is not below `highest`; at least 0 and 1."""
    step, factors = 1, (2, Fraction(5, 2), 2)
    at = 0
    while step * 4 < highest:
        step = int(step * factors[at % 3])
        at += 1
    return [step * n for n in range(5) if n == 0 or step * (n - 1) < max(highest, 1)]
