"""Which commands were seen before: the same id is carried out once, however often it arrives."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from edge_agent.core.command import Command, Outcome

# A sender repeats within seconds; at one command a second these are a quarter of an hour.
KEPT = 1000


@dataclass(frozen=True, slots=True)
class Known:
    """A command and what becomes, or became, of it."""

    command: Command
    ended: asyncio.Future[Outcome]

    def is_like(self, command: Command) -> bool:
        """The same tag and value; who asks, and how, may differ."""
        mine, other = self.command, command
        same = (mine.device, mine.tag) == (other.device, other.tag)
        return same and type(mine.value) is type(other.value) and bool(mine.value == other.value)


class Seen:
    """The last thousand that reached the equipment's queue, and the last thousand that were refused.

    Kept apart: a flood of refused ones must not make the agent forget what it has written.
    """

    def __init__(self) -> None:
        self._accepted: OrderedDict[str, Known] = OrderedDict()
        self._refused: OrderedDict[str, Known] = OrderedDict()

    def of(self, id: str) -> Known | None:
        """The command seen under this id."""
        return self._accepted.get(id) or self._refused.get(id)

    def accept(self, known: Known) -> None:
        """It will be carried out."""
        self._keep(self._accepted, known)

    def refuse(self, known: Known) -> None:
        """It will not."""
        self._keep(self._refused, known)

    @staticmethod
    def _keep(memory: OrderedDict[str, Known], known: Known) -> None:
        memory[known.command.id] = known
        if len(memory) > KEPT:
            memory.popitem(last=False)
