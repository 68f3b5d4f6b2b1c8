"""Monitored items: asked for as configured, then as the server will have them.

What a server refuses is tried again with less: without deadband, then without any filter. What it will never have
(no such node, not readable) is told with its reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Requests
from edge_agent_opcua.codes import codes
from edge_agent_opcua.limits import Operation

# The server understands the item, but not its filter (Part 4, 7.22.2 and 5.13.2).
_FILTER: Final = codes(
    "BadMonitoredItemFilterUnsupported", "BadMonitoredItemFilterInvalid", "BadFilterNotAllowed",
    "BadDeadbandFilterInvalid", "BadFilterOperatorUnsupported",
)  # fmt: skip
FULL: Final = frozenset({ua.StatusCodes.BadTooManyMonitoredItems, ua.StatusCodes.BadOutOfMemory})
"""The subscription (or the server) takes no more items."""

_TRIGGERS: Final = {
    "status": ua.DataChangeTrigger.Status,
    "value": ua.DataChangeTrigger.StatusValue,
    "timestamp": ua.DataChangeTrigger.StatusValueTimestamp,
}
_NO_DEADBAND, _ABSOLUTE, _PERCENT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Item:
    """A variable to be monitored; `handle` comes back with each of its changes."""

    handle: int
    node: Any
    sample_ns: int
    queue: int
    index: str = ""
    discard_oldest: bool = True
    trigger: str = "value"
    deadband: float = 0.0
    percent: bool = False

    @property
    def is_filtered(self) -> bool:
        """Whether it is more than a plain item."""
        return bool(self.deadband) or self.trigger != "value"

    def plainer(self) -> Item:
        """The same with one wish less."""
        if self.deadband:
            return replace(self, deadband=0.0, percent=False)
        return replace(self, trigger="value")

    def request(self) -> Any:
        """As CreateMonitoredItems wants it."""
        parameters = ua.MonitoringParameters(
            ClientHandle=self.handle,
            SamplingInterval=self.sample_ns / 1e6,
            QueueSize=self.queue,
            DiscardOldest=self.discard_oldest,
        )
        if self.is_filtered:
            kind = (_PERCENT if self.percent else _ABSOLUTE) if self.deadband else _NO_DEADBAND
            parameters.Filter = ua.DataChangeFilter(
                Trigger=_TRIGGERS[self.trigger], DeadbandType=kind, DeadbandValue=self.deadband
            )
        what = ua.ReadValueId(NodeId=self.node, AttributeId=ua.AttributeIds.Value, IndexRange=self.index or None)
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=what, MonitoringMode=ua.MonitoringMode.Reporting, RequestedParameters=parameters
        )


@dataclass(frozen=True, slots=True)
class Granted:
    """The server's answer for one item.

    id       of the monitored item; 0 if there is none
    status   the StatusCode with which it was refused, 0 if it is monitored
    less     what it is monitored without, '' if nothing: for `why`
    """

    id: int
    status: int
    sample_ns: int = 0
    queue: int = 0
    less: str = ""


Create = Callable[[Any], Awaitable[Any]]
"""`session.create_monitored_items`"""


async def monitor(
    requests: Requests, create: Create, subscription: int, items: Sequence[Item], *, filters: bool = True
) -> list[Granted]:
    """Add items to a subscription; answers in the order of `items`. `filters`: whether to ask for any."""

    def ask(part: Sequence[Item]) -> Awaitable[Sequence[Any]]:
        params = ua.CreateMonitoredItemsParameters()
        params.SubscriptionId = subscription
        params.TimestampsToReturn = ua.TimestampsToReturn.Both
        params.ItemsToCreate = [item.request() for item in part]
        return create(params)

    wanted = list(items) if filters else [replace(item, trigger="value", deadband=0.0) for item in items]
    answers: list[Any] = await requests.in_parts(Operation.MONITOR, wanted, ask)
    while again := [n for n, answer in enumerate(answers) if _is_filter(answer) and wanted[n].is_filtered]:
        for n in again:
            wanted[n] = wanted[n].plainer()
        answered = await requests.in_parts(Operation.MONITOR, [wanted[n] for n in again], ask)
        for n, answer in zip(again, answered, strict=True):
            answers[n] = answer
    return [_granted(item, had, answer) for item, had, answer in zip(items, wanted, answers, strict=True)]


def _is_filter(answer: Any) -> bool:
    return int(answer.StatusCode.value) in _FILTER


def _granted(item: Item, had: Item, answer: Any) -> Granted:
    if not answer.StatusCode.is_good():
        return Granted(0, int(answer.StatusCode.value))
    less = []
    if item.deadband and not had.deadband:
        less.append(f"the deadband of {item.deadband:g}{' %' if item.percent else ''}")
    if item.trigger != had.trigger:
        less.append(f"the trigger {item.trigger}")
    sample = max(0, round(answer.RevisedSamplingInterval * 1e6))
    return Granted(answer.MonitoredItemId, 0, sample, answer.RevisedQueueSize, " and ".join(less))


async def forget(session: Any, requests: Requests, subscription: int, ids: Sequence[int]) -> None:
    """Take items out of a subscription; ones the server does not know are none."""

    def ask(part: Sequence[int]) -> Awaitable[Sequence[Any]]:
        params = ua.DeleteMonitoredItemsParameters(SubscriptionId=subscription, MonitoredItemIds=list(part))
        return session.delete_monitored_items(params)  # type: ignore[no-any-return]  # asyncua is not typed

    await requests.in_parts(Operation.MONITOR, list(ids), ask)
