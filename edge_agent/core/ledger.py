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

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from edge_agent.core import buckets, pieces
from edge_agent.core.buckets import Policy
from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.cell import Cell
from edge_agent.core.counts import CountLog
from edge_agent.core.pieces import Job, Pieces
from edge_agent.core.settled import Settled
from edge_agent.core.slices import Slice, slices
from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.timeline import STOPS, UNKNOWN, Span, Timeline

__all__ = ["Ledger", "Policy", "Span"]


class Ledger:
    """What is known about one machine; all times are ns UTC."""

    def __init__(self, calendar: Calendar | FixedCalendar, policy: Policy | None = None) -> None:
        self.calendar = calendar
        self.policy = policy or Policy()
        self._clear()

    def _clear(self) -> None:
        self._timeline = Timeline(self.policy.unknown == "hold", self.policy.hold_max_ns)
        self._orders: Steps[bool] = Steps()
        self._jobs: Steps[Job] = Steps()
        self._counts = CountLog(self.calendar.busy)
        self._settled = Settled()
        self._floor: int | None = None

    # -- facts in ----------------------------------------------------------------------------

    def state(
        self, t: int, state: MachineState, reason: str = "", order: bool | None = None, revision: int = 0
    ) -> None:
        """From `t` on the machine is in `state`. `order` as in `order()`, `None` leaves it as it was.

        A greater `revision` takes back what was told of this instant before.
        """
        if not self._is_forgotten(t) and self._timeline.put(t, state, reason, revision):
            self._settled.take_back(t)
        if order is not None:
            self.order(t, order)

    def order(self, t: int, active: bool) -> None:
        """From `t` on an order is active, or none is; initially one is. At one instant, active wins."""
        if not self._is_forgotten(t) and self._orders.put(t, active):
            self._settled.take_back(t)

    def job(self, t: int, product: str, ideal: Fraction | None, order: str = "") -> None:
        """From `t` on, exclusive, pieces are `product` with an ideal cycle in seconds (`None`: unknown)."""
        if not self._is_forgotten(t) and self._jobs.put(t, pieces.job(product, ideal, order)):
            self._settled.take_back(t)

    def count(
        self, t: int, source: str, total: int = 0, scrap: int = 0, rework: int = 0, since: int | None = None
    ) -> None:
        """Pieces reported at `t`: made just then or, given `since`, somewhere in (since, t].

        `source` and `t` together name the report, so that it counts once however often it comes.
        Good pieces are total - scrap - rework, in the sum and not necessarily in each report.
        """
        if self._floor is not None and t <= self._floor:
            return
        begin = t if since is None else min(since, t)
        self._counts.put(t, source, (total, scrap, rework), begin)
        self._settled.take_back(begin)

    # -- cells out ---------------------------------------------------------------------------

    def cell(self, start: int, end: int, as_of: int | None = None) -> Cell:
        """Everything about [start, min(end, as_of)), as it was known at `as_of` (`None`: as known now)."""
        stop = end if as_of is None else min(end, as_of)
        if stop <= start:
            return Cell()
        visible = self._timeline.visible(as_of)

        def measure(low: int, high: int) -> Cell:
            return self._measure(low, high, as_of, visible)

        def boundary(t: int) -> int | None:
            return self._timeline.boundary(t, visible)

        across = self._counts.spreads_across
        since, before = self._settled.reach(start, stop, as_of, measure, boundary, across)
        return before + measure(since, stop) if since < stop else before

    def is_provisional(self, start: int, end: int, as_of: int | None = None) -> bool:
        """Whether the cell may still change by what happens after `as_of`: it ends in the window, or
        a stop or gap that reaches into the window is still open."""
        if as_of is None:
            return False
        if as_of < end:
            return True
        first, last = self._extent(as_of)
        tail = self._timeline.runs(end - 1, end, self._timeline.visible(as_of), first, last)[-1]
        return not tail.closed and (tail.state in STOPS or tail.raw is UNKNOWN)

    def spans(self, start: int, end: int) -> list[Span]:
        """The reported states of [start, end); they tile it without gap or overlap."""
        found: list[Span] = []
        for low, high, known in self._timeline.spans(start, end):
            for begin in (low, *self._orders.changes(low, high)):
                order = self._orders.at(begin) is not False
                last = found[-1] if found else None
                if last and (last.state, last.reason, last.order) == (known.state, known.reason, order):
                    found[-1] = last._replace(end=high)
                    continue
                if last and last.end > begin:
                    found[-1] = last._replace(end=begin)
                found.append(Span(begin, high, known.state, known.reason, order))
        return found

    def slices(self, start: int, end: int, as_of: int | None = None) -> list[Slice]:
        """What the times of `cell(start, end, as_of)` consist of, in order, tiling it without gap or overlap."""
        stop = end if as_of is None else min(end, as_of)
        if stop <= start:
            return []
        first, last = self._extent(as_of)
        runs = self._timeline.runs(start, stop, self._timeline.visible(as_of), first, last)
        return list(slices(runs, self.calendar, self._orders, self.policy, start, stop))

    def _measure(self, start: int, end: int, as_of: int | None, visible: int) -> Cell:
        """The cell of [start, end), from scratch."""
        first, last = self._extent(as_of)
        runs = self._timeline.runs(start, end, visible, first, last)
        sums = buckets.times(runs, self.calendar, self._orders, self.policy, start, end)
        made, credited = self._pieces(as_of).of_window(runs, start, end)
        return made + Cell.from_dict({"ct": end - start, "credited": credited, **sums})

    def _pieces(self, as_of: int | None) -> Pieces:
        return Pieces(self._counts, self._jobs, self.calendar, self.policy, as_of)

    def _extent(self, as_of: int | None) -> tuple[int, int]:
        """Where a state without beginning, or without end, begins or ends to be judged."""
        times = self._timeline.steps.times
        known = [*times[:1], *times[-1:], *(self._counts.extent() or ())] or [0]
        first, last = self.calendar.extent(min(known), max(known))
        return first, last if as_of is None else as_of

    # -- memory ------------------------------------------------------------------------------

    @property
    def remembered_from(self) -> int | None:
        """Nothing before it is known any more; None: nothing has been forgotten yet."""
        return self._floor

    def prune(self, before: int) -> None:
        """Forget what no window that starts at `before` or later needs; facts from then on are ignored."""
        floor = self._timeline.boundary(before, self._timeline.visible(None))
        if floor is None or (self._floor is not None and floor <= self._floor):
            return
        self._floor = floor
        self._timeline.steps.drop_before(floor)
        self._timeline.pruned = True
        self._orders.drop_before(floor)
        self._jobs.drop_before(floor)
        self._counts.drop_before(floor)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        steps = self._timeline.steps
        return {
            "v": 1,
            "floor": self._floor,
            "states": [[t, int(k.state), k.reason] for t, k in zip(steps.times, steps.values, strict=True)],
            "orders": [[t, v] for t, v in zip(self._orders.times, self._orders.values, strict=True)],
            "jobs": [[t, j.product, str(j.ideal) if j.rated else None, j.order]
                     for t, j in zip(self._jobs.times, self._jobs.values, strict=True)],
            "counts": self._counts.snapshot(),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Become what `snapshot` described, under this ledger's own calendar and policy."""
        self._clear()
        self._floor = data["floor"]
        self._timeline.pruned = self._floor is not None
        for t, state, reason in data["states"]:
            self._timeline.put(t, MachineState(state), reason)
        for t, active in data["orders"]:
            self._orders.put(t, active)
        for t, product, ideal, order in data["jobs"]:
            self._jobs.put(t, pieces.job(product, None if ideal is None else Fraction(ideal), order))
        self._counts.restore(data["counts"])

    def _is_forgotten(self, t: int) -> bool:
        return self._floor is not None and t < self._floor
