"""The timeline: which state a machine was in, from state events in any order.

A step function: the last state holds until the next event, UNKNOWN before the first. Of several
events at one instant UNKNOWN wins (never silently RUN), then the state with the higher number
(MAINT, FAULT, RUN, SETUP, IDLE, OFF), then the greater reason: a rule that does not depend on
which came first. A later revision of an instant takes the place of what was told of it before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps

UNKNOWN: Final = MachineState.UNKNOWN
STOPS: Final = frozenset({MachineState.IDLE, MachineState.FAULT})     # what a stop consists of (domain 2.4)
# What a stretch of these counts as depends on its whole length; any other may be cut wherever one likes.
JUDGED_WHOLE: Final = STOPS | {UNKNOWN}
UNKNOWN_RANK: Final = len(MachineState)
_RANKS: Final = UNKNOWN_RANK + 1


def rank(state: MachineState) -> int:
    """Which of two states at one instant counts: the one with the greater rank."""
    return UNKNOWN_RANK if state is UNKNOWN else int(state)


class Known(NamedTuple):
    """A state as reported; the order of these decides between events at one instant."""

    rank: int
    state: MachineState
    reason: str


def as_known(state: MachineState, reason: str = "", revision: int = 0) -> Known:
    """A state as reported, or reported anew."""
    return Known(rank(state) + revision * _RANKS, state, reason)


class Span(NamedTuple):
    """A machine was in `state` during [start, end), ns UTC; `order` tells whether an order was active.

    `source` is "operator" where an operator said so, else "".
    """

    start: int
    end: int
    state: MachineState
    reason: str
    order: bool = True
    source: str = ""


class Run(NamedTuple):
    """A stretch of one state, whole as far as it is known, whatever window is looked at.

    `state` is the state that counts, `raw` what was reported: they differ where a gap is bridged by
    holding the last state. `opened` and `closed` tell whether events began and ended it. `from_` and
    `until` are where it is judged: `start` and `end` except where it has no beginning or no end.
    """

    start: int
    end: int
    state: MachineState
    reason: str
    raw: MachineState
    opened: bool
    closed: bool
    from_: int
    until: int


class Timeline:
    """State events of one machine.

    `hold` lets a gap keep the state before it if it is no longer than `hold_max` ns (`None`: however
    long it is).
    """

    def __init__(self, hold: bool = False, hold_max: int | None = None) -> None:
        self.steps: Steps[Known] = Steps()
        self.pruned = False
        self._hold = hold
        self._hold_max = hold_max

    def put(self, t: int, state: MachineState, reason: str = "", revision: int = 0) -> bool:
        """From `t` on, `state`. Whether that changed anything. The greatest `revision` told of an instant counts."""
        return self.steps.put(t, as_known(state, reason, revision))

    def visible(self, as_of: int | None) -> int:
        """How many events there were as of an instant; all of them if it is `None`."""
        times = self.steps.times
        return len(times) if as_of is None else bisect_right(times, as_of)

    def boundary(self, t: int, visible: int) -> int | None:
        """The latest instant <= t that no stop, fault or gap reaches across; `None` if there is none."""
        at = bisect_right(self.steps.times, t, 0, visible) - 1
        if at >= 0 and self.steps.values[at].state not in JUDGED_WHOLE:
            return t
        at = self._chain(at)
        return self.steps.times[at] if at >= 0 else None

    def changes_across(self, end: int, visible: int) -> list[int]:
        """From `end` on: the events by which the stop or gap across it goes on, and the one that ends it."""
        at = stop = bisect_left(self.steps.times, end, 0, visible)
        while stop < visible and self._joined(stop):
            stop += 1
        return self.steps.times[at : min(stop + 1, visible)]

    def runs(self, start: int, end: int, visible: int, first: int, last: int) -> list[Run]:
        """The runs that overlap [start, end), and those their stops and gaps hang together with.

        Looks at the first `visible` events only. A state without a beginning is judged from `first`
        on, one without an end until `last`. The runs tile time and cover [start, end).
        """
        times, values = self.steps.times, self.steps.values
        at = self._chain(bisect_right(times, start, 0, visible) - 1)
        stop = max(at + 1, bisect_left(times, end, 0, visible))
        while stop < visible and self._joined(stop):
            stop += 1
        found: list[Run] = []
        held: Known | None = None
        while at < stop:
            told = values[at] if at >= 0 else Known(UNKNOWN_RANK, UNKNOWN, "")
            following = at + 1
            while told.state is UNKNOWN and following < stop and values[following].state is UNKNOWN:
                following += 1
            begin, from_ = (times[at], times[at]) if at >= 0 else (min(first, start), first)
            closed = following < visible
            finish, until = (times[following],) * 2 if closed else (max(last, end), last)
            if told.state is not UNKNOWN:
                held = told
            counts = held if held is not None and self._is_held(told, until - from_) else told
            state, reason = counts.state, counts.reason
            found.append(Run(begin, finish, state, reason, told.state, at >= 0, closed, from_, until))
            at = following
        return found

    def spans(self, start: int, end: int) -> Iterator[tuple[int, int, Known]]:
        """What was reported, clipped to [start, end): tiles it without gap or overlap."""
        times, values = self.steps.times, self.steps.values
        at = bisect_right(times, start) - 1
        while start < end:
            finish = min(end, times[at + 1]) if at + 1 < len(times) else end
            yield start, finish, values[at] if at >= 0 else Known(UNKNOWN_RANK, UNKNOWN, "")
            start, at = finish, at + 1

    def _is_held(self, told: Known, length: int) -> bool:
        return self._hold and told.state is UNKNOWN and (self._hold_max is None or length <= self._hold_max)

    def _chain(self, at: int) -> int:
        """The first event of the stop or gap that event `at` belongs to; -1 is the time before all events."""
        while at >= 0 and self._joined(at):
            at -= 1
        return at

    def _joined(self, at: int) -> bool:
        """Whether event `at` may go on with the stop or gap that was there before it."""
        state = self.steps.values[at].state
        if at == 0:
            return state is UNKNOWN and not self.pruned
        before = self.steps.values[at - 1].state
        if state is UNKNOWN:
            return self._hold or before is UNKNOWN
        return state in STOPS and (before in STOPS or (self._hold and before is UNKNOWN))
