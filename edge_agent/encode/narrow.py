"""Integers in as few bytes as they need, and the reading of records made of such columns.

Signed integers are *folded* first, 0 −1 1 −2 … → 0 1 2 3 …, so that small ones have few bytes.
*Narrow* is a column of one width: a byte w, 0 … 8, then the w low bytes of every folded number,
little-endian.
"""

from __future__ import annotations

import struct
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Bytes, Int64s

UInt64s = NDArray[np.uint64]
G = TypeVar("G", bound=np.generic)

# Up to so many numbers are quicker one by one than as arrays: about 0.3 µs each against 8 µs a column.
_FEW: Final = 16

_ONE: Final = np.uint64(1)
_LARGEST: Final = np.array([0] + [(1 << 8 * w) - 1 for w in range(1, 8)], np.uint64)
"""The largest number of 0, 1, … 7 bytes."""

_IS_KEPT: Final = np.arange(8) < np.arange(9)[:, None]
"""Which of a number's eight bytes are kept at each width, 0 … 8."""


def fold(number: Int64s) -> UInt64s:
    """Signed → unsigned of the same size; small stays small."""
    folded = number << 1
    folded ^= number >> 63
    return folded.view(np.uint64)


def unfold(folded: UInt64s) -> Int64s:
    """The inverse of `fold`."""
    sign: Int64s = (folded & _ONE).view(np.int64)
    number: Int64s = (folded >> _ONE).view(np.int64)
    number ^= -sign
    return number


def widths(folded: UInt64s) -> NDArray[np.intp]:
    """How many bytes each number needs, 0 … 8."""
    return _LARGEST.searchsorted(folded)


def shortened(folded: UInt64s, width: Bytes) -> bytes:
    """Of each number its `width` low bytes, one number after the other."""
    kept = _IS_KEPT.take(width, axis=0).ravel().nonzero()[0]
    return folded.astype("<u8", copy=False).view(np.uint8)[kept].tobytes()


def narrow(number: Int64s) -> bytes:
    """`number`, shape (n,), as a narrow column; n is not stored."""
    if len(number) <= _FEW:
        return _narrow_few([n << 1 if n >= 0 else ~n << 1 | 1 for n in number.tolist()])
    folded = fold(number)
    width = (int(folded.max()).bit_length() + 7) // 8 if len(folded) else 0
    low = folded.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)[:, :width]
    return bytes((width,)) + low.tobytes()


def _narrow_few(folded: list[int]) -> bytes:
    width = (max(folded, default=0).bit_length() + 7) // 8
    return b"".join([bytes((width,)), *[n.to_bytes(width, "little") for n in folded]])


class Reader:
    """Reads on through `data`; ValueError where it ends too soon."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_done(self) -> bool:
        """Everything has been read."""
        return self._at == len(self._data)

    def numbers(self, form: struct.Struct) -> tuple[int, ...]:
        """The next integers, as `form` says."""
        found = form.unpack_from(self._data, self._at)
        self._at += form.size
        return found

    def text(self, size: int) -> str:
        """The next `size` bytes of UTF-8."""
        self._at += size
        if self._at > len(self._data):
            raise ValueError("the record ends too soon")
        return self._data[self._at - size : self._at].decode("utf-8", "surrogatepass")

    def column(self, kind: np.dtype[G], n: int) -> NDArray[G]:
        """The next n numbers of `kind`; a view, not to be written."""
        found = np.frombuffer(self._data, kind, n, self._at) if n else np.empty(0, kind)
        self._at += n * kind.itemsize
        return found

    def narrow(self, n: int) -> Int64s:
        """n numbers as `narrow` wrote them."""
        width = self._data[self._at]
        self._at += 1
        if n <= _FEW:
            return self._narrow_few(n, width)
        folded = np.zeros((n, 8), np.uint8)
        folded[:, :width] = self.column(_BYTE, n * width).reshape(n, width)
        return unfold(folded.view("<u8").reshape(n).astype(np.uint64, copy=False))

    def _narrow_few(self, n: int, width: int) -> Int64s:
        data, start, end = self._data, self._at, self._at + n * width
        if width > 8 or end > len(data):
            raise ValueError("no column of numbers")
        self._at = end
        found = [int.from_bytes(data[at : at + width], "little") for at in range(start, end, width or 1)]
        return np.array([n >> 1 ^ -(n & 1) for n in found] if width else [0] * n, np.int64)

    def shortened(self, width: Bytes) -> UInt64s:
        """Numbers of these widths, as `shortened` wrote them."""
        kept = _IS_KEPT.take(width, axis=0).ravel().nonzero()[0]
        folded = np.zeros(8 * len(width), np.uint8)
        folded[kept] = self.column(_BYTE, len(kept))
        return folded.view("<u8").astype(np.uint64, copy=False)


_BYTE: Final = np.dtype(np.uint8)
