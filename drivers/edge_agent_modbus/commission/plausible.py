"""How many bits it takes to say a series of values, if they are what they are taken for. Pure.

The right way to read registers is that in which there is least to say: a quantity is seldom large, has a
sane magnitude, few digits, and moves little from one read to the next; a counter goes up by little. Each
function returns bits (fewer: more plausible) and says in words what made it so. Numbers that are small are
cheap at every width, a wrong order of bytes makes them large and lets them jump: that is what tells.

The constants are not measured. They are set so that the readings of the cases in the tests, which stand for
what is found in meters, drives and PLCs, come out in the right order with something to spare.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final


@dataclass(frozen=True, slots=True)
class Cost:
    """Bits it takes, and the reasons in words."""

    bits: float
    why: tuple[str, ...] = ()


# Bytes of an integer → what each bit of its magnitude weighs, bits for saying how large it is, and the most
# it can cost. A large 16-bit value is rarer than a large value of more bits.
_WHOLE: Final = {1: (1.0, 3.0, 9.0), 2: (1.15, 3.0, 20.0), 4: (1.08, 6.0, 41.0), 8: (1.04, 13.5, 88.0)}
# 64 bits are taken for the room above; values that fill it are made of something else, as a rule.
_HUGE: Final = 0.8
# Nothing is as common in registers as 0 that stays 0.
_ZERO: Final = 2.0
_SIGN: Final = 1.0
# A series that does not change says nothing more than its first value.
_STILL: Final = 1.0
_MOVE: Final = 2.0
_GRAIN: Final = 4.0
# What counts up is more often a counter of 32 bits and more.
_COUNTER: Final = 4.0
_COUNTS_MOST: Final = 1_000
# When one register is full and the next goes up by one, that is hardly chance.
_CARRY: Final = 10.0
# An integer that jumps through its whole range from one read to the next is part of something else.
_TOSSED: Final = 2.5
# With one digit BCD is as good as anything, and says nothing for itself.
_ONE_DIGIT: Final = 3.0
# Few series run over the end of their type while they are looked at.
_WRAP: Final = 6.0

_MANTISSA: Final = {2: 10, 4: 23, 8: 52}
_PACKED: Final = {2: ">e", 4: ">f", 8: ">d"}
_ORDERED: Final = {2: ">H", 4: ">I", 8: ">Q"}
_FLOAT: Final = 3.0
_DIGITS: Final = {2: 3, 4: 6, 8: 12}
# Magnitudes: of what is measured; of what may be; of hardly anything.
_SANE: Final = (1e-3, 1e7)
_POSSIBLE: Final = (1e-6, 1e10)
# What is no measured value costs more, a bit of its width, than the same registers as integers ever do.
_NONSENSE: Final = 1.4
_LEAST_NORMAL: Final = {2: 2.0**-14, 4: 2.0**-126, 8: 2.0**-1022}

_YEAR_2000: Final = 946_684_800
_YEAR_2100: Final = 4_102_444_800
_DAY: Final = 86_400
# A time long ago, or yet to come, is there more seldom than the present one.
_OLD: Final = 6.0


def of_whole(values: Sequence[int], size: int, *, signed: bool = False, digits: int = 0) -> Cost:
    """Integers of `size` bytes; of BCD with so many `digits`, which then wrap in tens."""
    if size <= 2 and not any(values):
        return Cost(_ZERO, ("zero", *filter(None, (movement(values),))))
    weight, about_size, most = _WHOLE[size]
    magnitude = math.log2(abs(values[0]) + 1)
    huge = _HUGE * max(0.0, magnitude - 48) if size == 8 else 0.0
    first = min(weight * magnitude + huge + about_size, most) + (_SIGN if signed else 0)
    modulus = 10**digits if digits else 1 << 8 * size
    steps = [abs(b - a) for a, b in pairwise(values)]
    bits = first + min(_moves(steps), _moves([min(step, modulus - step) for step in steps]) + _WRAP)
    bits += _TOSSED * sum(min(step, modulus - step) > modulus // 8 for step in steps)
    if digits and max(values) < 10:
        bits += _ONE_DIGIT
    why = [_size_in_words(values, size), movement(values)]
    if size >= 4 and not digits and _counts_up(values):
        bits -= _COUNTER
        if values[0] >> 16 != values[-1] >> 16:
            bits -= _CARRY
            why.append("carries over from one register into the next")
    return Cost(bits, tuple(filter(None, why)))


def of_floats(values: Sequence[float], size: int) -> Cost:
    """Floating point numbers of `size` bytes."""
    first = _one_float(values[0], size)
    worst = max((_one_float(value, size) for value in values), key=lambda cost: cost.bits)
    places = [_place(value, size) for value in values]
    bits = first.bits + _coarse_moves([abs(b - a) for a, b in pairwise(places)])
    if worst.bits >= _NONSENSE * 8 * size:
        bits = max(bits, worst.bits)        # one impossible value spoils all
    bits += sum(_leap(a, b) for a, b in pairwise(values))
    return Cost(bits, (*worst.why, *filter(None, (movement(values),))))


def is_time(value: float) -> bool:
    """Whether it is a time of this century, s since 1970."""
    return _YEAR_2000 <= value < _YEAR_2100


def of_times(values: Sequence[float], size: int, elapsed_s: Sequence[float], now_s: float) -> Cost:
    """Seconds since 1970, read `elapsed_s` after the first, at about `now_s`; `is_time` holds for all."""
    off_s = abs(values[0] - now_s)
    bits = math.log2(off_s + 1) + 6 + (_OLD if off_s > _DAY else 0)
    why = ("the present time",) if off_s < 60 else ("within a day of now",) if off_s < _DAY else ("a time",)
    if len(set(values)) == 1:
        return Cost(bits + _STILL, (*why, "does not change"))
    gaps = [(b - a) - (d - c) for (a, b), (c, d) in zip(pairwise(values), pairwise(elapsed_s), strict=True)]
    goes = all(abs(gap) <= 1 for gap in gaps)
    if goes:
        return Cost(bits + _STILL, (*why, "goes with the clock"))
    return Cost(bits + _moves([abs(b - a) for a, b in pairwise(values)]) + _OLD, (*why, "does not go with the clock"))


def of_bits(values: Sequence[int]) -> Cost:
    """Sixteen switches."""
    ones = values[0].bit_count()
    changed = [(a ^ b).bit_count() for a, b in pairwise(values)]
    bits = 9 + math.log2(math.comb(16, ones)) + (_STILL + sum(4 * n + 1 for n in changed) if any(changed) else _STILL)
    word = "bit is" if ones == 1 else "bits are"
    return Cost(bits, (f"{ones} {word} set", "does not change" if not any(changed) else "some change"))


def _moves(steps: Sequence[float]) -> float:
    if not any(steps):
        return _STILL
    return _STILL + sum(math.log2(step + 1) + _MOVE if step else 1 for step in steps)


def _coarse_moves(steps: Sequence[int]) -> float:
    """The same, where a device may only have so many digits: steps are multiples of a power of two."""
    common = 0
    for step in steps:
        common |= step
    if not common:
        return _STILL
    one_by_one = sum(min(math.log2(step + 1), math.log2(_odd(step) + 1) + _GRAIN) + _MOVE for step in steps if step)
    return min(_moves([step // (common & -common) for step in steps]) + _GRAIN, _STILL + one_by_one)


def _odd(number: int) -> int:
    """Without the zeros at its end, in binary."""
    return number // (number & -number)


def _leap(one: float, other: float) -> float:
    """What it costs that a measured value moves by more than a tenth of itself."""
    most = max(abs(one), abs(other))
    if not math.isfinite(most) or not most:
        return 0.0
    return max(0.0, 2 * math.log2(10 * abs(other / most - one / most) + 1e-9))


def _counts_up(values: Sequence[float]) -> bool:
    steps = [b - a for a, b in pairwise(values)]
    return values[0] >= 0 and any(steps) and all(0 <= step <= _COUNTS_MOST for step in steps)


def movement(values: Sequence[float]) -> str:
    """How a series of numbers moves, in words; empty for a single one."""
    steps = [b - a for a, b in pairwise(values)]
    if not steps:
        return ""
    if not all(map(math.isfinite, values)):
        return ""
    if not any(steps):
        return "does not change"
    low, high = min(steps), max(steps)
    most = max(abs(low), abs(high))
    if low >= 0:
        return f"goes up by {_number(most)}" if low == high else f"goes up by {_number(low)} to {_number(high)}"
    if most > max(1.0, max(map(abs, values)) / 2):
        return f"jumps by up to {_number(most)}"
    return f"moves by up to {_number(most)}"


def _number(number: float) -> str:
    return str(number) if isinstance(number, int) and number < 10**7 else f"{number:.3g}"


def _size_in_words(values: Sequence[int], size: int) -> str:
    most = max(map(abs, values))
    if most == 0:
        return "zero"
    used = most.bit_length()
    if used <= 8 * size // 2:
        return "a small number"
    return f"uses {used} of {8 * size} bits" if used > 7 * size else ""


def _one_float(value: float, size: int) -> Cost:
    width = 8 * size
    if not math.isfinite(value):
        return Cost(_NONSENSE * width, ("not a number",))
    if value == 0:
        return Cost(_FLOAT + 4 if math.copysign(1, value) > 0 else width, ("zero",))
    much = abs(value)
    if much < _LEAST_NORMAL[size]:
        return Cost(_NONSENSE * width, (f"denormal ({value:.1g}): no measured value",))
    digits, mantissa = _mantissa(value, size)
    bits = _FLOAT + mantissa + (0.4 if value > 0 else 2.0)
    if _SANE[0] <= much < _SANE[1]:
        short = (f"of {digits} digits",) if digits and digits <= 6 else ()
        return Cost(bits + 5, ("of a sane magnitude", *short))
    if _POSSIBLE[0] <= much < _POSSIBLE[1]:
        return Cost(bits + 10, ("of a rare magnitude",))
    return Cost(_NONSENSE * width, (f"{value:.1g} is no magnitude one measures",))


def _mantissa(value: float, size: int) -> tuple[int, float]:
    """Decimal digits that say it exactly (0: too many), and bits for the cheapest way to say it."""
    packed = struct.pack(_PACKED[size], value)
    place = int.from_bytes(packed, "big") & (1 << _MANTISSA[size]) - 1
    trailing = (place & -place).bit_length() - 1 if place else _MANTISSA[size]
    binary = min(_MANTISSA[size], _MANTISSA[size] - trailing + 5)
    for digits in range(1, _DIGITS[size] + 1):
        if _packs_to(f"{value:.{digits - 1}e}", size) == packed:
            return digits, min(binary, math.log2(10) * digits + 3)
    return 0, float(binary)


def _packs_to(text: str, size: int) -> bytes:
    try:
        return struct.pack(_PACKED[size], float(text))
    except OverflowError:       # rounded up beyond what the type holds
        return b""


def _place(value: float, size: int) -> int:
    """Which of all numbers of its type it is, counted from 0 up and down: neighbours differ by 1."""
    pattern = int(struct.unpack(_ORDERED[size], struct.pack(_PACKED[size], value))[0])
    top = 1 << 8 * size - 1
    return top - pattern if pattern & top else pattern
