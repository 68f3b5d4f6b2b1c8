"""The facts a machine has found: told to its ledger at once, kept for the journal and for checkpoints.

A fact is the name of a ledger method and its arguments, JSON-safe. The ledger takes facts in any order,
any number of times, so a restart simply tells it again what the journal has.

A checkpoint must be quick, and a day of facts is not: so the ledger is packed now and then, when there
is time, and a checkpoint holds the last package and the facts found since.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import nan
from typing import Any, Final

import orjson

from edge_agent.core.cell import NO_IDEAL
from edge_agent.core.ledger import Ledger
from edge_agent.core.overrides import Entry
from edge_agent.core.states import MachineState

Fact = tuple[str, list[Any]]

Rate = Callable[[str, "Fraction | None"], "Fraction | None"]
"""(product, its ideal cycle when it was noted) → the ideal cycle that is in force now."""

# Packing costs about 1 µs a fact the ledger holds, and a checkpoint 0.3 µs a fact found since: packed
# after this many and one more for so many bytes of the last package, neither is ever felt.
LEAST_UNPACKED: Final = 256
BYTES_A_FACT: Final = 256

_PLAIN: Final = frozenset({"order", "number", "clock", "energy"})
"""facts whose arguments are those of the ledger's method"""


class Facts:
    """Between one machine and its ledger.

    `fixed`: the ideal cycle of a machine that has no jobs; `scrap`: the planned share of scrap of a product;
    `units`: its pieces a stroke. A
    changed configuration counts for all that is still open, as a changed calendar does: jobs are rated anew when
    they are told again.
    """

    def __init__(
        self,
        ledger: Ledger,
        rate: Rate,
        fixed: Fraction | None,
        scrap: Callable[[str], Fraction] = lambda product: NO_IDEAL,
        units: Callable[[str], int] = lambda product: 1,
    ) -> None:
        self.ledger = ledger
        self._rate = rate
        self._fixed = fixed
        self._scrap = scrap
        self._units = units
        self.too_late = 0       # facts about a time of which nothing is known any more
        self._fresh: list[Fact] = []
        self._packed = b""
        self._since: list[Fact] = []
        self.forgets = False
        """whether only the ledger keeps the facts: nobody asks for events or checkpoints"""
        if fixed is not None:
            ledger.job(0, "", fixed, scrap=scrap(""), units=units(""))

    def note(self, method: str, arguments: list[Any]) -> None:
        """A new fact."""
        floor = self.ledger.remembered_from
        if floor is not None and method != "clock" and _time(method, arguments) < floor:
            self.too_late += 1
        if not self.forgets:
            self._fresh.append((method, arguments))
        self._tell((method, arguments))

    def again(self, facts: Iterable[Fact]) -> None:
        """Facts the journal already has."""
        for method, arguments in facts:
            self._tell((method, arguments))

    def take(self) -> list[Fact]:
        """The new ones since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def _tell(self, fact: Fact) -> None:
        method, a = fact
        if method == "state":
            self.ledger.state(a[0], MachineState(a[1]), a[2], revision=a[3] if len(a) > 3 else 0)
        elif method == "count":
            revision = a[6] if len(a) > 6 else 0
            self.ledger.count(a[0], a[1], total=a[2], scrap=a[3], rework=a[4], since=a[5], revision=revision)
        elif method == "job" and self._fixed is None:
            ideal = self._rate(a[1], None if a[2] is None else Fraction(a[2]))
            self.ledger.job(a[0], a[1], ideal, scrap=self._scrap(a[1]), units=self._units(a[1]))
        elif method in _PLAIN:
            getattr(self.ledger, method)(*a)
        else:
            self._tell_more(method, a)
        if not self.forgets:
            self._since.append(fact)

    def _tell_more(self, method: str, a: list[Any]) -> None:
        """Facts that most machines never have."""
        if method == "estimate":
            self.ledger.estimate(a[0], a[1], Fraction(a[2]))
        elif method == "operator":
            self.ledger.operator(Entry.of(a))
        elif method == "measure":
            self.ledger.measure(a[0], [(t, nan if x is None else x) for t, x in a[1]], a[2])
        elif method == "inspected":
            self.ledger.inspected(a[0], a[1], a[2], a[3], revision=a[4] if len(a) > 4 else 0)

    # -- checkpoints -------------------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """Whether it is time to `pack`."""
        return len(self._since) > LEAST_UNPACKED + len(self._packed) // BYTES_A_FACT

    def pack(self) -> None:
        """Pack the ledger as it is now; some ms for a day of facts."""
        self._packed = zlib.compress(orjson.dumps(self.ledger.snapshot()), 1)
        self._since = []

    def checkpoint(self) -> tuple[bytes, list[Fact]]:
        """The last package and all facts since: together everything."""
        return self._packed, self._since

    def restore(self, packed: bytes, since: Iterable[Fact]) -> None:
        """What `checkpoint` gave."""
        if packed:
            data = orjson.loads(zlib.decompress(packed))
            self.ledger.restore({**data, "jobs": self._rated(data["jobs"])})
        self._packed, self._since = packed, []
        self.again(since)

    def _rated(self, jobs: list[list[Any]]) -> list[list[Any]]:
        if self._fixed is not None:
            return [[0, "", str(self._fixed), "", str(self._scrap("")), False, self._units("")]]
        rated = []
        for t, product, before, order, *_ in jobs:
            ideal = self._rate(product, None if before is None else Fraction(before))
            scrap = str(self._scrap(product))
            told = None if ideal is None else str(ideal)
            rated.append([t, product, told, order, scrap, False, self._units(product)])
        return rated


def _time(method: str, arguments: list[Any]) -> int:
    """When a fact was so; of several readings of a gauge, the earliest."""
    return int(min(t for t, _ in arguments[1]) if method == "measure" else arguments[0])
