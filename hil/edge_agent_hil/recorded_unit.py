"""A unit of a recording: what it said then is what it says now, as late as then. Pure but for the clock it is given."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from edge_agent_hil.modbus_bank import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    READ_BITS,
    READ_REGISTERS,
    TABLE_OF,
    exception,
    pack_bits,
    reach,
)
from edge_agent_hil.recording_modbus import Exchange, values_of

MICRO = 1_000_000


@dataclass(slots=True)
class Story:
    """What came of one request, or stood at one address, from moment to moment."""

    at_us: list[int] = field(default_factory=list)
    said: list[tuple[int, bytes]] = field(default_factory=list)
    """how long it took, µs; the answer"""

    def add(self, at_us: int, took_us: int, answer: bytes) -> None:
        """In order."""
        self.at_us.append(at_us)
        self.said.append((took_us, answer))

    def told(self, now_us: int) -> tuple[int, bytes]:
        """The last before now; the first, where there was none yet."""
        return self.said[max(0, bisect_right(self.at_us, now_us) - 1)]


class RecordedUnit:
    """Answers by the clock `now_us`, or with `in_order` each request with its next answer, however late it comes.

    What was never asked like this is put together from what stood at each address; where one was never read it is
    exception 2, and what cannot be put together, such as a write, is exception 1.
    """

    def __init__(self, exchanges: Iterable[Exchange], now_us: Callable[[], int], in_order: bool = False) -> None:
        self.took_s = 0.0
        self._now_us, self._in_order = now_us, in_order
        self._requests: dict[bytes, Story] = defaultdict(Story)
        self._addresses: dict[tuple[str, int], Story] = defaultdict(Story)
        self._given: dict[bytes, int] = defaultdict(int)
        for exchange in sorted(exchanges, key=lambda one: one.at_us):
            self._requests[exchange.request].add(exchange.at_us, exchange.took_us, exchange.answer)
            self._note_values(exchange)

    def _note_values(self, exchange: Exchange) -> None:
        request = exchange.request
        if request[0] in (*READ_BITS, *READ_REGISTERS) and (values := values_of(request, exchange.answer)) is not None:
            first = int.from_bytes(request[1:3], "big")
            for n, value in enumerate(values):
                story = self._addresses[TABLE_OF[request[0]], first + n]
                story.add(exchange.at_us, exchange.took_us, value.to_bytes(2, "big"))

    def answer(self, pdu: bytes, _keep: bool = False) -> bytes:
        """The PDU of the answer, empty: none. `took_s` is then how long it took."""
        now = self._now_us()
        if pdu in self._requests:
            took, answer = self._next(pdu) if self._in_order else self._requests[pdu].told(now)
        else:
            took, answer = self._put_together(pdu, now)
        self.took_s = took / MICRO
        return answer

    def _next(self, pdu: bytes) -> tuple[int, bytes]:
        said, given = self._requests[pdu].said, self._given[pdu]
        self._given[pdu] = min(given + 1, len(said) - 1)
        return said[given]

    def _put_together(self, pdu: bytes, now: int) -> tuple[int, bytes]:
        touched = reach(pdu) if pdu[0] in (*READ_BITS, *READ_REGISTERS) else None
        if touched is None:
            return 0, exception(pdu[0], ILLEGAL_FUNCTION)
        try:
            values = self.values(TABLE_OF[pdu[0]], *touched)
        except ValueError:
            return 0, exception(pdu[0], ILLEGAL_ADDRESS)
        packed = pack_bits(values) if pdu[0] in READ_BITS else b"".join(value.to_bytes(2, "big") for value in values)
        took = self._addresses[TABLE_OF[pdu[0]], touched[0]].told(now)[0]
        return took, bytes([pdu[0], len(packed) & 0xFF]) + packed

    def values(self, table: str, first: int, count: int) -> Sequence[int]:
        """What stands there now. ValueError names what was never read."""
        now = self._now_us()
        found = []
        for address in range(first, first + count):
            if (table, address) not in self._addresses:
                raise ValueError(f"{table}:{address} was never read while this was recorded")
            found.append(int.from_bytes(self._addresses[table, address].told(now)[1], "big"))
        return found


class Since:
    """µs since it was first asked: a recording begins with the first request."""

    def __init__(self, ticks: Callable[[], int] = time.monotonic_ns) -> None:
        self._ticks = ticks
        self._began: int | None = None

    def __call__(self) -> int:
        now = self._ticks()
        if self._began is None:
            self._began = now
        return (now - self._began) // 1000


def recorded_units(exchanges: Iterable[Exchange], now_us: Callable[[], int], in_order: bool) -> dict[int, RecordedUnit]:
    """Unit id → the unit, all by one clock."""
    by_unit: dict[int, list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        by_unit[exchange.unit].append(exchange)
    return {unit: RecordedUnit(said, now_us, in_order) for unit, said in by_unit.items()}
