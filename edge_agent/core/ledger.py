"""The ledger of one machine: events in, cells out.

Inputs are facts with an instant: states, orders, jobs, counts. They may come late, in any order and
any number of times; the same set of facts always gives the same cells, and the cells of two windows
that meet add up to the cell of both, wherever they meet. Knowledge has a date: `as_of` leaves out
what was reported later and ends what is still going on there, provisionally.

So that asking for an open window again costs only what is new, the ledger keeps, for the windows it
is asked about, the cells of their settled part: up to an instant that no stop or gap reaches across.
A late fact takes back what it could change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from edge_agent.core import buckets
from edge_agent.core.book import MINUTE, NEVER, Book
from edge_agent.core.buckets import Policy
from edge_agent.core.cell import Cell
from edge_agent.core.decided import turn_of
from edge_agent.core.growing import Growth, growth
from edge_agent.core.jobs import JobSpan
from edge_agent.core.pieces import Pieces
from edge_agent.core.settled import WINDOWS, Settled
from edge_agent.core.slices import Slice, slices
from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.timeline import STOPS, UNKNOWN, Run, Span

__all__ = ["MINUTE", "JobSpan", "Ledger", "Policy", "Span"]


OPERATOR: Final = "operator"
HOUR: Final = 60 * MINUTE
PARTS: Final = 64       # of a window's products that are kept; a fact about their time forgets them


class Ledger(Book):
    """What is known about one machine, added up."""

    def _clear(self) -> None:
        super()._clear()
        self._settled = Settled()
        self._carried: dict[int, Cell] = {}     # start of a window → its cell up to the floor
        self._parts: dict[tuple[int, int], tuple[int, Cell]] = {}   # with when it was decided
        self._growing: dict[int, Growth | None] = {}                # by start of the window
        self._grown = -NEVER                                        # the latest of their instants

    def _touch_counts(self, t: int) -> None:
        growing = self._growing if t > self._grown else {}
        self._touch(t)
        self._growing = growing

    def _touch(self, t: int) -> None:
        super()._touch(t)
        if self._growing:
            self._growing = {}
        self._settled.take_back(t)
        if self._parts:
            self._parts = {part: kept for part, kept in self._parts.items() if kept[0] < t}

    # -- cells out ---------------------------------------------------------------------------

    def cell(self, start: int, end: int, as_of: int | None = None) -> Cell:
        """Everything about [start, min(end, as_of)), as it was known at `as_of` (`None`: as known now)."""
        stop = end if as_of is None else min(end, as_of)
        if stop <= start:
            return Cell()
        growing = self._growing.get(start)
        if growing is not None and as_of == stop and growing.since <= stop <= growing.until:
            return growing.at(stop)
        if start in self._carried and self._floor is not None and start < self._floor < stop:
            return self._carried[start] + self.cell(self._floor, end, as_of)
        visible = self._timeline.visible(as_of)

        def measure(low: int, high: int) -> Cell:
            return self._measure(low, high, as_of, visible)

        def boundary(t: int) -> int | None:
            return self._timeline.boundary(t, visible)

        since, before = self._settled.reach(start, stop, as_of, measure, boundary, self._spreads_across)
        found = before + measure(since, stop) if since < stop else before
        if as_of == stop and (growing is not None or start not in self._growing):
            self._may_grow(start, stop, found)
        return found

    def part(self, start: int, end: int, as_of: int | None = None) -> Cell:
        """As `cell`, for a stretch that is looked at once: it takes no room that open windows need, and is not kept."""
        stop = end if as_of is None else min(end, as_of)
        return self._measure(start, stop, as_of, self._timeline.visible(as_of)) if start < stop else Cell()

    def _may_grow(self, start: int, stop: int, cell: Cell) -> None:
        """Keep the cell of an open window, if it will go on as it was."""
        while len(self._growing) >= WINDOWS:
            del self._growing[next(iter(self._growing))]
        self._growing[start] = growth(self, cell, self._runs_at(stop, stop), stop)
        self._grown = max(self._grown, stop)

    def _spreads_across(self, t: int, low: int, high: int) -> bool:
        """Whether what was reported in (low, high] is of time before `t`."""
        return self._counts.spreads_across(t, low, high) or self._instruments.spreads_across(t, low, high)

    def is_provisional(self, start: int, end: int, as_of: int | None = None) -> bool:
        """Whether the cell may still change by what happens after `as_of`: it ends in the window, or
        a stop or gap that reaches into the window is still open."""
        if as_of is None:
            return False
        if as_of < end:
            return True
        tail = self._runs_at(end, as_of)[-1]
        return not tail.closed and (tail.state in STOPS or tail.raw is UNKNOWN)

    def turn(self, end: int, as_of: int) -> int | None:
        """When, after `as_of`, time alone will change a window that ends at `end`; see `core.decided`."""
        at = turn_of(self._runs_at(end, as_of), self.calendar, self.policy)
        return at if at is not None and at > as_of else None

    def decided(self, start: int, end: int, first: int, known: int) -> int:
        """The earliest instant from `first` on as of which [start, end) was what it is as of `known`.

        It depends on the facts only, not on when they came: a report made again from a recording has the
        date of the one that was made when it happened.
        """
        if known <= first:
            return first
        moments = {first, *self._timeline.changes_across(end, self._timeline.visible(known))}
        moments.update(self._counts.reports_across(end, first, known))
        moments.update(self._instruments.reports_across(end, first, known))
        if (turn := turn_of(self._runs_at(end, first), self.calendar, self.policy)) is not None:
            moments.add(turn)
        tried = sorted(moment for moment in moments if first <= moment <= known)
        wanted = self.cell(start, end, known)
        at = bisect_left(tried, True, key=lambda as_of: self.cell(start, end, as_of) == wanted)
        return tried[at] if at < len(tried) else known

    def _runs_at(self, end: int, as_of: int | None) -> list[Run]:
        """The runs up to `end` that hang together with the last of them."""
        first, last = self._extent(as_of)
        return self._timeline.runs(end - 1, end, self._timeline.visible(as_of), first, last)

    def spans(self, start: int, end: int) -> list[Span]:
        """The reported states of [start, end); they tile it without gap or overlap."""
        found: list[Span] = []
        said = self._said(start, end)
        for low, high, known in self._timeline.spans(start, end):
            for begin in sorted({low, *self._orders.changes(low, high), *said.changes(low, high)}):
                order, source = self._orders.at(begin) is not False, OPERATOR if said.at(begin) else ""
                last = found[-1] if found else None
                if last and last[2:] == (known.state, known.reason, order, source):
                    found[-1] = last._replace(end=high)
                    continue
                if last and last.end > begin:
                    found[-1] = last._replace(end=begin)
                found.append(Span(begin, high, known.state, known.reason, order, source))
        return found

    def _said(self, start: int, end: int) -> Steps[bool]:
        """From when on in [start, end) it is an operator who says so, and from when on the machine."""
        found: Steps[bool] = Steps()
        if self._timeline.steps is not self._told:
            for one in self._overrides.painted(self._told, start, end):
                if one.said is not bool(found.at(one.time)):
                    found.put(one.time, one.said)
        return found

    def slices(self, start: int, end: int, as_of: int | None = None) -> Iterator[Slice]:
        """What the times of `cell(start, end, as_of)` consist of, in order, tiling it without gap or overlap.

        Facts that come while it is gone through change nothing of it.
        """
        stop = end if as_of is None else min(end, as_of)
        if stop <= start:
            return iter(())
        first, last = self._extent(as_of)
        runs = self._timeline.runs(start, stop, self._timeline.visible(as_of), first, last)
        return slices(runs, self.calendar, self._orders, self.policy, start, stop)

    def jobs(self, start: int, end: int, as_of: int | None = None) -> list[JobSpan]:
        """What was made in [start, end) and for which order; see `core.jobs`."""
        return self._jobs.spans(start, end, as_of)

    def products(self, start: int, end: int, as_of: int | None = None) -> dict[str, Cell]:
        """The cell of [start, end) by product; they add up to it. Before the first job the product is ""."""
        stop = end if as_of is None else min(end, as_of)
        cuts = [(start, "")]
        for span in self.jobs(start, stop, as_of):
            cuts.append((max(span.start, start), span.product))
        found: dict[str, Cell] = {}
        for (low, product), (high, _) in pairwise([*cuts, (stop, "")]):
            if low < high:
                found[product] = found.get(product, Cell()) + self._part(low, high, stop, as_of)
        return found

    def _part(self, low: int, high: int, stop: int, as_of: int | None) -> Cell:
        """As `cell(low, high)`, for a part of what ends at `stop`; kept, if nothing to come can change it."""
        if high == stop:
            return self.cell(low, high, as_of)
        if (low, high) in self._parts:
            return self._parts[low, high][1]
        found = self._measure(low, high, as_of, self._timeline.visible(as_of))
        tail = self._runs_at(high, as_of)[-1]
        late = self._spreads_across(high, NEVER if as_of is None else as_of, NEVER)
        if tail.closed and not late and len(self._parts) < PARTS:
            self._parts[low, high] = tail.end, found
        return found

    def _measure(self, start: int, end: int, as_of: int | None, visible: int) -> Cell:
        """The cell of [start, end), from scratch."""
        first, last = self._extent(as_of)
        runs = self._timeline.runs(start, end, visible, first, last)
        sums = buckets.times(runs, self.calendar, self._orders, self.policy, start, end)
        setups = list(self._setups(start, end, as_of))
        made, credited = Pieces(
            self._counts, self._jobs.made, self.calendar, self.policy, as_of, setups, self._inspected, self._rates
        ).of_window(runs, start, end)
        times = self._clock.times
        sums["n_clock"] = bisect_left(times, end) - bisect_left(times, start)
        sums["inferred"] = made["pq"] if self.policy.inferred else 0
        sums["unsorted"] = made["pq"] if self.policy.unsorted else 0
        fields: dict[str, Any] = {**sums, **made}
        found = Cell(ct=end - start, credited=credited, **fields)
        if self.policy.capacity is not None:
            found += Cell(epc=self.policy.capacity * Fraction(found.pbt, HOUR))
        return found + self._instruments.cell(runs, start, end, as_of, self._jobs.made) if self._instruments else found

    def _setups(self, start: int, end: int, as_of: int | None) -> Iterator[tuple[int, int]]:
        """Where [start, end) was set up, or had been shortly before: disjoint, in order."""
        startup, stop = self.policy.startup_ns, end if as_of is None else min(end, as_of)
        upto = start
        for low, high, known in self._timeline.spans(start - startup, stop):
            if known.state is MachineState.SETUP and max(low, upto) < high + startup:
                yield max(low, upto), high + startup
                upto = high + startup

    def _extent(self, as_of: int | None) -> tuple[int, int]:
        """Where a state without beginning, or without end, begins or ends to be judged."""
        times = self._timeline.steps.times
        known = [*times[:1], *times[-1:], *(self._counts.extent() or ())] or [0]
        first, last = self.calendar.extent(min(known), max(known))
        return first, last if as_of is None else as_of

    # -- memory ------------------------------------------------------------------------------

    def prune(self, before: int, carried: Iterable[int] = ()) -> None:
        """Forget what no window that starts at `before` or later needs; facts about the time until then are ignored.

        Of windows that begin at the instants `carried`, before that, the sums stay.
        """
        floor = self._forgettable(before)
        if floor is not None:
            self._carried = {start: self.cell(start, floor) for start in carried if start < floor}
            self._parts, self._growing = {}, {}
            self._forget(floor)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        carried = [[start, cell.to_dict()] for start, cell in self._carried.items()]
        return {**super().snapshot(), "carried": carried}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Become what `snapshot` described, under this ledger's own calendar and policy."""
        super().restore(data)
        self._carried = {start: Cell.from_dict(cell) for start, cell in data.get("carried", ())}
