"""Durations and sizes as people write them: `500ms`, `1s`, `5min`, `8h`, `30d`; `512MB`, `2GB`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

NS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
BYTES: Final = {"B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}
SECOND: Final = NS["s"]

_FORM: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*")


def duration_ns(text: str) -> int:
    """`"1.5s"` → 1_500_000_000. ValueError says what would be right."""
    return _whole(text, NS, "a duration", "write a number with a unit, such as 500ms, 1s, 5min, 8h or 30d")


def size_bytes(text: str) -> int:
    """`"512MB"` → 512_000_000. ValueError says what would be right."""
    return _whole(text, BYTES, "a size", "write a number with a unit, such as 64MB or 2GB")


def exact_duration_ns(text: str) -> Fraction:
    """Like `duration_ns` but exact: an ideal cycle of `0.0416666667s` keeps every digit written."""
    match = _FORM.fullmatch(text)
    if match is None or match[2] not in NS:
        raise ValueError("is not a duration; write a number with a unit, such as 1.2s or 850ms")
    return Fraction(match[1]) * NS[match[2]]


def format_ns(ns: int) -> str:
    """A duration for people, with the largest unit that leaves it whole: 90 s → `90s`, 300 s → `5min`."""
    for unit in ("d", "h", "min", "s", "ms", "us"):
        if ns and ns % NS[unit] == 0:
            return f"{ns // NS[unit]}{unit}"
    return f"{ns}ns" if ns else "0s"


def format_bytes(n: float) -> str:
    """A size for people: `4.2 MB`."""
    for unit, one in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= one:
            return f"{n / one:.1f} {unit}"
    return f"{n:.0f} B"


def _whole(text: str, units: dict[str, int], what: str, right: str) -> int:
    match = _FORM.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError(f"is not {what}; {right}")
    return round(Fraction(match[1]) * units[match[2]])
