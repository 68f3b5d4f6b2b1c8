"""What an asyncua server does wrong when told: its services, subscriptions and monitored items, with faults.

`Faults` says what is wrong at present; `install(server, faults)` puts it in. Some things the library's server
does wrong by itself are put right here, so that only what a test asks for is out of order: Republish and Transfer
behave as Part 4, 5.14.6 and 5.14.7 say, a queue that overflows says so, requests of a closed session are refused.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.server import binary_server_asyncio, internal_subscription, subscription_service
from asyncua.server.internal_session import SessionState
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService, MonitoredItemValues
from asyncua.server.uaprocessor import PublishRequestData, UaProcessor

SERVICE = {
    number: name.removesuffix("Request_Encoding_DefaultBinary")
    for name, number in vars(ua.ObjectIds).items()
    if name.endswith("Request_Encoding_DefaultBinary")
}
WITHOUT_SESSION = {"CreateSession", "ActivateSession", "GetEndpoints", "FindServers", "CloseSecureChannel"}
OPERATIONS = {          # service → what its body holds, and where the operations are in it
    "Read": (ua.ReadParameters, "NodesToRead"),
    "Write": (ua.WriteParameters, "NodesToWrite"),
    "Browse": (ua.BrowseParameters, "NodesToBrowse"),
    "RegisterNodes": (ua.RegisterNodesParameters, "NodesToRegister"),
    "TranslateBrowsePathsToNodeIds": (ua.TranslateBrowsePathsToNodeIdsParameters, "BrowsePaths"),
    "CreateMonitoredItems": (ua.CreateMonitoredItemsParameters, "ItemsToCreate"),
}
OVERFLOW = 0x0480       # info type "data value", overflow bit (Part 4, 7.39)


@dataclass
class Faults:
    """All that may be wrong; what is empty, zero or false is in order."""

    fail: dict[str, str] = field(default_factory=dict)
    """service → the StatusCode every request for it is answered with"""
    ignore: set[str] = field(default_factory=set)
    """services that never answer"""
    left: dict[str, int] = field(default_factory=dict)
    """service → after so many failed or ignored requests it is in order again"""
    most: dict[str, int] = field(default_factory=dict)
    """service → operations in one request, beyond which it says BadTooManyOperations"""
    refuse: dict[str, str] = field(default_factory=dict)
    """identifier of a node → StatusCode of its monitored items and reads"""
    filters: str = ""
    """StatusCode for every monitored item with a filter"""
    items: int = 0
    """monitored items in one subscription, beyond which it says BadTooManyMonitoredItems"""
    subscriptions: int = 0
    """subscriptions, beyond which it says BadTooManySubscriptions"""
    transfer: str = ""
    """StatusCode for each subscription to be transferred"""
    lose: int = 0
    """so many messages of data that are not sent"""
    forget: bool = False
    """nothing is kept for Republish"""
    per_message: int = 0
    """changes in one message; the rest follows in others"""
    twice: int = 0
    """so many publish requests that are answered twice"""
    no_keepalive: bool = False
    """nothing is sent as long as nothing changes"""
    clock: float | str = 0.0
    """seconds by which source times are ahead, or a date since which the clock has run from the server's start"""
    frozen_clock: bool = False
    """every source time is the same"""


class Quirky:
    """One server with its faults, and what it has been asked: requests and operations by service."""

    def __init__(self, server: Server, faults: Faults) -> None:
        self.server, self.faults = server, faults
        self.requests: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.processors: list[QuirkProcessor] = []

    @property
    def sessions(self) -> list[Any]:
        return list(self.server.iserver._external_sessions.values())

    @property
    def subscriptions(self) -> list[Any]:
        return list(self.server.iserver.subscription_service.subscriptions.values())


HERE: Quirky        # the one of this process: the library makes its parts itself, without any argument of ours


