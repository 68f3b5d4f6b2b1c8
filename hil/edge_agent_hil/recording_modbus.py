"""A Modbus device on record: a line for each request and what came of it, in words where it has some. Pure.

    {"recording": "modbus", "version": 1, "target": "modbus+tcp://10.0.0.5:502", "begun": "2026-01-31T10:00:00.000Z"}
    {"at_us": 0, "unit": 1, "read": "holding:0", "count": 3, "took_us": 2100, "values": [7, 8, 9]}
    {"at_us": 1000210, "unit": 1, "read": "coil:90", "count": 2, "took_us": 1800, "exception": 2}
    {"at_us": 2000190, "unit": 9, "read": "input:0", "count": 1, "silent": true}
    {"at_us": 3000150, "unit": 1, "request": "2b0e0100", "took_us": 2000, "answer": "2b0e01810000020004…"}

`at_us` is when the request passed, from the beginning on, `took_us` how long the answer took. A read is told in words;
a write, or anything else, as the bytes of its PDU.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent_hil.modbus_bank import READ_BITS, READ_REGISTERS, TABLE_OF, pack_bits

FUNCTION_OF = {TABLE_OF[function]: function for function in (*READ_BITS, *READ_REGISTERS)}
EXCEPTION = 0x80


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what came back."""

    at_us: int
    unit: int
    request: bytes
    """PDU"""
    took_us: int = 0
    answer: bytes = b""
    """PDU; empty: silence"""


def written(exchange: Exchange) -> dict[str, Any]:
    """A line."""
    said: dict[str, Any] = {"at_us": exchange.at_us, "unit": exchange.unit}
    request, answer = exchange.request, exchange.answer
    reads = request[0] in FUNCTION_OF.values() and len(request) == 5
    if reads:
        first, count = struct.unpack_from(">HH", request, 1)
        said |= {"read": f"{TABLE_OF[request[0]]}:{first}", "count": count}
    else:
        said["request"] = request.hex()
    if not answer:
        return {**said, "silent": True}
    said["took_us"] = exchange.took_us
    if answer[0] == request[0] | EXCEPTION and len(answer) == 2:
        return {**said, "exception": answer[1]}
    if reads and (values := values_of(request, answer)) is not None:
        return {**said, "values": values}
    return {**said, "answer": answer.hex()}


def values_of(request: bytes, answer: bytes) -> list[int] | None:
    """Of a read; None if the answer is none that fits it."""
    count = int.from_bytes(request[3:5], "big")
    size = (count + 7) // 8 if request[0] in READ_BITS else 2 * count
    if answer[:2] != bytes([request[0], size & 0xFF]) or len(answer) != 2 + size:
        return None
    if request[0] in READ_BITS:
        bits = [answer[2 + n // 8] >> n % 8 & 1 for n in range(count)]
        return bits if pack_bits(bits) == answer[2:] else None
    return list(struct.unpack_from(f">{count}H", answer, 2))


def exchange_of(said: Mapping[str, Any]) -> Exchange:
    """What a line says. ValueError, KeyError or TypeError where it is none."""
    if "read" in said:
        table, _, first = said["read"].partition(":")
        if table not in FUNCTION_OF:
            raise ValueError(f"there is no table {table!r}; there are {', '.join(FUNCTION_OF)}")
        request = struct.pack(">BHH", FUNCTION_OF[table], int(first), said["count"])
    else:
        request = bytes.fromhex(said["request"])
    return Exchange(int(said["at_us"]), int(said["unit"]), request, int(said.get("took_us", 0)), _answer(said, request))


def _answer(said: Mapping[str, Any], request: bytes) -> bytes:
    if said.get("silent"):
        return b""
    if "exception" in said:
        return bytes([request[0] | EXCEPTION, said["exception"]])
    if "answer" in said:
        return bytes.fromhex(said["answer"])
    values = said["values"]
    if len(values) != int.from_bytes(request[3:5], "big"):
        raise ValueError(f"{len(values)} values where {said['count']} were asked for")
    packed = pack_bits(values) if request[0] in READ_BITS else struct.pack(f">{len(values)}H", *values)
    return bytes([request[0], len(packed) & 0xFF]) + packed
