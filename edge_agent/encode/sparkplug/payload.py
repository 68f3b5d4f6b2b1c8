"""A whole payload around the body that was encoded before: its time and number, which belong to the sending.

Fields of a protobuf message may be encoded apart and joined: `body` is a payload with metrics and nothing else, and
the whole is its time, the body, its number. So encoding stays pure, and what is sent is numbered as it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from edge_agent.encode.sparkplug.datatype import FIELD, DataType
from edge_agent.encode.sparkplug.metric import Metric, write
from edge_agent.encode.sparkplug.wire import Payload, parsed

# Keys of the fields 1 and 3 of a payload, both varints: number << 3.
_TIMESTAMP: Final = b"\x08"
_SEQ: Final = b"\x18"
STAMP: Final = 11
"""bytes that time and number add to a body, at most"""
MARK: Final = 3
"""bytes that a metric grows by when it is marked as history, at most: the mark, and its length"""
# Of the fields in which values of tags come: their types.
_OWN: Final = {
    "double_value": DataType.DOUBLE, "long_value": DataType.INT64, "boolean_value": DataType.BOOLEAN,
    "string_value": DataType.STRING,
}  # fmt: skip


def body_of(metrics: Iterable[Metric], *, birth: bool, typed: bool = False) -> bytes:
    """The metrics, without time and number; see `write`."""
    payload = Payload()
    for metric in metrics:
        write(payload.metrics.add(), metric, birth=birth, typed=typed)
    encoded: bytes = payload.SerializeToString()
    return encoded


def stamped(body: bytes, time_ms: int, seq: int | None) -> bytes:
    """The whole payload; `seq` None: a death of the node, and a command, have none."""
    number = b"" if seq is None else _SEQ + varint(seq)
    return b"".join((_TIMESTAMP, varint(time_ms), body, number))


def as_history(body: bytes, born: Callable[[Any], int] | None = None) -> bytes:
    """The same body, all its metrics marked as history. `born(metric)`: the datatype that the last birth says of a
    device's tag; one that was encoded as of another birth says its own."""
    payload = parsed(body)
    for metric in payload.metrics:
        metric.is_historical = True
        held = metric.WhichOneof("value") if born else None
        if born and held and held != FIELD.get(born(metric)) and not metric.HasField("datatype"):
            metric.datatype = _OWN[held]
    encoded: bytes = payload.SerializeToString()
    return encoded


def death_of(bdseq: int, time_ms: int | None = None) -> bytes:
    """NDEATH: one metric, `bdSeq`, and no number."""
    metric = Metric("bdSeq", DataType.INT64, bdseq, time_ms)
    body = body_of((metric,), birth=True)
    return body if time_ms is None else stamped(body, time_ms, None)


def varint(value: int) -> bytes:
    """`value` ≥ 0 in base 128, the lowest first."""
    if value < 0:
        raise ValueError(f"{value} has no varint")
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
