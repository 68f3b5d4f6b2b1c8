"""Which windows are asked for: a kind, or one stretch of time between two instants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.core.wall import day_start, to_ns, wall_to_ns

CUSTOM: Final = "span"
"""Kind and name of a window that is no shift, hour or day."""

_DIGITS: Final = 9
_FORM: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d+))?(Z|[+-]\d{2}(?::?\d{2})?)?)?"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Windows of `kind`, those that overlap the history; or, where `kind` is `CUSTOM`, the one [start, end).

    `as_of`, ns UTC: as it was known then; None: with everything the history has.
    """

    kind: str
    start: int = 0
    end: int = 0
    as_of: int | None = None


def asked(window: str, as_of: str | None, zone: str, kinds: tuple[str, ...]) -> Asked:
    """From `shift` or `START/END`; `as_of` is an instant. ValueError says what would be right."""
    until = None if as_of is None else instant(as_of, zone)
    if "/" not in window:
        if window not in kinds:
            raise ValueError(f"{window!r} is no window; write {', '.join(kinds)}, or START/END such as "
                             "2026-11-23T06:00/2026-11-23T14:00")  # fmt: skip
        return Asked(window, as_of=until)
    first, _, last = window.partition("/")
    start, end = instant(first, zone), instant(last, zone)
    if start >= end:
        raise ValueError(f"{window!r} ends before it begins; write START/END, the earlier first")
    return Asked(CUSTOM, start, end, until)


def instant(text: str, zone: str) -> int:
    """ns UTC of an ISO 8601 instant, to the nanosecond; without an offset by the clock in `zone`, a date is its
    first instant. ValueError says what would be right."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no instant; write 2026-11-23T06:00:00+08:00, or without offset for local time")
    day, clock, fraction, offset = match.groups()
    try:
        if clock is None:
            return day_start(date.fromisoformat(day), ZoneInfo(zone))
        wall = datetime.fromisoformat(f"{day}T{clock}")
        whole = wall_to_ns(wall, zone) if offset is None else to_ns(_aware(wall, offset))
    except (ValueError, OverflowError) as problem:
        raise ValueError(f"{text!r} is no instant: {problem}") from problem
    return whole + _fraction(fraction or "", text)


def instant_with_offset(text: str) -> int:
    """The same for a sample, which must say its offset."""
    match = _FORM.fullmatch(text.strip())
    if match is not None and match[4] is None:
        raise ValueError(f"{text!r} has no offset; write {text.strip()}+08:00, or Z for UTC")
    return instant(text, "UTC")


def _aware(wall: datetime, offset: str) -> datetime:
    if offset == "Z":
        return wall.replace(tzinfo=UTC)
    return datetime.fromisoformat(f"{wall.isoformat()}{offset}")


def _fraction(digits: str, text: str) -> int:
    if digits[_DIGITS:].strip("0"):
        raise ValueError(f"{text!r} has more than {_DIGITS} digits behind the second")
    return int(digits[:_DIGITS].ljust(_DIGITS, "0"))
