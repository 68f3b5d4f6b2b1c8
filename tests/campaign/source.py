"""A machine that numbers its answers and writes down what it gave to whom: `source.py PORT LEDGER`, Modbus TCP.

Every whole read of a unit gets the next number of that unit, in eight tags at once (`NUMBERS`), so what is missing at
the far end was read and lost, whatever the agent was doing. (A driver that tries one register gets none.) The machine
itself goes by time: it makes `RATE` pieces a second in the middle of every order and stands still for `STILL_S` at its
beginning and at its end, so that two who read it within that time of a change see the same pieces in the same order.

A line of the ledger: `unit number monotonic_ns total scrap order`, written once the answer has been sent.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NUMBERS = 8
APART = 100_000_000
"""Tag k of answer n says n + k × APART: a value under another tag's name would show."""

ORDER_S = 6.0
STILL_S = 1.0
MAKES_S = ORDER_S - 2 * STILL_S
RATE = 20
SCRAP_EACH = 7
IDLE, RUN, FAULT = range(3)

TAGS = "state: {address: holding:0}, " + ", ".join(
    f"{name}: {{address: holding:{address}, type: uint32}}"
    for name, address in [
        ("total", 1), ("scrap", 3), ("order", 5), *((f"n{k}", 7 + 2 * k) for k in range(NUMBERS)),
    ]
)  # fmt: skip
MAP = f"{{{IDLE}: IDLE, {RUN}: RUN, {FAULT}: FAULT}}"
_REGISTERS = 7 + 2 * NUMBERS


def machine(passed_s: float) -> tuple[int, int, int, int]:
    """State, total, scrap and order after that time."""
    order, at = divmod(passed_s, ORDER_S)
    makes = min(max(at - STILL_S, 0.0), MAKES_S)
    total = int(order * MAKES_S * RATE) + int(makes * RATE)
    state = RUN if 0.0 < makes < MAKES_S else FAULT if int(order) % 2 else IDLE
    return state, total, total // SCRAP_EACH, 1 + int(order)


@dataclass(frozen=True, slots=True)
class Answer:
    """A line of the ledger."""

    number: int
    at_ns: int
    total: int
    scrap: int
    order: int


def answers(ledger: Path, unit: int) -> list[Answer]:
    """What `unit` was given, in order."""
    return _answers(ledger.read_text().splitlines(keepends=True), unit)


def _answers(lines: list[str], unit: int) -> list[Answer]:
    rows = [line.split() for line in lines if line.endswith("\n")]
    return [Answer(*map(int, row[1:])) for row in rows if int(row[0]) == unit]


# Two units' lines of a moment are shorter by far.
_TAIL = 4096


def latest(ledger: Path, unit: int) -> Answer:
    """What `unit` was given last; number 0, of no time, before the first."""
    with ledger.open("rb") as file:
        file.seek(max(0, ledger.stat().st_size - _TAIL))
        found = _answers(file.read().decode().splitlines(keepends=True)[1:], unit)
    return found[-1] if found else Answer(0, 0, 0, 0, 0)


class Source:
    """Answers everyone who reads holding registers."""

    def __init__(self, note: Callable[[str], object]) -> None:
        self._note = note
        self._began = time.monotonic()
        self._given: dict[int, int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = await reader.readexactly(7)
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                function, address, count = struct.unpack(">BHH", await reader.readexactly(length - 1))
                if function != 3 or address + count > _REGISTERS:
                    writer.write(struct.pack(">HHHBBB", transaction, 0, 3, unit, function | 0x80, 2))
                    continue
                whole = address + count == _REGISTERS
                number = self._given[unit] = self._given.get(unit, 0) + whole
                state, total, scrap, order = machine(time.monotonic() - self._began)
                values = (total, scrap, order, *(number + k * APART for k in range(NUMBERS)))
                registers = struct.pack(f">H{len(values)}I", state, *values)[2 * address : 2 * (address + count)]
                body = struct.pack(">BBB", unit, function, len(registers)) + registers
                writer.write(struct.pack(">HHH", transaction, 0, len(body)) + body)
                if whole:
                    self._note(f"{unit} {number} {time.monotonic_ns()} {total} {scrap} {order}\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main(port: int, ledger: Path) -> None:
    """Serve until killed."""
    with ledger.open("w", buffering=1) as lines:
        source = Source(lines.write)
        async with await asyncio.start_server(source.serve, "127.0.0.1", port) as server:
            print("ready", flush=True)
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
