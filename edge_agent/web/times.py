"""Instants as the API takes and tells them: ISO 8601, in the agent's time zone where nothing else is said."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.core.quantity import SECOND
from edge_agent.core.wall import local, to_ns, wall_to_ns

FOREVER: Final = 1 << 62      # in 2116
# The plus before an offset, which a URL makes a space of where it is not written %2B.
_PLUS: Final = re.compile(r"(?<=:\d\d) (\d\d:?\d\d)$")
_EXAMPLE: Final = "2026-11-23T06:00:00Z or 2026-11-23T06:00 (the agent's time zone)"


class Wrong(ValueError):
    """A request that asks for nothing that can be; says what would be right."""


class Times:
    """Instants of one agent."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def iso(self, t_ns: int) -> str:
        """With the offset of the zone, to the millisecond."""
        moment = local(t_ns, self.zone)
        return moment.replace(microsecond=t_ns % SECOND // 1000).isoformat(timespec="milliseconds")

    def or_null(self, t_ns: int | None) -> str | None:
        """`iso`, of an instant that may be none."""
        return None if t_ns is None else self.iso(t_ns)

    def instant(self, name: str, text: str) -> int:
        """ns UTC, from 1970 to `FOREVER`; raises Wrong, which names the parameter."""
        try:
            moment = datetime.fromisoformat(_PLUS.sub(r"+\1", text.strip()))
            found = to_ns(moment) if moment.tzinfo else wall_to_ns(moment, self.zone)
        except (ValueError, OverflowError):
            raise Wrong(f"{name}: {text[:40]!r} is no time; write ISO 8601, such as {_EXAMPLE}") from None
        return min(max(found, 0), FOREVER)

    def stretch(self, start: str | None, end: str | None, default: tuple[int, int]) -> tuple[int, int]:
        """What `start` and `end` of a request say, ns UTC; raises Wrong unless one comes before the other."""
        low = default[0] if start is None else self.instant("start", start)
        high = default[1] if end is None else self.instant("end", end)
        if low >= high:
            raise Wrong("end: must be after start")
        return low, high
