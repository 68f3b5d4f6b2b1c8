"""A scan group: the tags of one period, the requests that read them, and what the device refuses.

When the device refuses a block ("illegal address"), the block is halved until the refused tags
stand alone; they are holes. What is left between holes is then tried in one piece, so that one hole
costs one request more, not seven. What was found is remembered from session to session, and the
holes are asked again now and then: a PLC may have got another program.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import Final, TypeGuard

import numpy as np

from edge_agent.api import GOOD, Batch, Bytes, Clock, Floats, Int32s, Reason, Vocabulary, bad, row
from edge_agent_modbus.decode import Decoder
from edge_agent_modbus.dialogue import NOISE, UNFIT, Answer
from edge_agent_modbus.plan import Block, block_of, halves

# Illegal address; illegal value: some say so of a count they dislike. An answer that does not fit is
# what some give instead.
REFUSALS: Final = (2, 3, UNFIT)
_MARKS: Final = {
    1: bad(Reason.REFUSED), 2: bad(Reason.REFUSED), 3: bad(Reason.REFUSED), 5: bad(Reason.BUSY),
    6: bad(Reason.BUSY), UNFIT: bad(Reason.GARBLED), NOISE: bad(Reason.GARBLED),
}  # fmt: skip
_OTHER_MARK: Final = bad(Reason.DEVICE)
_UNMAPPED: Final = bad(Reason.UNMAPPED)

_AGAIN_NS: Final = 600_000_000_000

Ask = Callable[[Block], Awaitable[Answer]]


@dataclass(slots=True)
class Memory:
    """What is known of a group beyond a session.

    blocks    those that are answered, as far as known
    holes     slot → code with which it is refused
    troubles  slot → code it had instead of a value in the last scan
    """

    blocks: tuple[Block, ...]
    holes: dict[int, int] = field(default_factory=dict)
    troubles: dict[int, int] = field(default_factory=dict)
    again_ns: int = 0
    doors: list[Block] = field(default_factory=list)    # what is still to be asked again this time round


@dataclass(frozen=True, slots=True)
class Group:
    """The tags of one period: their column, and the blocks that read them.

    `vocabularies` are those of the text tags, by place in the row.
    """

    period_ns: int
    tags: Int32s
    blocks: tuple[Block, ...]
    vocabularies: Mapping[int, Vocabulary]
    memory: Memory


class Scan:
    """Reads one group during one session; up to `in_flight` requests at once."""

    def __init__(
        self, group: Group, ask: Ask, clock: Clock, in_flight: int = 1, begin: Callable[[], None] = lambda: None
    ) -> None:
        self._group = group
        self._ask = ask
        self._begin = begin     # called when the requests begin whose answers make the row
        self._clock = clock
        self._in_flight = in_flight
        self._memory = group.memory
        if self._memory.holes:
            self._memory.again_ns = 0       # a device that comes back may have got another program
        self._use(group.memory.blocks)

    async def ask(self) -> list[Answer]:
        """The answers to the group's blocks, in their order, once refused tags are set aside.

        A device that refuses all of them is asked for one each time: it may only be in the middle
        of something, and a line on which nothing is asked is never seen to break.
        """
        self._begin()
        if not self._blocks:
            if await self._ask(block_of(self._group.blocks[0].fields[:1])) in REFUSALS:
                return []
            self._start_over()
            self._begin()
        elif self._blocks != self._group.blocks and self._clock() >= self._memory.again_ns:
            await self._knock()
            self._begin()
        if self._in_flight == 1:
            answers = [await self._ask(block) for block in self._blocks]
        else:
            answers = await self._all_at_once(self._blocks)
        if _all_bytes(answers) or not any(answer in REFUSALS for answer in answers):
            return answers
        found: list[tuple[Block, Answer]] = []
        for block, answer in zip(self._blocks, answers, strict=True):
            if isinstance(answer, int) and answer in REFUSALS:
                found += await self._around_holes(block, answer)
            else:
                found.append((block, answer))
        self._memory.again_ns = self._clock() + _AGAIN_NS
        self._use([block for block, _ in found])
        return [answer for _, answer in found]

    def batch(self, time_ns: int, answers: Sequence[Answer]) -> Batch:
        """The group's row from what `ask` has returned."""
        if _all_bytes(answers):
            if self._memory.troubles:
                self._memory.troubles.clear()
            values = self._decoder.decode(answers[0] if len(answers) == 1 else b"".join(answers))
            if self._plain:
                return row(self._group.tags, time_ns, values)
            quality = self._quality.copy()
        else:
            quality = self._quality.copy()
            values = self._partly(answers, quality)
        for slot in self._group.vocabularies:
            if values[slot] != values[slot] and quality[slot] == 0:
                quality[slot] = _UNMAPPED
        return row(self._group.tags, time_ns, values, quality)

    async def _all_at_once(self, blocks: Sequence[Block]) -> list[Answer]:
        # no more of ours than may be on the way: others that share the wire want their turn
        room = asyncio.Semaphore(self._in_flight)

        async def ask(block: Block) -> Answer:
            async with room:
                return await self._ask(block)

        asking = [asyncio.ensure_future(ask(block)) for block in blocks]
        try:
            return [await one for one in asking]
        finally:
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    def _start_over(self) -> None:
        self._memory.holes.clear()
        self._use(self._group.blocks)

    async def _knock(self) -> None:
        """Ask one of the holes again, or a block that was split; once one is answered, everything is found
        out anew. One a scan: a device may have hundreds, on a slow line."""
        memory = self._memory
        if not memory.doors:
            memory.doors = self._doors()
        if memory.doors and isinstance(await self._ask(memory.doors.pop()), bytes):
            memory.doors = []
            self._start_over()
        if not memory.doors:
            memory.again_ns = self._clock() + _AGAIN_NS

    def _doors(self) -> list[Block]:
        """A block for each hole; or, if there is none, the largest that is not asked in one piece."""
        fields = [f for block in self._group.blocks for f in block.fields if f.slot in self._memory.holes]
        places = [list(same) for _, same in groupby(fields, key=lambda f: (f.area, f.start, f.count))]
        if places:
            return [block_of(place) for place in places]
        split = [block for block in self._group.blocks if block not in self._blocks]
        return [max(split, key=lambda block: block.count)] if split else []

    def _use(self, blocks: Sequence[Block]) -> None:
        self._blocks = self._memory.blocks = tuple(blocks)
        self._decoder = self._partial = self._decoder_of(self._blocks)
        self._answering = self._blocks
        self._quality: Bytes = np.full(len(self._group.tags), GOOD, np.uint8)
        for slot, code in self._memory.holes.items():
            self._quality[slot] = _MARKS.get(code, _OTHER_MARK)
        self._plain = not self._group.vocabularies and not self._quality.any()   # whole answers: all good

    def _decoder_of(self, blocks: Sequence[Block]) -> Decoder:
        return Decoder(blocks, len(self._group.tags), self._group.vocabularies)

    def _partly(self, answers: Sequence[Answer], quality: Bytes) -> Floats:
        """The row of those blocks that were answered; marks the others in `quality`."""
        asked = list(zip(self._blocks, answers, strict=True))
        answering = tuple(block for block, answer in asked if isinstance(answer, bytes))
        if answering != self._answering:      # a device may stay busy for long: compile once
            self._answering, self._partial = answering, self._decoder_of(answering)
        self._memory.troubles.clear()
        for block, answer in asked:
            if isinstance(answer, int):
                slots = [field.slot for field in block.fields]
                quality[slots] = _MARKS.get(answer, _OTHER_MARK)
                self._memory.troubles.update(dict.fromkeys(slots, answer))
        return self._partial.decode(b"".join(answer for answer in answers if isinstance(answer, bytes)))

    async def _around_holes(self, block: Block, code: int) -> list[tuple[Block, Answer]]:
        """The largest parts of a refused block that are answered, with their answers."""
        parts = await self._narrow(block, code)
        if len(parts) > 1 and len(_runs(block, parts)) == 1 and all(isinstance(part[1], bytes) for part in parts):
            # All of it is there: too large in one piece, or refused for the moment?
            once_more = await self._ask(block)
            if isinstance(once_more, bytes):
                return [(block, once_more)]
        found: list[tuple[Block, Answer]] = []
        for run in _runs(block, parts):
            whole = block_of([field for part, _ in run for field in part.fields])
            if len(run) > 1 and len(whole.fields) < len(block.fields):
                answer = await self._ask(whole)
                if isinstance(answer, bytes):
                    found.append((whole, answer))
                    continue
            found += run
        return found

    async def _narrow(self, block: Block, code: int) -> list[tuple[Block, Answer]]:
        """What is answered of a block refused with `code`, halved until what is refused is single places."""
        found: list[tuple[Block, Answer]] = []
        parts = halves(block)
        if not parts:
            self._memory.holes.update(dict.fromkeys((field.slot for field in block.fields), code))
        for part in parts:
            answer = await self._ask(part)
            if isinstance(answer, int) and answer in REFUSALS:
                found += await self._narrow(part, answer)
            else:
                found.append((part, answer))
        return found


def _runs(block: Block, parts: list[tuple[Block, Answer]]) -> list[list[tuple[Block, Answer]]]:
    """`parts` of `block` put together where no hole lies between them."""
    slots = [field.slot for field in block.fields]
    answered = {field.slot for part, _ in parts for field in part.fields}
    holes = list(accumulate((slot not in answered for slot in slots), initial=0))
    runs = groupby(parts, key=lambda part: holes[slots.index(part[0].fields[0].slot)])
    return [list(run) for _, run in runs]


def _all_bytes(answers: Sequence[Answer]) -> TypeGuard[Sequence[bytes]]:
    for answer in answers:      # noqa: SIM110 — all() with a generator takes three times as long, once a scan
        if type(answer) is not bytes:
            return False
    return True
