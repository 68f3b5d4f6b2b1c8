"""Times of day, dates, local instants and days of the week as people write them in a site file."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from edge_agent.config.finding import did_you_mean
from edge_agent.core.rota import DAYS

# Instants are 64-bit ns; before 1970 nothing was measured.
YEARS: Final = range(1970, 2200)
_WALL: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")


def _wall_time(value: object) -> time:
    if isinstance(value, time):
        return value
    match = _WALL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('is not a time of day; write "06:00" or "22:30"')
    hour, minute, second = (int(part or 0) for part in match.groups())
    if (hour, minute, second) == (24, 0, 0):
        return time(0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError('is not a time of day; the last one is "23:59:59", midnight is "00:00" or "24:00"')
    return time(hour, minute, second)


def _date(value: object) -> date:
    found = _any_date(value)
    if found.year not in YEARS:
        raise ValueError(f"is no date a plan can have; years {YEARS[0]} to {YEARS[-1]}")
    return found


def _any_date(value: object) -> date:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("is not a date; write 2026-10-01")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("is not a date; there is no such day") from error


def _local_instant(value: object) -> datetime:
    found = _any_instant(value)
    _date(found.date())
    return found


def _any_instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("is not a local date and time; write 2026-12-01T06:00, local time without offset")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("is not a date and time; there is no such day or hour") from error


def _since(value: object) -> datetime:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return datetime.combine(_date(value), time())
    if isinstance(value, str) and not _INSTANT.fullmatch(value):
        raise ValueError("is neither a date nor a local date and time; write 2026-07-01 or 2026-07-01T06:00")
    return _local_instant(value)


def _days(value: object) -> tuple[int, ...]:
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise ValueError("names no days; write mon-fri, sat,sun, daily or [mon, wed]")
    days: set[int] = set()
    for word in words:
        days |= {word} if isinstance(word, int) else _day_range(str(word).strip().lower())
    return tuple(sorted(days))


def _day_range(word: str) -> set[int]:
    if word == "daily":
        return set(range(7))
    first, dash, last = (part.strip() for part in word.partition("-"))
    ends = (first, last) if dash else (first,)
    for name in ends:
        if name not in DAYS:
            hint = did_you_mean(name[:3], DAYS, "days")
            raise ValueError(f"names no day of the week with '{name}'; {hint}")
    start = DAYS.index(first)
    return {(start + n) % 7 for n in range((DAYS.index(ends[-1]) - start) % 7 + 1)}


WallTime = Annotated[
    time,
    BeforeValidator(_wall_time),
    WithJsonSchema({"type": "string", "pattern": r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$|^24:00$"}),
]
LocalDate = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
LocalInstant = Annotated[
    datetime,
    BeforeValidator(_local_instant),
    WithJsonSchema({"type": "string", "pattern": f"^{_INSTANT.pattern}$"}),
]
LocalSince = Annotated[
    datetime,
    BeforeValidator(_since),
    WithJsonSchema({"type": "string", "pattern": rf"^{_DATE.pattern}$|^{_INSTANT.pattern}$"}),
]
"""A date, which means its midnight, or a date and time."""
_DAY_OR_RANGE: Final = rf"({'|'.join(DAYS)})(-({'|'.join(DAYS)}))?"
Days = Annotated[
    tuple[int, ...],
    BeforeValidator(_days),
    WithJsonSchema({
        "anyOf": [
            {"type": "string", "pattern": rf"^daily$|^{_DAY_OR_RANGE}(,{_DAY_OR_RANGE})*$"},
            {"type": "array", "items": {"enum": list(DAYS)}, "minItems": 1},
        ]
    }),
]  # fmt: skip
