"""What a server says about itself: who it is, its namespaces, its limits, how fit it is to serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Requests
from edge_agent_opcua.limits import NODES, Limits

# Numeric node ids in namespace 0 (Part 6, A.1).
_NAMESPACES: Final = 2255
_MANUFACTURER, _PRODUCT, _PRODUCT_URI, _VERSION = 2263, 2261, 2262, 2264
_STATUS: Final = 2256                   # the whole structure: some servers leave its parts as they found them
_SERVICE_LEVEL: Final = 2267
_EARLIEST: Final = 2000
_SUBSCRIPTIONS: Final = 24098           # ServerCapabilities.MaxSubscriptionsPerSession
_ITEMS: Final = 24104                   # ServerCapabilities.MaxMonitoredItemsPerSubscription
_ASKED: Final = (
    _NAMESPACES, _MANUFACTURER, _PRODUCT, _PRODUCT_URI, _VERSION, _STATUS, _SERVICE_LEVEL, _SUBSCRIPTIONS, _ITEMS,
    *NODES.values(),
)  # fmt: skip

NO_DATA: Final = 1
"""A service level of 1: running, but without data; 0: in maintenance (Part 4, 6.6.2.4.2)."""


@dataclass(slots=True)
class Facts:
    """`service_level` is 255 where the server does not say. `started`: when this run of it began, if it says so."""

    namespaces: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    said: Sequence[str] = ()
    """manufacturer, product, product URI, version"""
    service_level: int = 255
    started: datetime | None = None

    def __str__(self) -> str:
        named = [text for text in (self.said[0], self.said[1], self.said[3]) if text] if self.said else []
        return " ".join(dict.fromkeys(named)) or "a server that does not say who it is"


async def ask(requests: Requests) -> Facts:
    """Read them; a server need not know all of them. Sets the limits of `requests`, too."""
    answers = await requests.attributes([ua.NodeId(number) for number in _ASKED])
    told = dict(zip(_ASKED, (_value(answer) for answer in answers), strict=True))
    limits = requests.limits
    for operation, number in NODES.items():
        limits.at_most(operation, _number(told[number]))
    limits.subscriptions = _number(told[_SUBSCRIPTIONS])
    limits.items_per_subscription = _number(told[_ITEMS])
    level = told[_SERVICE_LEVEL]
    return Facts(
        tuple(told[_NAMESPACES] or ()),
        limits,
        tuple(str(told[number] or "") for number in (_MANUFACTURER, _PRODUCT, _PRODUCT_URI, _VERSION)),
        level if isinstance(level, int) else 255,
        _start(told[_STATUS]),
    )


async def namespaces(requests: Requests) -> tuple[str, ...]:
    """The namespace array as it is now; empty if the server does not tell it."""
    [answer] = await requests.attributes([ua.NodeId(_NAMESPACES)])
    return tuple(_value(answer) or ())


def _value(answer: Any) -> Any:
    good = answer.StatusCode is None or answer.StatusCode.is_good()
    return answer.Value.Value if good and answer.Value is not None else None


def _start(status: Any) -> Any:
    """Its StartTime, if that is a time a server may have been started at."""
    start = getattr(status, "StartTime", None)
    return start if isinstance(start, datetime) and start.year >= _EARLIEST else None


def _number(told: Any) -> int:
    return told if isinstance(told, int) and told > 0 else 0
