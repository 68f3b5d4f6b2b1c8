"""Float columns, one segment a tag, as integers that are small where a value changes slowly.

A segment is written as the differences of integers, in the first of these forms that fits it:

* form 0, always exact: the bits of the float64 without the low bits that are 0 in all of its
  values. Whole numbers and float32 (most equipment sends no more) leave 12 to 35 bits of 64, and a
  small change of value is a small difference;
* forms 1, 2, 3: tenths, hundredths, thousandths, tried where form 0 would leave more than float32
  has: scaled integers, and values rounded for people. Taken only if every bit comes back.

Layout: a u16 for each segment, form + 4 × (bits cut off in form 0) + 256 × width of its first
integer + 4096 × width of its differences; then all samples, a first integer or a difference each,
folded and in as many bytes as that says (see `narrow`). Differences wrap at 64 bits.
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
_DIVISORS: Final = (0.0, 10.0, 100.0, 1000.0)  # by form
_FLOAT32_CUT: Final = 29  # zero bits at the end of a float32 written as float64


def pack_segments(value: Floats, lengths: Lengths) -> bytes:
    """`value`, shape (n,), segment after segment."""
    starts = lengths.cumsum() - lengths
    bits = value.view(np.int64)
    used = np.bitwise_or.reduceat(bits, starts)
    cut = np.minimum(np.bitwise_count((used & -used) - 1), 63).astype(np.int64)
    integer = bits >> cut.repeat(lengths)
    form = cut << 2
    if np.count_nonzero(cut < _FLOAT32_CUT):
        _try_decimals(value, starts, lengths, integer, form)
    first = integer[starts]
    integer[1:] -= integer[:-1].copy()
    integer[starts] = 0
    folded = fold(integer)
    step_width = widths(np.maximum.reduceat(folded, starts))
    folded[starts] = fold(first)
    first_width = widths(folded[starts])
    shape: bytes = (form | first_width << 8 | step_width << 12).astype(_SHAPE).tobytes()
    return shape + shortened(folded, _spread(step_width, first_width, starts, lengths))


def unpack_segments(reader: Reader, lengths: Lengths) -> Floats:
    """What `pack_segments` wrote; ValueError or IndexError if it is no such thing."""
    starts = lengths.cumsum() - lengths
    shape = reader.column(_SHAPE, len(lengths)).astype(np.int64)
    integer = unfold(reader.shortened(_spread(shape >> 12, shape >> 8 & 15, starts, lengths)))
    first = integer[starts]
    integer = integer.cumsum()
    integer -= (integer[starts] - first).repeat(lengths)
    form = shape & 3
    value = (integer << (shape >> 2 & 63).repeat(lengths)).view(np.float64)
    if np.count_nonzero(form):
        divisor = np.array(_DIVISORS)[form].repeat(lengths)
        at = divisor.nonzero()[0]
        value[at] = integer[at] / divisor[at]
    return value


def _try_decimals(value: Floats, starts: Lengths, lengths: Lengths, integer: Int64s, form: Int64s) -> None:
    """Write the integers and the forms of the segments that are decimals; leave the others.

    A segment is looked at as a whole only if its first sample fits: measured noise does not.
    """
    left = (form >> 2 < _FLOAT32_CUT).nonzero()[0]
    with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is found by looking back
        for f in range(1, len(_DIVISORS)):
            candidates = left[_decimals(value[starts[left]], _DIVISORS[f])[1]]
            if not len(candidates):
                continue
            inner = lengths[candidates]
            begins = inner.cumsum() - inner
            at = np.arange(int(inner.sum())) + (starts[candidates] - begins).repeat(inner)
            scaled, fitting = _decimals(value[at], _DIVISORS[f])
            fits = np.logical_and.reduceat(fitting, begins)
            kept = fits.repeat(inner)
            integer[at[kept]] = scaled[kept]
            form[candidates[fits]] = f
            left = left[form[left] & 3 == 0]


def _decimals(value: Floats, divisor: float) -> tuple[Int64s, NDArray[np.bool_]]:
    """`value` as multiples of 1/divisor, and where these give back its bits."""
    scaled = np.rint(value * divisor).astype(np.int64)
    return scaled, (scaled / divisor).view(np.int64) == value.view(np.int64)


def _spread(of_steps: Lengths, of_first: Lengths, starts: Lengths, lengths: Lengths) -> Bytes:
    """The width of every sample, from those of every segment."""
    width = of_steps.astype(np.uint8).repeat(lengths)
    width[starts] = of_first
    return width
