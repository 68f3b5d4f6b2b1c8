"""What some numbers need after they have been read: masks, BCD, units, truth inverted, maps.

Each step is compiled for a group of fields of one type that all need it, and works on the whole
group at once, but for maps, which are looked up one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.api import Vocabulary
from edge_agent_modbus.plan import Field

Finish = Callable[[NDArray[Any]], NDArray[Any]]
"""Values of a group, shape (n,), from the raw ones"""


def finish_of(steps: Sequence[str], fields: Sequence[Field], vocabularies: Mapping[int, Vocabulary]) -> Finish:
    """The `steps` (mask, bcd, units, invert, map) in their order, as one function."""
    made: dict[str, Callable[[], Finish]] = {
        "mask": lambda: _masked(fields),
        "bcd": lambda: _bcd(fields[0].type.digits),
        "units": lambda: _in_units([field.type.per_unit for field in fields]),
        "invert": lambda: _inverted,
        "map": lambda: _mapped(fields, vocabularies),
    }
    return reduce(_then, [made[step]() for step in steps])


def _then(first: Finish, second: Finish) -> Finish:
    return lambda raw: second(first(raw))


def _masked(fields: Sequence[Field]) -> Finish:
    dtype = np.dtype(fields[0].type.code)
    every_bit = (1 << 8 * dtype.itemsize) - 1
    masks = np.array([field.mask or every_bit for field in fields], dtype)
    shifts = np.array([field.shift for field in fields], dtype)
    return lambda raw: (raw & masks) >> shifts


def _bcd(digits: int) -> Finish:
    """Decimal digits in four bits each; NaN if one is above 9."""
    shifts: Final = np.arange(4 * digits - 4, -1, -4)
    powers: Final = 10.0 ** np.arange(digits - 1, -1, -1)

    def finish(raw: NDArray[Any]) -> NDArray[Any]:
        nibbles = raw.astype(np.int64)[:, np.newaxis] >> shifts & 15
        values = nibbles @ powers
        values[(nibbles > 9).any(axis=1)] = np.nan
        return values

    return finish


def _in_units(per_unit: Sequence[int]) -> Finish:
    divisors = np.array(per_unit, np.float64)
    return lambda raw: raw / divisors


def _inverted(bits: NDArray[Any]) -> NDArray[Any]:
    return bits ^ 1


def _mapped(fields: Sequence[Field], vocabularies: Mapping[int, Vocabulary]) -> Finish:
    """The codes of the texts that the numbers stand for; NaN for numbers that stand for none."""
    texts = [dict(field.texts) for field in fields]
    words = [vocabularies[field.slot] for field in fields]

    def finish(raw: NDArray[Any]) -> NDArray[Any]:
        found = (known.get(number) for known, number in zip(texts, raw.tolist(), strict=True))
        codes = [np.nan if text is None else word.code(text) for text, word in zip(found, words, strict=True)]
        return np.array(codes, np.float64)

    return finish
