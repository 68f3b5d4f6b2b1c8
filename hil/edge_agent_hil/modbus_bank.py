"""What a Modbus unit holds and how an honest one answers: PDU in, PDU out. Pure.

Addresses 0..999 of every table: holding n is n, input n is 10000 + n, coil n is on where n % 3 == 0,
discrete n where n % 5 == 0. Function codes 1 to 6, 15, 16, 22 and 43/14 (device identification).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

SIZE = 1000                     # addresses of each table
MOST_REGISTERS, MOST_BITS = 125, 2000
MOST_WRITTEN_REGISTERS, MOST_WRITTEN_BITS = 123, 1968
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_TARGET = 1, 2, 3, 11
READ_BITS, READ_REGISTERS, WRITES = (1, 2), (3, 4), (5, 6, 15, 16, 22)
TABLE_OF = {1: "coil", 2: "discrete", 3: "holding", 4: "input", 5: "coil", 6: "holding", 15: "coil", 16: "holding"} | {
    22: "holding"
}
IDENTIFICATION = {
    0: "Edge Agent", 1: "HIL-MISBEHAVE", 2: "1.0",                                  # basic
    3: "https://example.org/edge-agent", 4: "A server that misbehaves", 5: "Misfit", 6: "Test rig",  # regular
}  # fmt: skip
_LAST_OF_LEVEL = {1: 2, 2: 6, 3: 6}


class Refused(Exception):
    """An exception answer; `code` says which."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Bank:
    """The four tables of one unit."""

    took_s = 0.0

    def __init__(self) -> None:
        self.tables: dict[str, list[int]] = {
            "coil": [int(n % 3 == 0) for n in range(SIZE)],
            "discrete": [int(n % 5 == 0) for n in range(SIZE)],
            "holding": list(range(SIZE)),
            "input": [10_000 + n for n in range(SIZE)],
        }

    def answer(self, pdu: bytes, keep: bool = False) -> bytes:
        """The answer to a request; with `keep` a write is acknowledged and nothing changes."""
        serve = _SERVE.get(pdu[0])
        if serve is None:
            return exception(pdu[0], ILLEGAL_FUNCTION)
        try:
            return serve(self, pdu, keep)
        except Refused as refused:
            return exception(pdu[0], refused.code)
        except (struct.error, IndexError):      # a request too short for its function
            return exception(pdu[0], ILLEGAL_VALUE)

    def values(self, table: str, first: int, count: int) -> Sequence[int]:
        """What stands there, as far as there is anything."""
        return self.tables[table][first : first + count]

    def _slice(self, pdu: bytes, most: int) -> list[int]:
        first, count = struct.unpack_from(">HH", pdu, 1)
        if not 1 <= count <= most:
            raise Refused(ILLEGAL_VALUE)
        _inside(first, count)
        return self.tables[TABLE_OF[pdu[0]]][first : first + count]

    def _read_bits(self, pdu: bytes, _keep: bool) -> bytes:
        packed = pack_bits(self._slice(pdu, MOST_BITS))
        return bytes([pdu[0], len(packed)]) + packed

    def _read_registers(self, pdu: bytes, _keep: bool) -> bytes:
        values = self._slice(pdu, MOST_REGISTERS)
        return struct.pack(f">BB{len(values)}H", pdu[0], 2 * len(values), *values)

    def _write_coil(self, pdu: bytes, keep: bool) -> bytes:
        address, value = struct.unpack_from(">HH", pdu, 1)
        if value not in (0, 0xFF00):
            raise Refused(ILLEGAL_VALUE)
        self._put("coil", address, [int(value == 0xFF00)], keep)
        return pdu[:5]

    def _write_register(self, pdu: bytes, keep: bool) -> bytes:
        address, value = struct.unpack_from(">HH", pdu, 1)
        self._put("holding", address, [value], keep)
        return pdu[:5]

    def _write_coils(self, pdu: bytes, keep: bool) -> bytes:
        first, count, size = struct.unpack_from(">HHB", pdu, 1)
        data = pdu[6 : 6 + size]
        if not 1 <= count <= MOST_WRITTEN_BITS or size != (count + 7) // 8 or len(data) != size:
            raise Refused(ILLEGAL_VALUE)
        self._put("coil", first, [data[n // 8] >> n % 8 & 1 for n in range(count)], keep)
        return pdu[:5]

    def _write_registers(self, pdu: bytes, keep: bool) -> bytes:
        first, count, size = struct.unpack_from(">HHB", pdu, 1)
        if not 1 <= count <= MOST_WRITTEN_REGISTERS or size != 2 * count or len(pdu) != 6 + size:
            raise Refused(ILLEGAL_VALUE)
        self._put("holding", first, struct.unpack_from(f">{count}H", pdu, 6), keep)
        return pdu[:5]

    def _mask_register(self, pdu: bytes, keep: bool) -> bytes:
        address, kept, added = struct.unpack_from(">HHH", pdu, 1)
        _inside(address, 1)
        value = self.tables["holding"][address]
        self._put("holding", address, [value & kept | added & ~kept & 0xFFFF], keep)
        return pdu[:7]

    def _identify(self, pdu: bytes, _keep: bool) -> bytes:
        """43/14: the basic (1) or regular (2, 3) objects from an id on, or one (4)."""
        kind, level, first = pdu[1], pdu[2], pdu[3]
        if kind != 14:
            raise Refused(ILLEGAL_FUNCTION)
        if level == 4:
            if first not in IDENTIFICATION:
                raise Refused(ILLEGAL_ADDRESS)
            ids = [first]
        elif level in _LAST_OF_LEVEL:
            last = _LAST_OF_LEVEL[level]
            ids = [n for n in IDENTIFICATION if (first if first <= last else 0) <= n <= last]
        else:
            raise Refused(ILLEGAL_VALUE)
        objects = b"".join(bytes([n, len(IDENTIFICATION[n])]) + IDENTIFICATION[n].encode() for n in ids)
        return bytes([43, 14, level, 0x82, 0, 0, len(ids)]) + objects

    def _put(self, table: str, first: int, values: Sequence[int], keep: bool) -> None:
        _inside(first, len(values))
        if not keep:
            self.tables[table][first : first + len(values)] = values


_SERVE: dict[int, Callable[[Bank, bytes, bool], bytes]] = {
    1: Bank._read_bits, 2: Bank._read_bits, 3: Bank._read_registers, 4: Bank._read_registers,
    5: Bank._write_coil, 6: Bank._write_register, 15: Bank._write_coils, 16: Bank._write_registers,
    22: Bank._mask_register, 43: Bank._identify,
}  # fmt: skip


def exception(function: int, code: int) -> bytes:
    """An exception answer."""
    return bytes([function | 0x80, code])


def reach(pdu: bytes) -> tuple[int, int] | None:
    """First address and count of what a request touches; None if it touches no table or is too short."""
    if pdu[0] not in TABLE_OF or len(pdu) < 5:
        return None
    first, count = struct.unpack_from(">HH", pdu, 1)
    return first, 1 if pdu[0] in (5, 6, 22) else count


def pack_bits(bits: Sequence[int]) -> bytes:
    """Bits as coils travel: the first is the lowest bit of the first byte."""
    packed = bytearray((len(bits) + 7) // 8)
    for n, bit in enumerate(bits):
        packed[n // 8] |= bit << n % 8
    return bytes(packed)


def shortened(pdu: bytes, missing: int) -> bytes:
    """An answer to a read with `missing` registers (bits: bytes) fewer, at least one left, its byte count fitting."""
    if pdu[0] not in (*READ_BITS, *READ_REGISTERS):
        return pdu
    size = 2 if pdu[0] in READ_REGISTERS else 1
    left = max(size, pdu[1] - size * missing)
    return bytes([pdu[0], left]) + pdu[2 : 2 + left]


def _inside(first: int, count: int) -> None:
    if first + count > SIZE:
        raise Refused(ILLEGAL_ADDRESS)
