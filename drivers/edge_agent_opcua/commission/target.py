"""What the engineer's tools are given, understood: the URL with its keys, numbers, durations."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge_agent.api import Duration
from edge_agent_opcua.config import OpcUaDevice, address

_DURATION: TypeAdapter[int] = TypeAdapter(Duration)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, and how: the URL with its port, and what a device section says beside it.

    keys  as they were given, for the section that is printed
    """

    url: str
    keys: Mapping[str, Any]
    device: OpcUaDevice


def target_of(url: str, keys: Mapping[str, Any]) -> Target:
    """ValueError says what is wrong with the URL, or with which key."""
    try:
        place = address(url)
    except ValueError as wrong:
        raise ValueError(f"{url!r} {wrong}") from None
    if known := sorted({"driver", "url", "urls", "tags"} & keys.keys()):
        raise ValueError(f"{known[0]} cannot be set here; the URL says whom to ask")
    try:
        device = OpcUaDevice.model_validate({"driver": "opcua", "url": place, **keys})
    except ValidationError as mistakes:
        raise ValueError("; ".join(_mistake(one) for one in mistakes.errors())) from None
    return Target(place, dict(keys), device)


def _mistake(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    what = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, OpcUaDevice.model_fields, 1, 0.5)
        what = "is no key of an OPC UA device" + (f"; did you mean {near[0]}?" if near else "")
    return f"{place}: {what}" if place else what


def check_options(options: Mapping[str, str], known: Collection[str]) -> None:
    """ValueError names an option that the tool does not have."""
    for name in options:
        if name not in known:
            raise ValueError(f"there is no --{name} with an OPC UA server; there are {', '.join(sorted(known))}")


def duration_s(options: Mapping[str, str], name: str, default_s: float) -> float:
    """An option such as 20ms, in seconds."""
    if name not in options:
        return default_s
    try:
        return _DURATION.validate_python(options[name]) / 1e9
    except ValidationError:
        raise ValueError(f"--{name} {options[name]}: not a duration; write for example 20ms or 1s") from None


def whole(options: Mapping[str, str], name: str, default: int, most: int) -> int:
    """An option that is a number from 1 to `most`."""
    text = options.get(name, str(default))
    if text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most:
        return int(text)
    raise ValueError(f"--{name} {text}: not a number from 1 to {most}")
