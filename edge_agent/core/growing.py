"""An open window that goes on as it was: its cell grows by the time that passes and the pieces that come.

While a machine stays in one state, of one job, within one stretch of planned busy time, nothing about its open window
has to be judged anew. What grows is found once; then a look costs a fraction of adding up. Whatever else is told
ends it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.core import buckets
from edge_agent.core.book import Book
from edge_agent.core.buckets import Plan
from edge_agent.core.cell import NO_IDEAL, Cell
from edge_agent.core.decided import turn_of
from edge_agent.core.pieces import Made
from edge_agent.core.states import MachineState
from edge_agent.core.tiles import BUSY
from edge_agent.core.timeline import STOPS, UNKNOWN, Run

LONGEST: Final = 3_600_000_000_000
"""So long something grows before it is added up anew."""


@dataclass(frozen=True, slots=True)
class Growth:
    """`cell` is all of the window before `since`; until `until` each ns that passes adds to the fields `names`."""

    since: int
    until: int
    cell: Cell
    names: tuple[str, ...]
    more: Callable[[Made, int, int], None]    # adds what was made in (low, high]

    def at(self, t: int) -> Cell:
        """The cell of the window before `t`, `since` <= t <= `until`."""
        grown: Made = defaultdict(int, ipt=NO_IDEAL, igt=NO_IDEAL)
        self.more(grown, self.since, t)
        grown["ct"] = t - self.since
        for name in self.names:
            grown[name] += t - self.since
        return self.cell.grown(grown)


def growth(book: Book, cell: Cell, runs: list[Run], at: int) -> Growth | None:
    """How the cell of a window that is open at `at`, as of then, goes on; None where that takes more than time.

    `runs`: the last of before `at`, with the stop it belongs to.
    """
    policy, tail = book.policy, runs[-1]
    plain = not (policy.inferred or policy.unsorted or policy.capacity or book.is_instrumented)
    if not plain or tail.raw is UNKNOWN or tail.state is MachineState.SETUP or not book.is_newest(at):
        return None
    span = book.calendar.spans(at, at + LONGEST)[0]
    if span.kind is not BUSY or book.was_set_up(at - policy.startup_ns, at):
        return None
    until = min([span.end, *book.rate_changes(at, span.end)])
    micro = False
    if tail.state in STOPS:
        *_, stop = buckets.episodes(runs)
        micro = not book.calendar.busy_exceeds(stop[0].from_, at, policy.micro_stop_ns)
        turn = turn_of(runs, book.calendar, policy)
        until = min(until, turn - 1) if micro and turn is not None else until
    names = buckets.bucket(Plan(at, until, span.kind, book.has_order(at)), tail, micro, policy)
    return Growth(at, until, cell, names, book.made)
