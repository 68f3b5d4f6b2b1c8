"""Values, times and lengths of time as a person reads them."""

from __future__ import annotations

import re
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.core.quantity import SECOND
from edge_agent.core.wall import local

_LOGIN: Final = re.compile(r"(://[^/\s@:]*):[^/\s]*@")


def shown(value: float | bool | str | None, unit: str = "") -> str:
    """A value for people: `1067`, `23.4 Cel`, `true`, `'A100'`, `no value`."""
    if value is None:
        return "no value"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}'"
    number = f"{value:.15g}" if isinstance(value, float) else str(value)
    return f"{number} {unit}".rstrip()


def length(ns: int) -> str:
    """How long, for people: `0.4 s`, `12.0 s`, `4 min 12 s`, `3 h 5 min`, `2 d 4 h`."""
    seconds = max(ns, 0) / SECOND
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, below, rest in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // below} {rest}"
    return f"{whole} s"


def clock(t_ns: int, now: int, zone: ZoneInfo) -> str:
    """The local time of an instant, with its date if that is not today's."""
    at = local(t_ns, zone)
    return f"{at:%H:%M:%S}" if at.date() == local(now, zone).date() else f"{at:%Y-%m-%d %H:%M:%S}"


def without_password(text: str) -> str:
    """The text with the passwords of all URLs in it taken out."""
    return _LOGIN.sub(r"\1:***@", text)
