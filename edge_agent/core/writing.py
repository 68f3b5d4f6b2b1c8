"""A value on its way to equipment: of the right kind, within its limits, unscaled; and back. Exact, in decimals.

A number is taken as the decimal that was written, as in `clean`: 23.4 with scale 0.1 is raw 234.
All checks raise ValueError with a sentence about the value that goes behind the tag's name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from edge_agent.core.quality import BAD
from edge_agent.core.tags import Kind, Tag

Value = float | bool | str
"""What a tag holds, outside the columns: a number, a truth value or a text."""

# No register is wider; and a number with thousands of digits takes its time.
_LARGEST: Final = 1 << 64
_NUMBERS: Final = (Kind.FLOAT, Kind.INT)


def checked(value: Any, kind: Kind) -> Value:
    """`value` if it is one of `kind`; 0 and 1 are truth values, too."""
    if kind is Kind.TEXT:
        if isinstance(value, str):
            return value
        raise ValueError(f"takes a text, not {shown(value)}")
    if kind is Kind.BOOL:
        if isinstance(value, (bool, int, float)) and value in (0, 1):
            return bool(value)
        raise ValueError(f"takes true or false, not {shown(value)}")
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return value
    raise ValueError(f"takes a number, not {shown(value)}")


def permit(value: Value, kind: Kind, low: float | None, high: float | None, values: Sequence[Value] | None) -> None:
    """Nothing, if `value` (as `checked` returns it) is one of `values` and from `low` to `high`."""
    if values is not None and not any(_same(value, one, kind) for one in values):
        raise ValueError(f"may not be {shown(value)}; allowed: {', '.join(map(shown, values))}")
    if kind not in _NUMBERS:
        return
    assert not isinstance(value, str), "a number, as checked"
    if values is None and (low is None or high is None):
        raise ValueError("has no limits: its write: needs min and max, or values")
    if low is not None and _decimal(value) < _decimal(low):
        raise ValueError(f"may not be {shown(value)}: the lowest is {shown(low)}")
    if high is not None and _decimal(value) > _decimal(high):
        raise ValueError(f"may not be {shown(value)}: the highest is {shown(high)}")


def unscaled(value: Value, tag: Tag, whole: bool) -> Value:
    """The raw value of `value`; an int where raw values are `whole` numbers."""
    if tag.kind not in _NUMBERS or isinstance(value, (bool, str)):
        return value
    scale, offset = _decimal(tag.scale), _decimal(tag.offset)
    if not scale:
        raise ValueError("cannot be written: its scale is 0")
    raw = (_decimal(value) - offset) / scale
    if not whole:
        return _nearest(raw)
    if raw.denominator != 1:
        reached = {_nearest(step * scale + offset): step for step in (math.floor(raw), math.ceil(raw))}
        if value in reached:        # its last digit is lost in a float, not its register's
            return reached[value]
        near = sorted(reached)
        raise ValueError(f"cannot be {shown(value)} exactly; the nearest are {shown(near[0])} and {shown(near[1])}")
    return raw.numerator


def scaled(raw: Value, tag: Tag) -> Value | None:
    """The value of `raw`, in the tag's unit; None for a number that is none."""
    if tag.kind is Kind.BOOL and not isinstance(raw, str):
        return bool(raw)
    if tag.kind not in _NUMBERS or isinstance(raw, str):
        return raw
    if not math.isfinite(raw):
        return None
    value = _decimal(raw) * _decimal(tag.scale) + _decimal(tag.offset)
    whole = tag.kind is Kind.INT and value.denominator == 1
    return value.numerator if whole else _nearest(value)


def held(tag: Tag, value: float, quality: int) -> Value | None:
    """What a tag's last sample says, as a person would; None if that is not known."""
    if quality >= BAD or not math.isfinite(value):
        return None
    if tag.kind is Kind.TEXT:
        return tag.vocabulary.proper(value)
    if tag.kind is Kind.BOOL:
        return bool(value)
    return int(value) if tag.kind is Kind.INT and value.is_integer() else float(value)


def shown(value: Any) -> str:
    """A value in a sentence, as JSON writes it and never long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int) and abs(value) > _LARGEST:
        return "a very large number"
    text = repr(value) if isinstance(value, (int, float, str)) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _same(value: Value, one: Value, kind: Kind) -> bool:
    if isinstance(value, str) or isinstance(one, str):
        return value == one
    return bool(value) == one if kind is Kind.BOOL else _decimal(value) == _decimal(one)


def _decimal(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(float(number)))


def _nearest(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        raise ValueError("cannot be written: the raw value is beyond all numbers; look at its scale") from None
