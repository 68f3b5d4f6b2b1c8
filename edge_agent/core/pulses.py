"""Pulses: a discrete input that is on for a moment with each piece, or each stroke (domain 2.5).

What counts is that it comes on; how long it stays on says nothing. A contact that bounces comes on several
times: only the first time counts, for the input has to have been off for `debounce_ns` before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edge_agent.core.counters import BASELINE, IGNORED, OK, Counter

DEBOUNCE_NS: Final = 50_000_000     # domain 3.6; relays and limit switches are quiet within 20 ms


class PulseCounter(Counter):
    """Takes the levels of an input as a `Counter` takes the readings of a register.

    What was not seen is not counted: of an input that cannot be read nobody knows the pulses (domain 2.6).
    """

    def __init__(self, debounce_ns: int = DEBOUNCE_NS) -> None:
        super().__init__(None)
        self._debounce_ns = debounce_ns
        self._is_known = False
        self._told = -(1 << 63)             # the last level came then
        self._off_since: int | None = None  # None: it is on, or not known

    def feed(self, t_ns: int, raw: int, reset_signal: bool = False) -> tuple[int, str]:
        """1 for a level that counts, else 0; `since` is then the time itself."""
        if t_ns <= self._told:
            return 0, IGNORED
        is_known = self._is_known
        self._is_known, self._told, off_since = True, t_ns, self._off_since
        self.since = t_ns
        if not raw:
            self._off_since = t_ns if off_since is None else off_since
            return 0, OK if is_known else BASELINE
        self._off_since = None
        if not is_known:
            return 0, BASELINE
        return int(off_since is not None and t_ns - off_since >= self._debounce_ns), OK

    def lose(self) -> None:
        """Whether it is on is not known any more."""
        self._is_known, self._off_since = False, None

    def hold(self, until_ns: int) -> None:
        """See `Counter.hold`: a level holds anyway."""

    @property
    def rules(self) -> list[str | int | None]:
        """See `Counter.rules`."""
        return ["pulse", self._debounce_ns]

    @property
    def memory(self) -> Any:
        """See `Counter.memory`."""
        return self._is_known, self._told, self._off_since

    @memory.setter
    def memory(self, memory: Any) -> None:
        self._is_known, self._told, self._off_since = memory

    @property
    def known_at(self) -> int:
        """See `Counter.known_at`."""
        return self._told

    def snapshot(self) -> dict[str, Any]:
        """See `Counter.snapshot`."""
        return {"pulse": [self._is_known, self._told, self._off_since]}

    def restore(self, data: Mapping[str, Any]) -> None:
        """See `Counter.restore`; the history of another kind of counter is none."""
        if told := data.get("pulse"):
            self.memory = tuple(told)
