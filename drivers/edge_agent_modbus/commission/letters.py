"""How much a run of bytes looks like a text: bits it takes to say it, and where it ends. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from edge_agent_modbus.commission.plausible import Cost
from edge_agent_modbus.text import from_wire

# Shorter ones happen by chance too often.
_LEAST: Final = 3
_ABOUT_TEXT: Final = 5.0
_BITS: Final = {"upper": 5.0, "lower": 5.0, "digit": 4.0, "space": 4.0, "mark": 5.5, "other": 7.5}
_MARKS: Final = frozenset("-_./:#+()")
# Pairs of letters that are common in names of things; swapped bytes turn them around.
_PAIRS_TEXT: Final = (
    "th he in er an re on en at ou ed to or it is es ng st ar te se le me ch ma um al ti io ne ra ro ri "
    "li la co de di no pr pu mp ve va lv mo ot fa ta nk ol pe em ev ow fl lo sp sy ys un nt ce ac ag ge "
    "ad dy ru ss il ll ee ea ai ic el na om ca tr us "
)
_PAIRS: Final = frozenset(_PAIRS_TEXT.split())


def length_of(raw: bytes, order: str) -> int:
    """How many characters from the start on look like a text, whole registers; 0 if too few."""
    text = from_wire(raw, len(raw) // 2 if order in ("A", "B") else len(raw), order)
    step = 1 if order in ("A", "B") else 2
    if order in ("A", "B") and any(raw[order == "A" :: 2][: _printable(text, 1)]):
        return 0        # the other half of each register must be empty
    printable = _printable(text, step)
    return printable if len(_shown(text[:printable])) >= _LEAST else 0


def _printable(text: bytes, step: int) -> int:
    """Bytes up to the first group of `step` that is empty, or holds anything but characters and a NUL behind."""
    for n in range(0, len(text), step):
        group = text[n : n + step].rstrip(b"\0")
        if not group or not all(0x20 <= byte < 0x7F for byte in group):
            return n
        if len(group) < step:
            return n + step
    return len(text)


def _shown(text: bytes) -> str:
    return text.partition(b"\0")[0].decode("ascii").rstrip()


def of_text(texts: Sequence[str]) -> Cost:
    """A text of printable characters, read several times."""
    first = texts[0]
    bits = _ABOUT_TEXT + sum(_BITS[_class(char)] for char in first)
    bits += sum(_transition(a, b) for a, b in pairwise(first))
    bits += sum(6.0 * sum(x != y for x, y in zip(a, b, strict=False)) for a, b in pairwise(texts))
    return Cost(max(bits, math.log2(len(first) + 1)), (f"{len(first)} printable characters",))


def _class(char: str) -> str:
    if char.isalpha():
        return "upper" if char.isupper() else "lower"
    if char.isdigit():
        return "digit"
    return "space" if char == " " else "mark" if char in _MARKS else "other"


def _transition(one: str, other: str) -> float:
    """What the second character costs more, or less, behind the first."""
    bits = 0.0
    if (one + other).lower() in _PAIRS:
        bits -= 1.5
    before, after = _class(one), _class(other)
    if before == after:
        return bits - (0.5 if before != "other" else 0.0)
    if (before, after) == ("lower", "upper"):
        return bits + 3.0
    if (before, after) == ("upper", "lower"):
        return bits
    return bits + (0.0 if "space" in (before, after) else 1.0)
