"""A Modbus TCP client that only reads, again and again, so that there is something to record."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_agent_hil.modbus_bank import MOST_BITS, MOST_REGISTERS, READ_BITS
from edge_agent_hil.modbus_frame import SOCKET_HEAD, SocketFraming
from edge_agent_hil.recording_modbus import FUNCTION_OF

ANSWER_S = 3.0                  # what answers later than that is silence; slow gateways take a second


@dataclass(frozen=True, slots=True)
class Block:
    """What one request reads."""

    unit: int
    function: int
    first: int
    count: int


def blocks(text: str) -> list[Block]:
    """`holding:0-299` or `7/input:0-9` (of unit 7) → blocks of what one request may ask. ValueError says what would be
    right."""
    unit, slash, place = text.rpartition("/")
    table, _, span = place.partition(":")
    low, _, high = span.partition("-")
    right = "write such as holding:0-99, coil:7 or, of unit 7, 7/input:0-9"
    if table not in FUNCTION_OF or not low.isdigit() or not (high or low).isdigit() or (slash and not unit.isdigit()):
        raise ValueError(f"{text!r} is nothing to read; {right}")
    first, last = int(low), int(high or low)
    if not first <= last <= 65535 or int(unit or 1) > 255:
        raise ValueError(f"{text!r} is nothing to read: addresses go from 0 to 65535, units to 255; {right}")
    return list(_cut(int(unit or 1), FUNCTION_OF[table], first, last))


def _cut(unit: int, function: int, first: int, last: int) -> Iterator[Block]:
    most = MOST_BITS if function in READ_BITS else MOST_REGISTERS
    for start in range(first, last + 1, most):
        yield Block(unit, function, start, min(most, last + 1 - start))


async def keep_reading(place: tuple[str, int], asked: Sequence[Block], every_s: float) -> None:
    """All of them, every so often, for ever, from host and port. Who does not answer is asked again next time."""
    loop = asyncio.get_running_loop()
    client, due = Client(place), loop.time()
    try:
        while True:
            for block in asked:
                await client.read(block)
            due = max(due + every_s, loop.time())
            await asyncio.sleep(due - loop.time())
    finally:
        client.close()


class Client:
    """One connection, made again where it broke or where something was not answered: an answer is its request's."""

    def __init__(self, place: tuple[str, int]) -> None:
        self._place = place
        self._framing = SocketFraming()
        self._transaction = 0
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def read(self, block: Block) -> None:
        """Ask, and wait for whatever comes back."""
        self._transaction = self._transaction % 65535 + 1
        pdu = struct.pack(">BHH", block.function, block.first, block.count)
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._line is None:
                    self._line = await asyncio.open_connection(*self._place)
                reader, writer = self._line
                writer.write(self._framing.wrap(self._transaction, block.unit, pdu))
                head = await reader.readexactly(SOCKET_HEAD - 1)
                await reader.readexactly(int.from_bytes(head[4:6], "big"))
        except (OSError, TimeoutError, EOFError):
            self.close()

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line[1].close()
            self._line = None
