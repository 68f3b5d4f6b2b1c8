"""Answers that units still owe, on lines where an answer has no number: a late one must not be taken for another."""

from __future__ import annotations

import asyncio

# How late an answer may be without being taken for that to a later question, s, if not longer by timeouts.
_LATEST_S = 1.0
_TIMEOUTS = 2


class Debts:
    """Who owes how many answers, and until when one may still come; outlives the wire of a serial port."""

    def __init__(self) -> None:
        self._owed: dict[int, tuple[int, float]] = {}
        self._waiting: asyncio.Future[None] | None = None

    def owes(self, unit: int) -> bool:
        """Whether an answer of `unit` may still come."""
        held = self._owed.get(unit)
        return held is not None and held[1] > asyncio.get_running_loop().time()

    def units(self) -> list[int]:
        """All that owe."""
        return [unit for unit in self._owed if self.owes(unit)]

    def add(self, unit: int, answers: int, timeout_s: float) -> None:
        """`answers` questions to `unit` were given up just now."""
        loop = asyncio.get_running_loop()
        until = loop.time() + max(_LATEST_S, _TIMEOUTS * timeout_s)
        self._owed[unit] = answers, until
        loop.call_at(until + 0.001, self._tell)

    def paid(self, unit: int) -> None:
        """One of them has come."""
        answers, until = self._owed[unit]
        if answers > 1:
            self._owed[unit] = answers - 1, until
        else:
            del self._owed[unit]
            self._tell()

    async def settled(self) -> None:
        """Wait until somebody has paid, or cannot any more."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiting)

    def _tell(self) -> None:
        for unit in [unit for unit in self._owed if not self.owes(unit)]:
            del self._owed[unit]
        if self._waiting is not None:
            self._waiting.set_result(None)
            self._waiting = None