class QuirkProcessor(UaProcessor):
    """Answers the requests of one connection."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        HERE.processors.append(self)

    async def _process_message(self, typeid: Any, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        service = SERVICE.get(typeid.Identifier, str(typeid.Identifier))
        HERE.requests[service] += 1
        if self._is_ignored(service):
            return True
        self._check(service, body)
        if service == "Republish":
            self._check_republish(body)
        if service == "Publish":
            self._check_publish()
        answer = await super()._process_message(typeid, requesthdr, seqhdr, body)
        if service == "TransferSubscriptions":
            for sub in HERE.subscriptions:
                if sub.session_id == self.session.session_id:
                    sub.pub_request_callback = self.get_publish_request
        return answer

    def _is_ignored(self, service: str) -> bool:
        return service in HERE.faults.ignore and self._is_due(service)

    def _is_due(self, service: str) -> bool:
        left = HERE.faults.left.get(service)
        if left is not None:
            HERE.faults.left[service] = left - 1
        return left is None or left > 0

    def _check(self, service: str, body: Any) -> None:
        faults = HERE.faults
        for key in (service, "*"):
            if key in faults.fail and self._is_due(key):
                raise ServiceError(getattr(ua.StatusCodes, faults.fail[key]))
        closed = self.session is not None and self.session.state is SessionState.Closed
        if closed and service not in WITHOUT_SESSION:
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        if service in OPERATIONS:
            model, name = OPERATIONS[service]
            count = len(getattr(ua.ua_binary.struct_from_binary(model, body.copy()), name))
            HERE.operations[service] += count
            if count > faults.most.get(service, count):
                raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        if service == "CreateSubscription" and 0 < faults.subscriptions <= len(HERE.subscriptions):
            raise ServiceError(ua.StatusCodes.BadTooManySubscriptions)

    def _check_republish(self, body: Any) -> None:
        params = ua.ua_binary.struct_from_binary(ua.RepublishParameters, body.copy())
        sub = self.iserver.subscription_service.subscriptions.get(params.SubscriptionId)
        if sub is None or self.session is None or sub.session_id != self.session.session_id:
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)
        if params.RetransmitSequenceNumber not in sub._not_acknowledged_results:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)

    def _check_publish(self) -> None:
        if self.session is not None and not any(s.session_id == self.session.session_id for s in HERE.subscriptions):
            raise ServiceError(ua.StatusCodes.BadNoSubscription)

    async def forward_publish_response(self, result: Any, requestdata: PublishRequestData) -> None:
        await super().forward_publish_response(result, requestdata)
        if HERE.faults.twice > 0:
            HERE.faults.twice -= 1
            await super().forward_publish_response(result, requestdata)

    def answer_waiting(self, status: str) -> None:
        """Every publish request that waits here fails."""
        while self._publish_requests:
            waiting = self._publish_requests.popleft()
            response = ua.ServiceFault()
            response.ResponseHeader.ServiceResult = ua.StatusCode(getattr(ua.StatusCodes, status))
            self.send_response(waiting.requesthdr.RequestHandle, waiting.seqhdr, response)


class QuirkSubscription(InternalSubscription):
    """Numbers, keeps, loses and divides messages as told."""

    def has_published_results(self) -> bool:
        if self._triggered_statuschanges:
            return True
        due = bool(super().has_published_results())
        idle = not (self._startup or self._triggered_datachanges or self._triggered_events)
        return due and not (idle and HERE.faults.no_keepalive)

    async def publish_results(self, requestdata: Any = None) -> bool:
        sent = await super().publish_results(requestdata)
        while sent and self._triggered_datachanges and HERE.faults.per_message:
            if not await super().publish_results():
                break
        return sent

    def _pop_publish_result(self) -> Any:
        faults = HERE.faults
        result = super()._pop_publish_result()
        while faults.lose > 0 and result.NotificationMessage.NotificationData:
            faults.lose -= 1
            self._keep_nothing_if_told()
            result = super()._pop_publish_result()
        self._keep_nothing_if_told()
        result.MoreNotifications = bool(self._triggered_datachanges)
        result.AvailableSequenceNumbers = list(self._not_acknowledged_results)
        return result

    def _keep_nothing_if_told(self) -> None:
        if HERE.faults.forget:
            self._not_acknowledged_results.clear()

    def _pop_triggered_datachanges(self, result: Any) -> None:
        room = HERE.faults.per_message
        waiting = self._triggered_datachanges
        if room and sum(map(len, waiting.values())) > room:
            now: dict[int, list[Any]] = {}
            later: dict[int, list[Any]] = {}
            for item, changes in waiting.items():
                now[item], later[item] = changes[:room], changes[room:]
                room -= len(now[item])
            self._triggered_datachanges = {item: changes for item, changes in now.items() if changes}
            super()._pop_triggered_datachanges(result)
            self._triggered_datachanges = {item: changes for item, changes in later.items() if changes}
        else:
            super()._pop_triggered_datachanges(result)

    def republish(self, nb: int) -> Any:
        """Kept until acknowledged: it may get lost once more."""
        return self._not_acknowledged_results[nb].NotificationMessage

    async def _enqueue_event(self, mid: int, eventdata: Any, size: int, queue: dict[int, list[Any]]) -> None:
        overflows = size > 1 and len(queue.get(mid, ())) >= size
        await super()._enqueue_event(mid, eventdata, size, queue)
        if overflows and queue is self._triggered_datachanges:
            oldest = copy.copy(queue[mid][0])
            oldest.Value = dataclasses.replace(
                oldest.Value, StatusCode=ua.StatusCode(oldest.Value.StatusCode.value | OVERFLOW)
            )
            queue[mid][0] = oldest

    async def end(self, status: str) -> None:
        """Say that it ends, and end."""
        self._triggered_statuschanges.append(ua.StatusCode(getattr(ua.StatusCodes, status)))
        await self.publish_results()


class QuirkItems(MonitoredItemService):
    """Refuses items as told."""

    async def _create_data_change_monitored_item(self, params: Any) -> Any:
        faults, parameters = HERE.faults, params.RequestedParameters
        refusal = faults.refuse.get(str(params.ItemToMonitor.NodeId.Identifier), "")
        if faults.filters and isinstance(parameters.Filter, ua.DataChangeFilter):
            refusal = faults.filters
        if 0 < faults.items <= len(self._monitored_items):
            refusal = "BadTooManyMonitoredItems"
        if not refusal:
            return await super()._create_data_change_monitored_item(params)
        result, _ = self._make_monitored_item_common(params)
        result.StatusCode = ua.StatusCode(getattr(ua.StatusCodes, refusal))
        return result


def _keep_without_copying(self: MonitoredItemValues, value: Any) -> None:
    self.old_dvalue, self.current_dvalue = self.current_dvalue, value     # ours are never changed once written


def install(server: Server, faults: Faults) -> Quirky:
    """Make the server of this process obey `faults`."""
    global HERE
    HERE = Quirky(server, faults)
    binary_server_asyncio.UaProcessor = QuirkProcessor
    subscription_service.InternalSubscription = QuirkSubscription
    internal_subscription.MonitoredItemService = QuirkItems
    MonitoredItemValues.set_current_datavalue = _keep_without_copying
    service, space = server.iserver.subscription_service, server.iserver.aspace
    transfer, read = service.transfer_subscriptions, space.read_attribute_value

    async def transfer_or_not(params: Any, session_id: Any, callback: Any) -> Any:
        if faults.transfer:
            refused = ua.StatusCode(getattr(ua.StatusCodes, faults.transfer))
            return [ua.TransferResult(StatusCode=refused) for _ in params.SubscriptionIds]
        return await transfer(params, session_id, callback)

    def read_or_not(node: Any, attribute: Any) -> Any:
        refusal = faults.refuse.get(str(node.Identifier)) if attribute == ua.AttributeIds.Value else None
        if refusal:
            return ua.DataValue(StatusCode=ua.StatusCode(getattr(ua.StatusCodes, refusal)))
        return read(node, attribute)

    service.transfer_subscriptions = transfer_or_not
    space.read_attribute_value = read_or_not
    return HERE


async def drop_sessions(here: Quirky, answer: str, subscriptions: bool = True) -> None:
    """Every session ends without a word, or with one for the publish requests that wait; with its subscriptions or
    without."""
    for session in here.sessions:
        await session.close_session(subscriptions)
    if answer:
        for processor in here.processors:
            processor.answer_waiting(answer)


async def drop_subscriptions(here: Quirky, answer: str) -> None:
    """Every subscription ends without a word, or with one for the publish requests that wait."""
    ids = [sub.data.SubscriptionId for sub in here.subscriptions]
    await here.server.iserver.subscription_service.delete_subscriptions(ids)
    if answer:
        for processor in here.processors:
            processor.answer_waiting(answer)


async def expire_subscriptions(here: Quirky, status: str) -> None:
    """Every subscription says that it ends, then does."""
    for sub in here.subscriptions:
        await sub.end(status)
    await drop_subscriptions(here, "BadNoSubscription")
