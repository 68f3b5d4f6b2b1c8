"""Values for which the site file has no name: a state its map misses, a product it does not list.

A machine counts how often one of them came, and remembers the first few, so that somebody can put them right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from edge_agent.core.phrase import shown
from edge_agent.core.tags import Tag

# Of a tag that brings a thousand different ones the first few say what is the matter.
REMEMBERED: Final = 16


class Unnamed(NamedTuple):
    """`value` came from `tag` and names no `what` (state, product) of `machine`."""

    machine: str
    what: str
    tag: Tag
    value: int | str

    def __str__(self) -> str:
        missing = {
            "state": "which its state does not name: the machine is UNKNOWN meanwhile",
            "product": "which names no product: the pieces have no ideal cycle (PRU_MISSING)",
        }
        return f"{self.machine}: {self.tag.id} is {shown(self.value)}, {missing[self.what]}"


class UnnamedValues:
    """What one machine has met."""

    def __init__(self, machine: str) -> None:
        self.count = 0
        """how often the machine came to such a value"""
        self.met: dict[tuple[str, str, int | str], Unnamed] = {}
        self._machine = machine
        self._fresh: list[Unnamed] = []

    def add(self, what: str, tag: Tag, value: int | str) -> None:
        """The machine came to a value that names no `what`."""
        self.count += 1
        key = (what, tag.id, value)
        if key not in self.met and len(self.met) < REMEMBERED:
            self.met[key] = Unnamed(self._machine, what, tag, value)
            self._fresh.append(self.met[key])

    def take_fresh(self) -> Iterator[Unnamed]:
        """Those met for the first time since the last call."""
        fresh, self._fresh = self._fresh, []
        yield from fresh
