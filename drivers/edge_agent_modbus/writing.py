"""What `write:` of a tag may say: whether its values can be written at all, and fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from edge_agent.api import Value, WriteConfig
from edge_agent_modbus.address import Area
from edge_agent_modbus.encode import encode, limits_of
from edge_agent_modbus.plan import Field

Wrong = tuple[str, str]
"""A key below `write` ("": itself), and what is wrong with it"""


def mistakes_of(write: WriteConfig, field: Field, scale: float, offset: float) -> Iterator[Wrong]:
    """What is wrong with `write` for a tag that is `field`, scaled by `scale` and `offset`."""
    if field.area in (Area.DISCRETE, Area.INPUT):
        right = Area.COIL if field.area.is_bits else Area.HOLDING
        yield "", f"no Modbus device lets {field.area.word} be written; only {right.word} can"
        return
    named = {text for number, text in field.texts if [one for _, one in field.texts].count(text) > 1}
    for text in sorted(named):
        yield "", f"the map has {text!r} for several numbers; which would be written? Give each its own text"
    if field.type.is_text or field.type.name == "bool" or field.texts:
        yield from _of_texts_and_truths(write, field)
    else:
        yield from _of_numbers(write, field, scale, offset)


def _of_texts_and_truths(write: WriteConfig, field: Field) -> Iterator[Wrong]:
    for key in ("min", "max"):
        if getattr(write, key) is not None:
            yield key, "only a number has a lowest and a highest value; leave it out, or list values"
    yield from _of_values(write.values, field)


def _of_numbers(write: WriteConfig, field: Field, scale: float, offset: float) -> Iterator[Wrong]:
    if not (math.isfinite(scale) and math.isfinite(offset) and scale):
        yield "", f"cannot be undone: scale {scale:g} and offset {offset:g}"
        return
    if write.values is not None:
        for key in ("min", "max"):
            if getattr(write, key) is not None:
                yield key, "values already says which numbers; leave it out"
        yield from _of_values(write.values, field, _exact(scale), _exact(offset))
        return
    if write.min is None or write.max is None:
        yield "", "a number needs min and max, or values; for example write: {min: 0, max: 100}"
        return
    if write.min > write.max:
        yield "max", f"{write.max:g} is less than min: {write.min:g}; write the lowest value as min"
    low, high = sorted(limit * _exact(scale) + _exact(offset) for limit in limits_of(field))
    for key, value in (("min", write.min), ("max", write.max)):
        if not low <= (_exact(value) if math.isfinite(value) else math.inf) <= high:
            yield key, (
                f"{value:.17g} is outside what a {field.type.name} with this scale, offset and mask "
                f"holds; from {float(low):.17g} to {float(high):.17g}"
            )


def _of_values(
    values: tuple[Value, ...] | None, field: Field, scale: Fraction = Fraction(1), offset: Fraction = Fraction(0)
) -> Iterator[Wrong]:
    if values == ():
        yield "values", "lists nothing; name at least one value, or leave write out"
    for value in values or ():
        try:
            encode(field, _raw(value, scale, offset))
        except ValueError as wrong:
            yield "values", str(wrong)


def _raw(value: Value, scale: Fraction, offset: Fraction) -> Value:
    if isinstance(value, bool | str) or not math.isfinite(value):
        return value
    raw = (_exact(value) - offset) / scale
    return raw.numerator if raw.denominator == 1 else float(raw)


def _exact(written: float) -> Fraction:
    """The decimal that was written, not the float nearest to it."""
    return Fraction(repr(float(written)))
