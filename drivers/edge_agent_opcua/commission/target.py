"""What the engineer's tools are given, understood: the URL with its keys, numbers, durations."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from edge_agent_opcua.config import OpcUaDevice, address


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
