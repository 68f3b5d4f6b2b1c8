"""Event fields as a server sends them → what a condition, or an event, says (OPC UA Part 9, 5.5; Part 5, 6.4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua

from edge_agent.api import AlarmChange

# A device's clock may be ahead by what two clocks differ where nobody sets them; what it dates later than that
# is dated by ours, as values are.
AHEAD_NS: Final = 5_000_000_000
# Texts are for people, and a record holds hundreds of them.
LONGEST_TEXT: Final = 500
LONGEST_KEY: Final = 300

_EVENT, _CONDITION = ua.ObjectIds.BaseEventType, ua.ObjectIds.ConditionType
_ACKNOWLEDGEABLE, _ALARM = ua.ObjectIds.AcknowledgeableConditionType, ua.ObjectIds.AlarmConditionType
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# What is asked for, in the order in which it comes: where it is defined and its path there. The one without
# a path is the node id of the condition itself (Part 9, 5.5.2: attribute NodeId of ConditionType).
FIELDS: Final[Sequence[tuple[int, str]]] = (
    (_EVENT, "EventId"), (_EVENT, "EventType"), (_EVENT, "SourceNode"), (_EVENT, "SourceName"), (_EVENT, "Time"),
    (_EVENT, "ReceiveTime"), (_EVENT, "Message"), (_EVENT, "Severity"),
    (_CONDITION, ""), (_CONDITION, "BranchId"), (_CONDITION, "ConditionName"), (_CONDITION, "Retain"),
    (_CONDITION, "EnabledState/Id"), (_CONDITION, "Comment"),
    (_ALARM, "ActiveState/Id"), (_ALARM, "ActiveState/TransitionTime"),
    (_ACKNOWLEDGEABLE, "AckedState/Id"), (_ACKNOWLEDGEABLE, "AckedState/TransitionTime"),
    (_ACKNOWLEDGEABLE, "ConfirmedState/Id"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One event; None: the server sent no such field, or something that is none. Times are ns UTC."""

    event: bytes | None
    type: Any
    node: Any
    source: str | None
    time: int | None
    received: int | None
    message: str | None
    severity: int | None
    condition: Any
    branch: Any
    name: str | None
    retain: bool | None
    enabled: bool | None
    comment: str | None
    active_id: bool | None
    active_since: int | None
    acked: bool | None
    acked_since: int | None
    confirmed: bool | None

    @property
    def is_condition(self) -> bool:
        """Whether it tells of a condition; other events have no duration."""
        return self.condition is not None or self.retain is not None or self.active_id is not None

    @property
    def active(self) -> bool | None:
        """Whether the condition holds; one that has no ActiveState does as long as it is of interest (Retain)."""
        if not self.is_condition:
            return None
        if self.enabled is False:
            return False
        return bool(self.retain) if self.active_id is None else self.active_id


def told(fields: Sequence[Any]) -> Told:
    """`ua.Variant`s in the order of `FIELDS`; missing ones at the end are as none."""
    values = [getattr(field, "Value", None) for field in fields[: len(FIELDS)]]
    values += [None] * (len(FIELDS) - len(values))
    (event, type_, node, source, time, received, message, severity, condition, branch, name, retain, enabled, comment,
     active, active_since, acked, acked_since, confirmed) = values  # fmt: skip
    return Told(
        event if isinstance(event, bytes) and event else None,
        _node(type_), _node(node), _text(source), _ns(time), _ns(received), _text(message),
        severity if type(severity) is int else None,
        _node(condition), _node(branch), _text(name), _truth(retain), _truth(enabled), _text(comment),
        _truth(active), _ns(active_since), _truth(acked), _ns(acked_since), _truth(confirmed),
    )  # fmt: skip


def change(told: Told, type_name: str, namespaces: Sequence[str], now: int) -> AlarmChange:
    """As the agent knows it, heard at `now`. A time ahead of that is replaced by it, or left out if not needed."""
    time = told.time if told.time is not None else told.received
    time = now if time is None or time > now + AHEAD_NS else time
    return AlarmChange(
        key=key_of(told, namespaces),
        time_ns=time,
        received_ns=now,
        active=told.active,
        severity=min(max(told.severity or 1, 1), 1000),
        reason=told.message or told.name or type_name,
        source=told.source or (node_text(told.node, namespaces) if told.node is not None else ""),
        type=type_name,
        since_ns=_past(told.active_since, now) if told.active_id is not None else None,
        acknowledged=told.acked,
        acked_ns=_past(told.acked_since, now),
        confirmed=told.confirmed,
        comment=told.comment or "",
        past=told.branch is not None,
    )


def node_text(node: Any, namespaces: Sequence[str]) -> str:
    """A node id that is the same after a restart of the server: `nsu=http://acme.example/cnc/;s=State`."""
    index = node.NamespaceIndex
    if index == 0 or index >= len(namespaces):
        return str(node.to_string())
    uri = namespaces[index].replace("%", "%25").replace(";", "%3B")
    return f"nsu={uri};" + str(node.to_string()).partition(";")[2]


def key_of(told: Told, namespaces: Sequence[str]) -> str:
    """What names the condition, or the event, on its device."""
    source = node_text(told.node, namespaces) if told.node is not None else told.source or ""
    if not told.is_condition:
        return told.event.hex()[:LONGEST_KEY] if told.event else f"{source}/{told.time or told.received}"[:LONGEST_KEY]
    key = f"{source}/{told.name or ''}" if told.condition is None else node_text(told.condition, namespaces)
    return key[:LONGEST_KEY]


def _past(time: int | None, now: int) -> int | None:
    return None if time is None or time > now + AHEAD_NS else time


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    if isinstance(value, ua.LocalizedText):
        value = value.Text
    if not isinstance(value, str) or not value:
        return None
    text: str = value[:LONGEST_TEXT]
    # What JSON cannot carry: a device's stray half characters become question marks.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _node(value: Any) -> Any:
    return value if isinstance(value, ua.NodeId) and not value.is_null() else None


def _ns(value: Any) -> int | None:
    """Before 1970 is a server's "not set" (Part 6, 5.2.2.5: 1601)."""
    if not isinstance(value, datetime):
        return None
    since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
    ns = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
    return ns if ns > 0 else None
