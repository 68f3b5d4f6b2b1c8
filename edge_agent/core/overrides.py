"""What operators say of a machine: a state, or the reason of one, for a stretch of time (domain 3.1).

It counts more than anything the machine tells, and leaves that as it was told: whoever takes it back has the
machine's own states again. Where entries overlap, the one entered later counts; of those entered at one instant the
one with the greater id. So any order and any repetition of the same entries means the same.

An entry without an end ends where the machine next begins to run.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.timeline import UNKNOWN, Known, as_known

FOREVER: Final = 1 << 62
MOST: Final = 1000      # entries kept; what no open window reaches goes with the ledger's past
RUN: Final = MachineState.RUN


class Ns(int):
    """An instant in a statement, ns UTC: as exact as the ledger has it, where people write ms."""


class Entry(NamedTuple):
    """One thing said: of [start, end), `at` an instant, ns UTC, under an id of its own, by somebody.

    With a state, the machine was in it. With a reason alone, that is why the machine stood as it told: running and
    unknown time have no reasons. With neither, what was said before of this stretch is taken back.
    """

    at: int
    id: str
    start: int
    end: int | None
    state: MachineState | None
    reason: str
    who: str = ""

    def fact(self) -> list[Any]:
        """JSON-safe."""
        return [*self[:4], None if self.state is None else int(self.state), *self[5:]]

    @classmethod
    def of(cls, fact: list[Any]) -> Entry:
        """The entry that `fact` was."""
        at, id, start, end, state, *said = fact
        return cls(at, id, start, end, None if state is None else MachineState(state), *said)


class Painted(NamedTuple):
    """What counts from `time` on, and whether an operator said so."""

    time: int
    known: Known
    said: bool


class Overrides:
    """The entries of one machine; `told` are always its own states."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def put(self, entry: Entry) -> bool:
        """Whether it is new."""
        if entry in self.entries:
            return False
        insort(self.entries, entry, key=lambda one: (one.at, one.id, repr(one)))
        return True

    def find(self, id: str) -> Entry | None:
        """The entry of this id."""
        return next((entry for entry in self.entries if entry.id == id), None)

    def drop_before(self, t: int, told: Steps[Known]) -> None:
        """Forget the entries that end at `t` or before."""
        self.entries = [entry for entry in self.entries if _end(entry, told) > t]

    def painted(self, told: Steps[Known], since: int, until: int = FOREVER) -> Iterator[Painted]:
        """What counts from `since` to `until`: at `since` itself and wherever it may change."""
        spans = [(entry.start, _end(entry, told), at) for at, entry in enumerate(self.entries)]
        spans = sorted(span for span in spans if span[1] > since and span[0] < until)
        cuts = {since, *told.times[bisect_right(told.times, since) :], *(t for span in spans for t in span[:2])}
        coming, holding = deque(spans), _Holding(self.entries)
        for t in sorted(cut for cut in cuts if since <= cut < until):
            while coming and coming[0][0] <= t:
                holding.add(coming.popleft())
            own = told.at(t) or as_known(UNKNOWN)
            yield Painted(t, *holding.over(own, t))


class _Holding:
    """The entries that hold at an instant, those that decide the state (or take back) apart from reasons alone."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._decide: list[tuple[int, int]] = []    # place among the entries, end; the last counts
        self._explain: list[tuple[int, int]] = []

    def add(self, span: tuple[int, int, int]) -> None:
        _, end, at = span
        entry = self._entries[at]
        insort(self._explain if entry.state is None and entry.reason else self._decide, (at, end))

    def over(self, own: Known, t: int) -> tuple[Known, bool]:
        """What counts at `t` where the machine itself tells `own`, and whether an operator said so."""
        state_at, reason_at = _last(self._decide, t), _last(self._explain, t)
        known, said = own, False
        if state_at >= 0 and (state := self._entries[state_at].state) is not None:
            known, said = as_known(state, self._entries[state_at].reason), True
        if reason_at > state_at and known.state not in (UNKNOWN, RUN):
            known, said = known._replace(reason=self._entries[reason_at].reason), True
        return known, said


def _last(held: list[tuple[int, int]], t: int) -> int:
    """The last of those that have not ended by `t`, -1 without any; what has ended goes."""
    while held and held[-1][1] <= t:
        held.pop()
    return held[-1][0] if held else -1


def _end(entry: Entry, told: Steps[Known]) -> int:
    """Where it ends, at last `FOREVER`."""
    if entry.end is not None:
        return entry.end
    for at in range(bisect_right(told.times, entry.start), len(told.times)):
        if told.values[at].state is RUN and (at == 0 or told.values[at - 1].state is not RUN):
            return told.times[at]
    return FOREVER
