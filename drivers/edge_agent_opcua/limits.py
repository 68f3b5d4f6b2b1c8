"""What a server says it can take, and what it turned out to take: read at connect, lowered when it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# Where a server names no limit: requests of a few ten kB, which every server takes, and no more than its
# event loop and ours are busy with for some 50 ms.
DEFAULT: Final = 500


# Each node brings an answer as long as its list of children.
BROWSES: Final = 100


class Operation(StrEnum):
    """What is limited in a single call (OPC UA Part 5, 6.3.11)."""

    READ = "reads"
    WRITE = "writes"
    CALL = "calls"
    BROWSE = "browses"
    REGISTER = "registrations"
    TRANSLATE = "translations"
    MONITOR = "items"


# Part 6, A.1: the numeric node ids of the properties of ServerCapabilities.OperationLimits, namespace 0.
NODES: Final = {
    Operation.READ: 11705,
    Operation.WRITE: 11707,
    Operation.CALL: 11709,
    Operation.BROWSE: 11710,
    Operation.REGISTER: 11711,
    Operation.TRANSLATE: 11712,
    Operation.MONITOR: 11714,
}


@dataclass(slots=True)
class Limits:
    """So many nodes or items in one call, by operation; and in all, where the server says so (0: it does not)."""

    per_call: dict[Operation, int] = field(default_factory=dict)
    subscriptions: int = 0
    items_per_subscription: int = 0

    def of(self, operation: Operation) -> int:
        """How many to put into one call."""
        most = BROWSES if operation is Operation.BROWSE else DEFAULT
        return min(self.per_call.get(operation, most), most)

    def at_most(self, operation: Operation, number: int) -> None:
        """The server takes no more than `number` in one call; 0 is no limit."""
        if number > 0:
            self.per_call[operation] = min(self.per_call.get(operation, number), number)
