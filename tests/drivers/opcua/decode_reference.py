"""What decoding has to give: asyncua's own decoding in columns, and messages written by the standard to decode."""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from edge_agent_opcua.changes import NO_TIME, NOT_A_SCALAR, Changes, Published

EPOCH = 116_444_736_000_000_000
"""1970 in ticks of 100 ns since 1601"""
SETTABLE = range(EPOCH - (2**63 - 1) // 100, EPOCH + (2**63 - 1) // 100 + 1)
"""the ticks that int64 ns can hold"""
NUMBERS = {*range(1, 12), 13}
SOME_TICKS = EPOCH + 17_954_136_001_234_567
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
_1601 = datetime(1601, 1, 1, tzinfo=UTC)

# Variants of a Double and a String, the length of a null, and the type id of a Range
DOUBLE = b"\x0b" + struct.pack("<d", 3.25)
TEXT = b"\x0c" + struct.pack("<i", 4) + b"A100"
NULL_LENGTH = b"\xff\xff\xff\xff"
RANGE_ID = 886

ANY = object()
"""what cannot be told from asyncua's decoding; the same as everything"""

Row = tuple[int, int, int, Any, bytes, Any]
"""handle, type, status, time (µs since 1970, None or ANY), the bits of the float64, other (`...` for none)"""


def record(
    handle: int, variant: bytes | None = None, status: int | None = None, source: int | None = None,
    source_pico: int | None = None, server: int | None = None, server_pico: int | None = None, mask: int = 0,
) -> bytes:  # fmt: skip
    """A MonitoredItemNotification as Part 6, 5.2.2.17 writes it; times in ticks; `mask`: more bits of it."""
    parts = []
    fields = ((0x02, "<I", status), (0x04, "<q", source), (0x10, "<H", source_pico), (0x08, "<q", server),
              (0x20, "<H", server_pico))  # fmt: skip
    if variant is not None:
        mask |= 0x01
        parts.append(variant)
    for bit, code, value in fields:
        if value is not None:
            mask |= bit
            parts.append(struct.pack(code, value))
    return struct.pack("<IB", handle, mask) + b"".join(parts)


def array(parts: Sequence[bytes]) -> bytes:
    return struct.pack("<i", len(parts)) + b"".join(parts)


def structure(type_id: int, body: bytes, length: int | None = None) -> bytes:
    """An ExtensionObject with a binary body; `length`: what it says of it."""
    return b"\x01\x00" + struct.pack("<HBi", type_id, 1, len(body) if length is None else length) + body


def data_change(records: Sequence[bytes], diagnostics: bytes = b"\xff\xff\xff\xff", length: int | None = None) -> bytes:
    return structure(811, array(records) + diagnostics, length)


def message(*notifications: bytes, header: bytes = b"\0" + b"\xff" * 4 + b"\0\0\0", status: int = 0) -> bytes:
    """A PublishResponse of subscription 7 with message 3; `header`: diagnostics, texts and structure of its header."""
    head = b"\x01\x00" + struct.pack("<HqII", 829, SOME_TICKS, 1, status) + header
    body = struct.pack("<I", 7) + array([struct.pack("<I", 3)]) + b"\0" + struct.pack("<Iq", 3, SOME_TICKS)
    return head + body + array(notifications) + b"\xff" * 8


def answer(values: Sequence[bytes]) -> bytes:
    """A ReadResponse."""
    head = b"\x01\x00" + struct.pack("<HqII", 634, SOME_TICKS, 1, 0) + b"\0" + b"\xff" * 4 + b"\0\0\0"
    return head + array(values) + b"\xff" * 4


def asked(raw: bytes) -> Any:
    """asyncua's PublishResponse."""
    return struct_from_binary(ua.PublishResponse, Buffer(raw))


def encoded(*notifications: Any) -> bytes:
    """asyncua's encoding of a PublishResponse with them."""
    note = ua.NotificationMessage(3, NOON, list(notifications))
    header = ua.ResponseHeader(NOON)
    result = ua.PublishResult(7, NotificationMessage=note)
    return bytes(struct_to_binary(ua.PublishResponse(ResponseHeader=header, Parameters=result)))


def told(notifications: Sequence[Any]) -> list[Row]:
    """The rows that asyncua's decoding of NotificationData stands for."""
    items = [n.MonitoredItems for n in notifications or () if isinstance(n, ua.DataChangeNotification)]
    return [_row(item.ClientHandle, item.Value) for part in items for item in part]


def _row(handle: int, data: Any) -> Row:
    found = data.Value
    kind, number, other = found.VariantType.value, math.nan, ...
    if found.is_array or isinstance(found.Value, list) or isinstance(found.VariantType, ua.VariantTypeCustom):
        kind, other = NOT_A_SCALAR, found.Value
    elif kind == 13:
        number = found.Value.timestamp()
    elif kind in NUMBERS:
        number = float(found.Value)
    elif kind:
        other = found.Value
    time: Any = _us(data.SourceTimestamp)
    if time is None and data.ServerTimestamp is not None:
        # asyncua expects the server's time before the source's picoseconds, the standard (Part 6, 5.2.2.17) after
        time = _us(data.ServerTimestamp) if data.SourcePicoseconds is None else ANY
    return handle, kind, data.StatusCode.value, time, struct.pack("<d", number), other


def _us(time: datetime | None) -> int | None:
    if time is None:
        return None
    ticks = (time - _1601) // timedelta(microseconds=1) * 10
    return (ticks - EPOCH) // 10 if ticks in SETTABLE else None


def rows(changes: Changes | None) -> list[Row]:
    """The columns, row by row."""
    if changes is None:
        return []
    assert [c.dtype.str for c in (changes.handle, changes.type, changes.status, changes.time, changes.value)] == [
        "<u4", "|u1", "<u4", "<i8", "<f8",
    ]  # fmt: skip
    columns = zip(changes.handle.tolist(), changes.type.tolist(), changes.status.tolist(), changes.time.tolist(),
                  changes.value.tolist(), strict=True)  # fmt: skip
    return [
        (handle, kind, status, None if time == NO_TIME else time // 1000, struct.pack("<d", value),
         changes.other.get(row, ...))
        for row, (handle, kind, status, time, value) in enumerate(columns)
    ]  # fmt: skip


def same(one: Any, two: Any) -> bool:
    """Equality of decoded objects to the last bit: of the same types, and a NaN only like itself."""
    if one is ANY or two is ANY:
        return True
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", two)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one) if field.name != "Encoding"]
        return all(same(getattr(one, name), getattr(two, name)) for name in names)
    return bool(one == two)


def agrees(ours: Published, theirs: Any) -> bool:
    """Whether `ours` says of a message what asyncua's PublishResponse says."""
    result, note = theirs.Parameters, theirs.Parameters.NotificationMessage
    notifications = note.NotificationData or ()
    events = [(event.ClientHandle, event.EventFields or []) for n in notifications
              if isinstance(n, ua.EventNotificationList) for event in n.Events]  # fmt: skip
    ended = [n.Status.value for n in notifications if isinstance(n, ua.StatusChangeNotification)]
    head = (ours.subscription, ours.sequence, ours.more, list(ours.available), list(ours.results), ours.ended)
    their_head = (result.SubscriptionId, note.SequenceNumber, result.MoreNotifications,
                  list(result.AvailableSequenceNumbers), [status.value for status in result.Results or ()],
                  ended[-1] if ended else None)  # fmt: skip
    return (
        head == their_head
        and ours.is_keepalive == (not notifications)
        and same(rows(ours.changes), told(notifications))
        and same(ours.events, events)
    )


def asked_unless_a_structure_fails(raw: bytes) -> Any:
    """asyncua's PublishResponse; None if it fails inside a structure that is no notification, which we pass over."""
    try:
        return asked(raw)
    except Exception as error:
        if _in_a_structure(error):
            return None
        raise


def _in_a_structure(error: Exception) -> bool:
    notifications = (ua.DataChangeNotification, ua.EventNotificationList, ua.StatusChangeNotification)
    trace = error.__traceback__
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        if frame.f_code.co_name == "extensionobject_from_binary" and frame.f_locals.get("cls") not in notifications:
            return True
    return False
