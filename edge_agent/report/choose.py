"""Which windows a report is about: the latest of a kind, all of a production date, or any stretch of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.core.report import Window
from edge_agent.core.wall import DAY, day_at, day_start
from edge_agent.replay.window import CUSTOM, instant

# The latest shift is looked for so far back: longer than works holidays.
BACK_NS: Final = 40 * DAY


@dataclass(frozen=True, slots=True)
class Asked:
    """Windows of `kind`: those of production date `day`, or the latest (None); for `CUSTOM`, [start, end), ns UTC."""

    kind: str
    day: date | None = None
    start: int = 0
    end: int = 0


def asked(window: str, day: str | None, zone: str, kinds: tuple[str, ...]) -> Asked:
    """From what was typed: `shift`, or `START/END` in ISO 8601. ValueError says what would be right."""
    if "/" not in window:
        if window not in kinds:
            raise ValueError(f"{window!r} is no window; write {', '.join(kinds)}, or START/END such as "
                             "2026-11-23T06:00/2026-11-23T14:00")  # fmt: skip
        return Asked(window, None if day is None else _date(day))
    if day is not None:
        raise ValueError("a date belongs to a kind of window, not to START/END")
    first, _, last = window.partition("/")
    start, end = instant(first, zone), instant(last, zone)
    if start >= end:
        raise ValueError(f"{window!r} ends before it begins; write START/END, the earlier first")
    return Asked(CUSTOM, None, start, end)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise ValueError(f"{text!r} is no date; write it as 2026-11-23") from problem


def windows(
    calendar: Callable[[str, int, int], list[Window]], zone: str, asked: Asked, began: int, until: int
) -> list[Window]:
    """The windows asked for, oldest first, of which something may be known: the journal covers [began, until).

    `calendar` gives the windows of a kind that overlap a stretch of time: a machine's, or those of a line.
    """
    if asked.kind == CUSTOM:
        return [Window(CUSTOM, CUSTOM, asked.start, asked.end, day_at(asked.start, ZoneInfo(zone)), zone)]
    if asked.day is not None:
        midnight = day_start(asked.day, ZoneInfo(zone))
        found = calendar(asked.kind, midnight - DAY, midnight + 2 * DAY)
        return [window for window in found if window.production_date == asked.day and window.start < until]
    found = [window for window in calendar(asked.kind, until - BACK_NS, until) if window.end > began]
    ended = [window for window in found if window.end <= until]
    return ended[-1:] or found[-1:]
