"""What the engineer's tools are given, understood: the URL with its keys, ranges of numbers, durations."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import ValidationError

from edge_agent_modbus.config import ModbusDevice
from edge_agent_modbus.line import Line, parse_line
from edge_agent_modbus.settings import Settings


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, and how: the URL as a device section would have it, with `keys` beside it."""

    url: str
    keys: Mapping[str, Any]
    line: Line
    settings: Settings
    base: int
    """the number of the first address, 0 or 1"""
    has_timeout: bool
    """whether the timeout was said, and is not the default"""

    def url_of(self, unit: int) -> str:
        """The same URL for another unit."""
        parts = urlsplit(self.url)
        query = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key != "unit"]
        options = urlencode([("unit", str(unit)), *query], safe="/")
        # put together by hand: urlunsplit loses the empty host of a serial port's three slashes
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}?{options}"


def target_of(url: str, keys: Mapping[str, Any]) -> Target:
    """ValueError says what is wrong with the URL, or with which key."""
    line = parse_line(url)
    if wrong := sorted({"driver", "url", "urls", "tags"} & keys.keys()):
        raise ValueError(f"{wrong[0]} cannot be set here; the URL says whom to ask")
    try:
        device = ModbusDevice.model_validate({"driver": "modbus", "url": url, **keys})
    except ValidationError as mistakes:
        raise ValueError("; ".join(_mistake(one) for one in mistakes.errors())) from None
    has_timeout = "timeout" in line.options or "timeout" in keys
    return Target(url, dict(keys), line, device.settings(), device.base, has_timeout)


def _mistake(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    what = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, ModbusDevice.model_fields, 1, 0.5)
        what = "is no key of a Modbus device" + (f"; did you mean {near[0]}?" if near else "")
    return f"{place}: {what}" if place else what


def numbers(name: str, text: str, least: int, most: int) -> list[int]:
    """`1-3,7` → [1, 2, 3, 7], in that order, each once."""
    found: dict[int, None] = {}
    for piece in text.split(","):
        first, dash, last = piece.strip().partition("-")
        ends = [first, last if dash else first]
        if not all(end.isascii() and end.isdecimal() and len(end) < 10 for end in ends):
            raise ValueError(f"--{name} {text}: not numbers; write for example 1-20,247")
        low, high = map(int, ends)
        if not least <= low <= high <= most:
            raise ValueError(f"--{name} {text}: {piece.strip()} is not within {least}-{most}, or runs backwards")
        found.update(dict.fromkeys(range(low, high + 1)))
    return list(found)
