"""Alink JSON (Alibaba Cloud IoT Platform): numbers as the platform wants them, and the frame of a request.

A number of type float or double has a decimal point, whole or not: `10.0`, `1.0e+30`; a truth value is 0 or 1.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from edge_agent.encode.message import Message


def alink(value: Any) -> Any:
    """A property's value."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and "e" in (written := repr(value)) and "." not in written:
        return orjson.Fragment(written.replace("e", ".0e").encode())
    return value


def timed(values: Mapping[str, Any], time_ms: int) -> dict[str, Any]:
    """`{identifier: {"value", "time"}}`."""
    return {name: {"value": alink(value), "time": time_ms} for name, value in values.items()}


def request(topic: str, method: str, params: bytes, *, qos: int = 1, about: str = "") -> Message:
    """A request that the platform answers on `{topic}_reply` with the same id.

    The id is a number of 32 bits, as text; the same request has the same id each time, so that a repeated one is
    known as such. The answer is told apart by topic and id together.
    """
    id = zlib.crc32(params, zlib.crc32(topic.encode()))
    head = orjson.dumps({"id": str(id), "version": "1.0", "sys": {"ack": 1}, "method": method})
    payload = head[:-1] + b',"params":' + params + b"}"
    return Message(topic, payload, qos=qos, answer=f"{topic}:{id}", about=about)


def listed(parts: Sequence[bytes]) -> bytes:
    """A JSON array of what is encoded already."""
    return b"[" + b",".join(parts) + b"]"
