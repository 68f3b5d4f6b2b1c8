"""The alarms of one device in one session: what its server is asked for, and what becomes of what it sends.

    watch = AlarmWatch(model, namespaces, clock)      # ValueError: the node's namespace is not on this server
    await watch.learn(requests)                       # event types: names, and which are kinds of which
    request = watch.item(handle)                      # to be monitored; refused? `request = watch.fallback(status)`
    await watch.refresh(requests, subscription)       # now, and whenever `watch.wants_refresh()`
    told += watch.take(fields)                        # of each event of that handle
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from asyncua import ua

from edge_agent.api import AccessDenied, AlarmChange, AlarmMark, Clock, NotConnected
from edge_agent_opcua import nodeid
from edge_agent_opcua.asking import Requests
from edge_agent_opcua.codes import codes
from edge_agent_opcua.conditions import Told, change, key_of, told
from edge_agent_opcua.event_filter import (
    BASE,
    CONDITION,
    MARKS,
    OVERFLOW,
    REFRESH_END,
    REFRESH_REQUIRED,
    REFRESH_START,
    chooses,
    event_filter,
)
from edge_agent_opcua.options import AlarmsModel

# What a burst may bring between two publishes; some 1 MB at the server.
QUEUE: Final = 1000
# A server whose queue overflows while it tells everything again must not be asked for that all the time.
REFRESH_EVERY_NS: Final = 30_000_000_000
# Types of events of a large server, and conditions whose last time is kept; both only bound memory.
TYPES_KEPT: Final = 5_000
CONDITIONS_KEPT: Final = 20_000

_HAS_SUBTYPE: Final = ua.NodeId(ua.ObjectIds.HasSubtype)
_REFRESH: Final = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)

# The server takes the item, but not its filter, or not all of it (Part 4, 5.13.2 and 7.22).
_FILTER: Final = codes(
    "BadFilterNotAllowed", "BadEventFilterInvalid", "BadContentFilterInvalid", "BadFilterOperatorInvalid",
    "BadFilterOperatorUnsupported", "BadFilterOperandCountMismatch", "BadFilterOperandInvalid",
    "BadFilterElementInvalid", "BadFilterLiteralInvalid", "BadMonitoredItemFilterInvalid",
    "BadMonitoredItemFilterUnsupported", "BadTypeDefinitionInvalid", "BadBrowseNameInvalid", "BadTypeMismatch",
)  # fmt: skip
# The server has no methods at all, or none for us: that ends no session.
_NO_CALLS: Final = codes("BadServiceUnsupported", "BadNotSupported", "BadNotImplemented", "BadUserAccessDenied")
# What it is asked for, from the most exact: with a where clause?, each field with the type that defines it?
_FORMS: Final = ((True, True), (False, True), (False, False))


class AlarmWatch:
    """One session's; `namespaces` are those of its server. Without `types`, all conditions are wanted."""

    def __init__(self, model: AlarmsModel, namespaces: Sequence[str], clock: Clock) -> None:
        self.node = _resolved(model.node, namespaces)
        if self.node is None:
            raise ValueError(f"the server has no namespace {nodeid.parse(model.node).uri}")
        self.refusal = ""
        """why the server does not tell its present conditions, '' if it does"""
        self._model = model
        self._namespaces = namespaces
        self._clock = clock
        self._handle = 0
        self._form = 0
        named = {text: _resolved(text, namespaces) for text in model.types}
        self.missing = tuple(text for text, node in named.items() if node is None)
        """types whose namespace is not on this server, so that no event has them"""
        self._types = {node for node in named.values() if node is not None} if model.types else {CONDITION}
        self._names: dict[Any, str] = {}
        self._kinds = set(self._types)              # of event types that are wanted, with their subtypes
        self._known: set[Any] = set()               # of which it is known whether they are wanted
        self._latest: OrderedDict[str, int] = OrderedDict()
        self._shown: set[str] = set()               # conditions that were told as active
        self._refreshing = False
        self._required = False
        self._refreshed_ns = 0

    # -- asking --------------------------------------------------------------------------------

    async def learn(self, requests: Requests) -> None:
        """Learn the server's event types; where it does not let them be browsed, the standard ones are known."""
        level, seen = [(BASE, BASE in self._types)], {BASE}
        while level and len(seen) < TYPES_KEPT:
            answers = await requests.browse([node for node, _ in level], references=_HAS_SUBTYPE)
            following = []
            for (_, wanted), answer in zip(level, answers, strict=True):
                for reference in answer.references:
                    node = _plain(reference.NodeId)
                    if node in seen:
                        continue
                    seen.add(node)
                    self._names[node] = reference.BrowseName.Name
                    following.append((node, wanted or node in self._types))
            self._kinds |= {node for node, wanted in following if wanted}
            level = following
        self._known = seen if len(seen) > 1 else set()

    def item(self, handle: int) -> Any:
        """The `ua.MonitoredItemCreateRequest`; `handle` comes back with each event."""
        self._handle = handle
        return self._request()

    def fallback(self, status: int) -> Any | None:
        """The item with less of a filter, after a refusal with `status`; None: that was not what is wrong."""
        if status not in _FILTER or self._form + 1 >= len(_FORMS):
            return None
        self._form += 1
        return self._request()

    def _request(self) -> Any:
        where, specific = _FORMS[self._form]
        kinds = self._asked()
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=self.node, AttributeId=ua.AttributeIds.EventNotifier),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=self._handle,
                SamplingInterval=0,
                Filter=event_filter(self._model.severity, kinds, where=where, specific=specific),
                QueueSize=QUEUE,
                DiscardOldest=True,
            ),
        )

    def _asked(self) -> list[Any]:
        """The types the server is asked to choose; where all conditions are wanted, it is not asked to."""
        return sorted(self._kinds, key=lambda node: str(node.to_string())) if self._model.types else []

    async def refresh(self, requests: Requests, subscription: int) -> bool:
        """Have all present conditions told again, over the subscription (Part 9, 5.5.7). False: the server does
        not do that, now or ever (`refusal` says why); the session goes on without."""
        self._required, self._refreshed_ns = False, self._clock()
        argument = ua.Variant(subscription, ua.VariantType.UInt32)
        call = ua.CallMethodRequest(ObjectId=CONDITION, MethodId=_REFRESH, InputArguments=[argument])
        try:
            [answer] = await requests.call([call])
        except (ua.UaStatusCodeError, NotConnected, AccessDenied) as error:
            cause = error if isinstance(error, ua.UaStatusCodeError) else error.__cause__
            if not isinstance(cause, ua.UaStatusCodeError) or cause.code not in _NO_CALLS:
                raise
            status = ua.StatusCode(cause.code)
        else:
            status = answer.StatusCode
        # One is under way, somebody else's perhaps: ours is due once it has ended.
        self._required = status.value == ua.StatusCodes.BadRefreshInProgress
        self.refusal = "" if status.is_good() or self._required else str(status.name)
        return bool(status.is_good())

    def wants_refresh(self) -> bool:
        """Whether something was lost, or the server asks for it, and the last time was long enough ago."""
        due = self._clock() - self._refreshed_ns >= REFRESH_EVERY_NS
        return self._required and due and not self.refusal

    # -- what comes ----------------------------------------------------------------------------

    def take(self, fields: Sequence[Any]) -> list[AlarmChange | AlarmMark]:
        """What one event, its fields as the library's Variants, means; nothing if it is not wanted."""
        event, now = told(fields), self._clock()
        name = self._name(event.type)
        if event.type in MARKS:
            return self._marked(event, name, now)
        if not self._is_wanted(event):
            return []
        return [self._in_order(change(event, name, self._namespaces, now))]

    def _marked(self, event: Told, name: str, now: int) -> list[AlarmChange | AlarmMark]:
        if event.type in (REFRESH_START, REFRESH_END):
            self._refreshing = event.type == REFRESH_START
            return [AlarmMark.BEGIN if self._refreshing else AlarmMark.END]
        self._required = True
        if event.type == REFRESH_REQUIRED:
            return []
        assert event.type == OVERFLOW
        return [AlarmMark.LOST, change(event, name, self._namespaces, now)]

    def _is_wanted(self, event: Told) -> bool:
        pattern = self._model.source
        if pattern is not None and not fnmatchcase(event.source or "", pattern):
            return False
        if event.branch is None and event.active is not False and (event.severity or 1) < self._model.severity:
            # An alarm that gets less severe is the same alarm.
            return event.active is True and key_of(event, self._namespaces) in self._shown
        if event.type in self._known or event.type in self._kinds:
            return event.type in self._kinds
        # Of a type that nobody told of: what it is like decides, unless the server has chosen.
        if BASE in self._types or (_FORMS[self._form][0] and chooses(self._asked())):
            return True
        return CONDITION in self._types and event.is_condition

    def _in_order(self, one: AlarmChange) -> AlarmChange:
        """Changes of a condition come in their order (Part 4, 5.13.1.5): one that is dated before its forerunner is
        dated by our clock. What a refresh tells may be old."""
        if one.active is None or one.past:
            return one
        if one.active and len(self._shown) < CONDITIONS_KEPT:
            self._shown.add(one.key)
        elif not one.active:
            self._shown.discard(one.key)
        before = self._latest.get(one.key)
        if before is not None and one.time_ns < before and not self._refreshing:
            one = replace(one, time_ns=max(one.received_ns, before), since_ns=None, acked_ns=None)
        self._latest[one.key] = max(one.time_ns, before or 0)
        self._latest.move_to_end(one.key)
        if len(self._latest) > CONDITIONS_KEPT:
            self._latest.popitem(last=False)
        return one

    def _name(self, type_: Any) -> str:
        if type_ in self._names:
            return self._names[type_]
        if type_ is None:
            return "BaseEventType"
        standard = ua.ObjectIdNames.get(type_.Identifier) if type_.NamespaceIndex == 0 else None
        return standard or str(type_.to_string())


def _resolved(text: str, namespaces: Sequence[str]) -> Any | None:
    name = nodeid.parse(text)
    index = name.index_in(namespaces)
    return None if index is None else ua.NodeId(name.identifier, index)


def _plain(node: Any) -> Any:
    """Without the server index of an ExpandedNodeId."""
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
