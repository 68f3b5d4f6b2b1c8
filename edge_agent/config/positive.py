"""Durations and sizes that must not be nothing; ideal cycles, rates and shares, which keep every digit."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
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


def _exact(value: object) -> Fraction:
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("must be a number")
    return Fraction(str(value))


def _exact_rate(value: object) -> Fraction:
    rate = _exact(value)
    if rate <= 0:
        raise ValueError("must be more than 0")
    return rate


def _exact_share(value: object) -> Fraction:
    share = _exact(value)
    if not 0 <= share <= 1:
        raise ValueError("must be a share between 0 and 1, such as 0.02 for 2 %")
    return share


PositiveDuration = Annotated[Duration, AfterValidator(_above_zero)]
"""A `Duration` above 0."""

PositiveSize = Annotated[Size, AfterValidator(_above_zero)]
"""A `Size` above 0."""

_CYCLE_PATTERN: Final = r"^\d+(\.\d+)?(ns|us|ms|s|min|h)$"
IdealCycle = Annotated[
    Fraction, BeforeValidator(_exact_seconds), WithJsonSchema({"type": "string", "pattern": _CYCLE_PATTERN})
]
"""An ideal cycle written `1.2s`; the model holds exact seconds."""

Rate = Annotated[
    Fraction, BeforeValidator(_exact_rate), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})
]
"""A number above 0, exact as written."""

Share = Annotated[
    Fraction, BeforeValidator(_exact_share), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
"""A share of the whole, 0 to 1, exact as written."""
