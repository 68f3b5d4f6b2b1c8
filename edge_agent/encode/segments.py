"""Float columns, one segment a tag, as integers that are small where a value changes slowly.

A segment is written as the differences of integers, and in the first of these forms that gives
back every bit of every value:

    0  the values themselves, where all are whole
    1  the bits of float32, where no more is needed (most equipment sends no more)
    2  tenths; 3 hundredths; 4 thousandths: scaled integers, and values rounded for people
    5  the bits of float64

Layout: a u16 for each segment, form + 8 × width of its differences + 128 × width of its first
integer; then all samples, a first integer or a difference each, folded and in as many bytes as
that says (see `narrow`). Differences wrap at 64 bits.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Bytes, Floats, Int64s
from edge_agent.encode.narrow import Reader, fold, shortened, unfold, widths

Lengths = NDArray[np.intp]
"""How many samples each segment has, shape (segments,), none 0; their sum is n."""

_SHAPE: Final = np.dtype("<u2")
_WHOLE, _FLOAT32, _FLOAT64 = 0, 1, 5
_DIVISORS: Final = {2: 10.0, 3: 100.0, 4: 1000.0}


def pack_segments(value: Floats, lengths: Lengths) -> bytes:
    """`value`, shape (n,), segment after segment."""
    starts = lengths.cumsum() - lengths
    integer, form = _integers(value, starts, lengths)
    step = integer.copy()
    step[1:] -= integer[:-1]
    step[starts] = integer[starts]
    folded = fold(step)
    first = folded[starts]
    folded[starts] = 0
    step_width, first_width = widths(np.maximum.reduceat(folded, starts)), widths(first)
    folded[starts] = first
    shape = (form + 8 * step_width + 128 * first_width).astype(_SHAPE)
    return shape.tobytes() + shortened(folded, _spread(step_width, first_width, starts, lengths))


def unpack_segments(reader: Reader, lengths: Lengths) -> Floats:
    """What `pack_segments` wrote; ValueError or IndexError if it is no such thing."""
    starts = lengths.cumsum() - lengths
    shape = reader.column(_SHAPE, len(lengths)).astype(np.intp)
    step = unfold(reader.shortened(_spread(shape >> 3 & 15, shape >> 7, starts, lengths)))
    integer = step.cumsum()
    integer -= (integer[starts] - step[starts]).repeat(lengths)
    return _floats(integer, shape & 7, lengths)


def _integers(value: Floats, starts: Lengths, lengths: Lengths) -> tuple[Int64s, Lengths]:
    """The integers of every sample, shape (n,), and the form of every segment."""
    bits = value.view(np.int64)
    form = np.zeros(len(lengths), np.intp)
    with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is found by looking back
        integer = value.astype(np.int64)
        broken = integer.astype(np.float64).view(np.int64) != bits
        if not np.count_nonzero(broken):
            return integer, form
        left = np.logical_or.reduceat(broken, starts)  # segments still without a form
        single = value.astype(np.float32)
        broken = single.astype(np.float64).view(np.int64) != bits
        fits = left & ~np.logical_or.reduceat(broken, starts)
        at = fits.repeat(lengths).nonzero()[0]
        integer[at] = single.view(np.int32)[at]
        form[fits] = _FLOAT32
        left &= ~fits
        for f, divisor in _DIVISORS.items():
            if np.count_nonzero(left):
                _try_decimal(value, starts, lengths, integer, form, left, f, divisor)
    at = left.repeat(lengths).nonzero()[0]
    integer[at] = bits[at]
    form[left] = _FLOAT64
    return integer, form


def _try_decimal(
    value: Floats,
    starts: Lengths,
    lengths: Lengths,
    integer: Int64s,
    form: Lengths,
    left: NDArray[np.bool_],
    f: int,
    divisor: float,
) -> None:
    """Give form `f` to the segments of `left` it fits, and take them out of `left`.

    A segment is looked at as a whole only if its first sample fits: measured noise does not.
    """
    candidates = left.nonzero()[0]
    first = value[starts[candidates]]
    candidates = candidates[_decimals(first, divisor)[1]]
    if not len(candidates):
        return
    chosen = np.zeros(len(lengths), np.bool_)
    chosen[candidates] = True
    at = chosen.repeat(lengths).nonzero()[0]
    scaled, fitting = _decimals(value[at], divisor)
    inner = lengths[candidates]
    fits = np.logical_and.reduceat(fitting, inner.cumsum() - inner)
    kept = fits.repeat(inner)
    integer[at[kept]] = scaled[kept]
    form[candidates[fits]] = f
    left[candidates[fits]] = False


def _decimals(value: Floats, divisor: float) -> tuple[Int64s, NDArray[np.bool_]]:
    """`value` as multiples of 1/divisor, and where these give back its bits."""
    scaled = np.rint(value * divisor).astype(np.int64)
    return scaled, (scaled / divisor).view(np.int64) == value.view(np.int64)


def _floats(integer: Int64s, form: Lengths, lengths: Lengths) -> Floats:
    """The inverse of `_integers`."""
    value = integer.astype(np.float64)
    for f in np.bincount(form).nonzero()[0].tolist():
        if f == _WHOLE:
            continue
        at = (form == f).repeat(lengths).nonzero()[0]
        if f == _FLOAT32:
            value[at] = integer[at].astype(np.int32).view(np.float32)
        elif f == _FLOAT64:
            value[at] = integer[at].view(np.float64)
        elif f in _DIVISORS:
            value[at] /= _DIVISORS[f]
        else:
            raise ValueError(f"there is no form {f}")
    return value


def _spread(of_steps: Lengths, of_first: Lengths, starts: Lengths, lengths: Lengths) -> Bytes:
    """The width of every sample, from those of every segment."""
    width = of_steps.astype(np.uint8).repeat(lengths)
    width[starts] = of_first
    return width
