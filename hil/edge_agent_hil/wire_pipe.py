"""One direction of one connection: what passes, when, and in what shape."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum
from random import Random

from edge_agent_hil.wire_faults import DOWN, UP, WireFault

PIECE = 4096
HELD = 256 * 1024               # bytes on their way; a sender beyond that waits, as for a full TCP window
REPEATED_S = (0.2, 1.6)         # TCP's first wait on Linux, and the fourth: each is twice the one before
PORTIONS = 20                   # a second, of a throttled wire: rough enough to be cheap, fine beside any timeout


COUNTED = (
    "connections", "unreachable", "up_bytes", "down_bytes", "reset", "cut", "half_open", "corrupt", "duplicate", "lose",
)  # fmt: skip


class End(Enum):
    """How a direction ended."""

    FINISHED = "the sender has no more to say"
    BROKEN = "an end is gone"
    CUT = "the wire was cut"


class Present:
    """What is wrong with a wire now, and what has happened on it."""

    def __init__(self) -> None:
        self.faults: dict[str, WireFault] = {}
        self.counters = Counter(dict.fromkeys(COUNTED, 0))
        self.gates = {UP: asyncio.Event(), DOWN: asyncio.Event()}
        self.turn_gates()

    def find(self, name: str, way: str) -> WireFault | None:
        """The fault of that name, if there is one that way."""
        fault = self.faults.get(name)
        return fault if fault and fault.concerns(way) else None

    def turn_gates(self) -> None:
        """Let pass, or not."""
        for way, gate in self.gates.items():
            if self.find("black-hole", way):
                gate.clear()
            else:
                gate.set()

    @property
    def passes(self) -> bool:
        """Whether something passes both ways, as a greeting must."""
        return all(gate.is_set() for gate in self.gates.values())

    async def wait_until_it_passes(self) -> None:
        """Until then."""
        while not self.passes:
            for gate in self.gates.values():
                await gate.wait()


class Pipe:
    """Bytes from a reader to a writer. `take` and `give` run side by side until both have ended.

    `repeats`: what is lost comes again, late, as on TCP; else it is gone, as on a serial line.
    """

    def __init__(
        self, way: str, present: Present, reader: asyncio.StreamReader, dice: Random,
        seen: Callable[[bytes], None], repeats: bool = True,
    ) -> None:  # fmt: skip
        self._way, self._present, self._reader, self._dice, self._seen = way, present, reader, dice, seen
        self._repeats = repeats
        self._waiting: asyncio.Queue[tuple[float, bytes | End]] = asyncio.Queue()
        self._held = 0
        self._room = asyncio.Event()
        self._due = 0.0
        self._cut: WireFault | None = None
        self._left = 0

    async def take(self) -> None:
        """Read until the sender ends."""
        end = End.FINISHED
        try:
            while data := await self._reader.read(PIECE):
                if self._vanishes():
                    continue
                self._held += len(data)
                self._waiting.put_nowait((self._when(), data))
                while self._held >= HELD:
                    self._room.clear()
                    await self._room.wait()
        except OSError:
            end = End.BROKEN
        self._waiting.put_nowait((self._due, end))

    def _vanishes(self) -> bool:
        if self._repeats:
            return False
        return self._present.find("black-hole", self._way) is not None or self._happens("lose")

    def _when(self) -> float:
        """The moment at which what comes now arrives: never before what came earlier."""
        late = 0.0
        if fault := self._present.find("delay", self._way):
            late += fault.by_s
        if fault := self._present.find("jitter", self._way):
            late += self._dice.uniform(0, fault.by_s)
        if self._repeats and self._happens("lose"):
            late += self._dice.uniform(*REPEATED_S)
        self._due = max(self._due, asyncio.get_running_loop().time() + late)
        return self._due

    async def give(self, writer: asyncio.StreamWriter) -> End:
        """Pass everything on; how it ended."""
        while True:
            due, data = await self._waiting.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await self._present.gates[self._way].wait()
            if isinstance(data, End):
                return data
            try:
                for piece in self._spoilt(data):
                    if await self._pass(piece, writer) is End.CUT:
                        return End.CUT
            except OSError:
                return End.BROKEN
            self._held -= len(data)
            self._room.set()

    def _spoilt(self, data: bytes) -> Iterator[bytes]:
        """The piece as it arrives, as often as it arrives."""
        fault = self._present.find("corrupt", self._way)
        at = 0 if fault is None else self._dice.randrange(len(data)) if fault.at is None else fault.at
        if fault and at < len(data) and self._happens("corrupt"):
            data = data[:at] + bytes([data[at] ^ 1 << self._dice.randrange(8)]) + data[at + 1 :]
        yield data
        if self._happens("duplicate"):
            yield data

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> End | None:
        while data:
            await self._present.gates[self._way].wait()
            slow = self._present.find("throttle", self._way)
            portion = data[: max(1, slow.rate // PORTIONS)] if slow else data
            data = data[len(portion) :]
            portion, is_cut = self._allowed(portion)
            self._present.counters[f"{self._way}_bytes"] += len(portion)
            self._seen(portion)
            writer.write(portion)
            await writer.drain()
            if is_cut:
                self._present.counters["cut"] += 1
                return End.CUT
            if slow:
                await asyncio.sleep(len(portion) / slow.rate)
        return None

    def _allowed(self, portion: bytes) -> tuple[bytes, bool]:
        """What of it still passes, and whether that was the last."""
        fault = self._present.find("cut", self._way)
        if fault is not self._cut:
            self._cut = fault
            self._left = self._dice.randint(*fault.after) if fault else 0
        if fault is None:
            return portion, False
        portion = portion[: self._left]
        self._left -= len(portion)
        return portion, not self._left

    def _happens(self, name: str) -> bool:
        fault = self._present.find(name, self._way)
        happens = fault is not None and self._dice.random() < fault.share
        self._present.counters[name] += happens
        return happens
