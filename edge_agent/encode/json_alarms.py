"""Alarm spans of the profile `json`.

    {root}/{device}/alarms    {"v": 1, "seq": 17, "device": "cnc-7", "alarms": [{"id": …, …}, …]}

An alarm is told again with each change of it; `id` and `start` name it for good, the greatest `rev` is the
newest. Times are integer ms UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from edge_agent.core.alarm import AlarmSpan

_MS: Final = 1_000_000


def alarm(span: AlarmSpan) -> dict[str, Any]:
    """One span. `active` is null for an event; `known` false: nobody knows whether it still is."""
    said: dict[str, Any] = {
        "id": span.key,
        "rev": span.revision,
        "source": span.source,
        "type": span.type,
        "active": None if span.point else span.end is None,
        "known": span.known,
        "severity": span.severity,
        "reason": span.reason,
        "start": span.start // _MS,
        "end": _ms(span.end),
        "end_uncertain": span.end_uncertain,
        "acknowledged": span.acknowledged,
        "acknowledged_at": _ms(span.acknowledged_at),
        "confirmed": span.confirmed,
        "comment": span.comment or None,
    }
    if not span.known:
        said["unknown_since"] = _ms(span.unknown_since)
    return said


def payloads(said: dict[str, Any], spans: Iterable[AlarmSpan], most: int) -> list[bytes]:
    """`said` with its `alarms`, in as few payloads of at most `most` bytes as keep the order; one that is too
    large alone goes alone. Several are numbered `part` of `parts`."""
    frame = len(orjson.dumps({**said, "part": 10**9, "parts": 10**9, "alarms": []}))
    cut = list(_cut([orjson.dumps(alarm(span)) for span in spans], most - frame))
    if len(cut) == 1:
        return [_joined(said, cut[0])]
    return [_joined({**said, "part": number, "parts": len(cut)}, part) for number, part in enumerate(cut, 1)]


def _cut(encoded: Iterable[bytes], room: int) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    filled = 0
    for one in encoded:
        if part and filled + len(one) + 1 > room:
            yield part
            part, filled = [], 0
        part.append(one)
        filled += len(one) + 1
    if part:
        yield part


def _joined(said: dict[str, Any], alarms: list[bytes]) -> bytes:
    return orjson.dumps(said)[:-1] + b',"alarms":[' + b",".join(alarms) + b"]}"


def _ms(time_ns: int | None) -> int | None:
    return None if time_ns is None else time_ns // _MS
