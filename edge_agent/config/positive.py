"""Durations and sizes that must not be nothing, and ideal cycles, which keep every digit."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from edge_agent.api import Duration, Size
from edge_agent.core.quantity import SECOND, exact_duration_ns

# Beyond these the unit is mistaken: ten thousand pieces a second, one piece a month.
LEAST_CYCLE: Final = Fraction(1, 10_000)
MOST_CYCLE: Final = Fraction(30 * 86_400)


def _above_zero(value: int) -> int:
    if value <= 0:
        raise ValueError("must be more than 0")
    return value


def _exact_seconds(value: object) -> Fraction:
    if isinstance(value, Fraction):
        return value
    if not isinstance(value, str):
        raise ValueError("needs a unit; write a text such as 1.2s or 850ms")  # noqa: TRY004 (pydantic wants it)
    seconds = exact_duration_ns(value) / SECOND
    if seconds <= 0:
        raise ValueError("must be more than 0")
    if not LEAST_CYCLE <= seconds <= MOST_CYCLE:
        raise ValueError("is no time a machine takes for a piece; from 100us to 30d")
    return seconds


PositiveDuration = Annotated[Duration, AfterValidator(_above_zero)]
"""A `Duration` above 0."""

PositiveSize = Annotated[Size, AfterValidator(_above_zero)]
"""A `Size` above 0."""

_CYCLE_PATTERN: Final = r"^\d+(\.\d+)?(ns|us|ms|s|min|h)$"
IdealCycle = Annotated[
    Fraction, BeforeValidator(_exact_seconds), WithJsonSchema({"type": "string", "pattern": _CYCLE_PATTERN})
]
"""An ideal cycle written `1.2s`; the model holds exact seconds."""
