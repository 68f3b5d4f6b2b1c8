"""An open window that goes on as it was: its cell grows by the time that passes and the pieces that come.

While a machine stays in one state, of one job, within one stretch of planned busy time, nothing about its open window
has to be judged anew. What grows is found once; then a look costs a fraction of adding up. Whatever else is told
ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from edge_agent.core import buckets
from edge_agent.core.book import Book
from edge_agent.core.buckets import Plan
from edge_agent.core.cell import Cell
from edge_agent.core.decided import turn_of
from edge_agent.core.pieces import plus_times
from edge_agent.core.states import MachineState
from edge_agent.core.tiles import BUSY
from edge_agent.core.timeline import STOPS, UNKNOWN, Run

LONGEST: Final = 3_600_000_000_000
"""So long something grows before it is added up anew."""


class Rating(NamedTuple):
    """What pieces are worth: seconds each (None: nobody knows), the share planned to be scrap, pieces of a stroke."""

    ideal: Fraction | None
    estimated: bool
    scrap: Fraction
    units: int


@dataclass(frozen=True, slots=True)
class Growth:
    """`cell` is all of the window before `since`; until `until` each ns that passes adds to the fields `names`.

    `made` tells the total, scrap and rework of (low, high] as known at `high`.
    """

    since: int
    until: int
    cell: Cell
    names: tuple[str, ...]
    rating: Rating
    made: Callable[[int, int, int | None, int], tuple[int, int, int]]

    def at(self, t: int) -> Cell:
        """The cell of the window before `t`, `since` <= t <= `until`."""
        cell, rating, passed = self.cell, self.rating, t - self.since
        total, scrap, rework = self.made(self.since, t, t, rating.units)
        good = total - scrap - rework
        by = {"ct": passed, "pq": total, "gq": good, "sq": scrap, "rq": rework}
        for name in self.names:
            by[name] = passed
        if rating.ideal is None:
            by["unrated"] = total
            return cell.grown(by)
        if rating.estimated:
            by["estimated"] = total
        instead = {
            "ipt": plus_times(cell.ipt, rating.ideal, total), "igt": plus_times(cell.igt, rating.ideal, good)
        }
        if rating.scrap:
            instead["psq"] = plus_times(cell.psq, rating.scrap, total)
        return cell.grown(by, instead)


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
    return Growth(at, until, cell, names, Rating(*book.rating(at)), book.count_of)
