"""A scan group: the tags of one period, the requests that read them, and what the device refuses.

When the device refuses a block ("illegal address"), the block is halved until the refused tags
stand alone; they are holes, not asked for again in this session. What is left between holes is
then tried in one piece, so that one hole costs one request more, not seven.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final, TypeGuard

import numpy as np

from edge_agent.api import GOOD, Batch, Bytes, Floats, Int32s, Reason, Vocabulary, bad, row
from edge_agent_modbus.decode import Decoder
from edge_agent_modbus.plan import Block, block_of, halves

# Modbus application protocol V1.1b3, 7: exception codes
ILLEGAL_FUNCTION: Final = 1      # the device has no such area at all
REFUSALS: Final = (2, 3)         # illegal address; illegal value: some say so of a count they dislike

_REFUSED: Final = bad(Reason.REFUSED)
_DEVICE: Final = bad(Reason.DEVICE)
_UNMAPPED: Final = bad(Reason.UNMAPPED)

_BYTES: Final = {bytes}

Answer = bytes | int
"""The bytes of a block's values, or the exception code the device gave instead"""

Ask = Callable[[Block], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Group:
    """The tags of one period: their column, and the blocks that read them.

    `vocabularies` are those of the text tags, by place in the row.
    """

    period_ns: int
    tags: Int32s
    blocks: tuple[Block, ...]
    vocabularies: Mapping[int, Vocabulary]


class Scan:
    """Reads one group during one session."""

    def __init__(self, group: Group, ask: Ask) -> None:
        self._group = group
        self._ask = ask
        self._use(group.blocks)

    async def ask(self) -> list[Answer]:
        """The answers to the group's blocks, in their order, once refused tags are set aside.

        A device that refuses all of them is asked for one each time: it may only be in the middle
        of something, and a line on which nothing is asked is never seen to break.
        """
        if not self._blocks:
            if await self._ask(block_of(self._group.blocks[0].fields[:1])) in REFUSALS:
                return []
            self._use(self._group.blocks)
        answers = [await self._ask(block) for block in self._blocks]
        if _all_bytes(answers) or not any(answer in REFUSALS for answer in answers):
            return answers
        found: list[tuple[Block, Answer]] = []
        for block, answer in zip(self._blocks, answers, strict=True):
            found += await self._around_holes(block) if answer in REFUSALS else [(block, answer)]
        self._use([block for block, _ in found])
        return [answer for _, answer in found]

    def batch(self, time_ns: int, answers: Sequence[Answer]) -> Batch:
        """The group's row from what `ask` has returned."""
        if _all_bytes(answers):
            values = self._decoder.decode(b"".join(answers))
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

    def _use(self, blocks: Sequence[Block]) -> None:
        self._blocks = tuple(blocks)
        self._decoder = self._partial = self._decoder_of(self._blocks)
        self._answering = self._blocks
        self._quality: Bytes = np.full(len(self._group.tags), _REFUSED, np.uint8)
        self._quality[[field.slot for block in blocks for field in block.fields]] = GOOD
        self._plain = not self._group.vocabularies and not self._quality.any()   # whole answers: all good

    def _decoder_of(self, blocks: Sequence[Block]) -> Decoder:
        return Decoder(blocks, len(self._group.tags), self._group.vocabularies)

    def _partly(self, answers: Sequence[Answer], quality: Bytes) -> Floats:
        """The row of those blocks that were answered; marks the others in `quality`."""
        asked = list(zip(self._blocks, answers, strict=True))
        answering = tuple(block for block, answer in asked if isinstance(answer, bytes))
        if answering != self._answering:      # a device may stay busy for long: compile once
            self._answering, self._partial = answering, self._decoder_of(answering)
        for block, answer in asked:
            if not isinstance(answer, bytes):
                mark = _REFUSED if answer == ILLEGAL_FUNCTION else _DEVICE
                quality[[field.slot for field in block.fields]] = mark
        return self._partial.decode(b"".join(answer for answer in answers if isinstance(answer, bytes)))

    async def _around_holes(self, block: Block) -> list[tuple[Block, Answer]]:
        """The largest parts of a refused block that are answered, with their answers."""
        parts = await self._narrow(block)
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

    async def _narrow(self, block: Block) -> list[tuple[Block, Answer]]:
        """What is answered of a refused block, halved until what is refused is single places."""
        found: list[tuple[Block, Answer]] = []
        for part in halves(block):
            answer = await self._ask(part)
            found += await self._narrow(part) if answer in REFUSALS else [(part, answer)]
        return found


def _runs(block: Block, parts: list[tuple[Block, Answer]]) -> list[list[tuple[Block, Answer]]]:
    """`parts` of `block` put together where no hole lies between them."""
    slots = [field.slot for field in block.fields]
    answered = {field.slot for part, _ in parts for field in part.fields}
    holes = list(accumulate((slot not in answered for slot in slots), initial=0))
    runs = groupby(parts, key=lambda part: holes[slots.index(part[0].fields[0].slot)])
    return [list(run) for _, run in runs]


def _all_bytes(answers: Sequence[Answer]) -> TypeGuard[Sequence[bytes]]:
    return set(map(type, answers)) <= _BYTES
