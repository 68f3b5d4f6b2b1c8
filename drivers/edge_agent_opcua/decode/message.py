"""A whole PublishResponse or RepublishResponse (OPC UA Part 4, 5.14.5 and 5.14.6; 7.25 to 7.27 what is in it).

    type id, response header (time i64, handle u32, result u32, diagnostics, texts, one structure)
    of a PublishResponse: subscription u32, available u32[], more u8
    sequence u32, publish time i64, notification data: structures [data changes, events, a status change]
    of a PublishResponse: results u32[], diagnostics[]
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import ua
from asyncua.ua.ua_binary import get_string_encoding

from edge_agent_opcua.changes import Changes, Published, joined, none
from edge_agent_opcua.decode.ends import (
    byte,
    bytes_end,
    counted,
    diagnostic_end,
    diagnostics_end,
    type_id,
    uint32,
    within,
    wrong,
)
from edge_agent_opcua.decode.records import changes, values
from edge_agent_opcua.decode.value import skip_structure, variant

_PUBLISH: Final = int(ua.ObjectIds.PublishResponse_Encoding_DefaultBinary)
_REPUBLISH: Final = int(ua.ObjectIds.RepublishResponse_Encoding_DefaultBinary)
_READ: Final = int(ua.ObjectIds.ReadResponse_Encoding_DefaultBinary)
_FAULT: Final = int(ua.ObjectIds.ServiceFault_Encoding_DefaultBinary)
_DATA_CHANGE: Final = int(ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary)
_EVENTS: Final = int(ua.ObjectIds.EventNotificationList_Encoding_DefaultBinary)
_STATUS_CHANGE: Final = int(ua.ObjectIds.StatusChangeNotification_Encoding_DefaultBinary)

_DATE_TIME: Final = 8
_NO_LENGTH: Final = 0xFFFF_FFFF
_NOT_GOOD: Final = 0xC000_0000      # the severity of a StatusCode (Part 4, 7.39)


def published(data: Any) -> Published:
    """The PublishResponse in `data`: bytes, or asyncua's Buffer, which is not moved; from its type id on.

    `ua.UaStatusCodeError` for a ServiceFault, and for a response whose header says it failed. ValueError names
    what is malformed at which byte. Notifications of kinds unknown to us are passed over; a message that
    holds nothing else has `changes` of length 0, so that it is not taken for a keep-alive.
    """
    raw, at = _opened(data, _PUBLISH, "a PublishResponse")
    subscription = uint32(raw, at, "the subscription id")
    available, at = _uint32s(raw, at + 4, "the available sequence numbers")
    more = byte(raw, at, "the flag of more notifications") != 0
    message, at = _message(raw, at + 1)
    results, at = _uint32s(raw, at, "the results")
    diagnostics_end(raw, at)
    return message.published(subscription, more, available, results)


def republished(data: Any, subscription: int) -> Published:
    """The RepublishResponse in `data`, which does not say of which subscription it is; errors as of `published`."""
    raw, at = _opened(data, _REPUBLISH, "a RepublishResponse")
    message, _ = _message(raw, at)
    return message.published(subscription)


def read(data: Any) -> Changes:
    """The values of the ReadResponse in `data`, in the order in which they were asked for, which is their handle;
    errors as of `published`."""
    raw, at = _opened(data, _READ, "a ReadResponse")
    found, _ = values(raw, at, get_string_encoding())
    return found


def _opened(data: Any, expected: int, what: str) -> tuple[bytes, int]:
    """The bytes from the type id on, and where the body behind the response header begins."""
    raw = data if isinstance(data, bytes) else data.copy().read(len(data))
    number, at = type_id(raw, 0)
    if number not in (expected, _FAULT):
        raise wrong(what, 0, f"has the type id {'of another namespace' if number is None else f'i={number}'}")
    at += _DATE_TIME + 4
    result = uint32(raw, at, "the service result")
    if result & _NOT_GOOD:
        raise ua.UaStatusCodeError(result)
    if number == _FAULT:
        raise wrong("a ServiceFault", at, f"has the result 0x{result:08X}, which is none")
    at = diagnostic_end(raw, at + 4)
    count, at = counted(raw, at, 4, "the texts of a header")
    for _ in range(count):
        at = bytes_end(raw, at)
    return raw, skip_structure(raw, at)


def _uint32s(raw: bytes, at: int, what: str) -> tuple[Sequence[int], int]:
    count, at = counted(raw, at, 4, what)
    return struct.unpack_from(f"<{count}I", raw, at), at + 4 * count


@dataclass(slots=True)
class _Message:
    """A NotificationMessage while it is read."""

    sequence: int
    changes: list[Changes] = field(default_factory=list)
    events: list[tuple[int, list[Any]]] = field(default_factory=list)
    ended: int | None = None

    def published(
        self, subscription: int, more: bool = False, available: Sequence[int] = (), results: Sequence[int] = ()
    ) -> Published:
        return Published(
            subscription, self.sequence, more, joined(self.changes) if self.changes else None, self.events, self.ended,
            available, results,
        )

    def add_changes(self, raw: bytes, at: int) -> int:
        part, end = changes(raw, at, get_string_encoding())
        self.changes.append(part)
        return end

    def add_events(self, raw: bytes, at: int) -> int:
        count, at = counted(raw, at, 8, "the events of a notification")
        for _ in range(count):
            handle = uint32(raw, at, "an event")
            fields, at = counted(raw, at + 4, 1, "the fields of an event")
            event = []
            for _ in range(fields):
                one, at = variant(raw, at)
                event.append(one)
            self.events.append((handle, event))
        return at

    def add_status(self, raw: bytes, at: int) -> int:
        self.ended = uint32(raw, at, "the status of a subscription")
        return diagnostic_end(raw, at + 4)


_KINDS: Final[dict[int | None, Callable[[_Message, bytes, int], int]]] = {
    _DATA_CHANGE: _Message.add_changes,
    _EVENTS: _Message.add_events,
    _STATUS_CHANGE: _Message.add_status,
}


def _message(raw: bytes, at: int) -> tuple[_Message, int]:
    """The NotificationMessage at `at`, and its end."""
    message = _Message(uint32(raw, at, "the sequence number"))
    at = within(raw, at + 4, _DATE_TIME, "the publish time")
    count, at = counted(raw, at, 3, "the notification data")
    for _ in range(count):
        at = _notification(message, raw, at)
    if count and not message.changes and not message.events and message.ended is None:
        message.changes.append(none())
    return message, at


def _notification(message: _Message, raw: bytes, at: int) -> int:
    number, body = type_id(raw, at)
    add = _KINDS.get(number)
    if add is None:
        return skip_structure(raw, at)
    if byte(raw, body, "a notification") != 1:
        raise wrong("a notification", at, "is not in binary form")
    length, begin = uint32(raw, body + 1, "a notification"), body + 5
    if length == _NO_LENGTH:            # left out, as the first editions of Part 6 allowed
        return add(message, raw, begin)
    limit = within(raw, begin, length, "a notification")
    end = add(message, raw, begin)
    if end > limit:
        raise wrong("a notification", at, f"is {length} bytes long, its items {end - begin}")
    return limit
