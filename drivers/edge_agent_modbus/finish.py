"""What some numbers need after they have been read: masks, BCD, units, truth inverted, maps.

Each step is compiled for a group of fields of one type that all need it, and works on the whole
group at once, but for maps, which are looked up one by one when something has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

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
        "map": lambda: _Map(fields, vocabularies),
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
    """Two decimal digits in a byte; NaN if one is above 9."""
    tens, ones = np.divmod(np.arange(256), 16)
    pairs = np.where((tens > 9) | (ones > 9), np.nan, 10.0 * tens + ones)
    powers = 100.0 ** np.arange(digits // 2 - 1, -1, -1)
    big_endian = np.dtype(f">u{digits // 2}")
    return lambda raw: pairs[raw.astype(big_endian).view(np.uint8).reshape(-1, digits // 2)] @ powers


def _in_units(per_unit: Sequence[int]) -> Finish:
    divisors = np.array(per_unit, np.float64)
    return lambda raw: raw / divisors


def _inverted(bits: NDArray[Any]) -> NDArray[Any]:
    return bits ^ 1


class _Map:
    """The codes of the texts that the numbers stand for; NaN for a number that stands for none.

    Remembers the last numbers: states rarely change.
    """

    __slots__ = ("_codes", "_last", "_texts", "_words")

    def __init__(self, fields: Sequence[Field], vocabularies: Mapping[int, Vocabulary]) -> None:
        self._texts = [dict(field.texts) for field in fields]
        self._words = [vocabularies[field.slot] for field in fields]
        self._last: NDArray[Any] | None = None
        self._codes = np.full(len(fields), np.nan)

    def __call__(self, raw: NDArray[Any]) -> NDArray[Any]:
        if self._last is None or not np.array_equal(raw, self._last):
            found = (texts.get(number) for texts, number in zip(self._texts, raw.tolist(), strict=True))
            codes = [np.nan if t is None else w.code(t) for t, w in zip(found, self._words, strict=True)]
            self._last, self._codes = raw, np.array(codes, np.float64)
        return self._codes
