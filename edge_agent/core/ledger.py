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

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from edge_agent.core import buckets, pieces
from edge_agent.core.buckets import Policy
from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.cell import Cell
from edge_agent.core.counts import CountLog
from edge_agent.core.decided import turn_of
from edge_agent.core.instruments import Instruments
from edge_agent.core.jobs import Jobs, JobSpan
from edge_agent.core.overrides import Entry, Overrides
from edge_agent.core.pieces import Pieces
from edge_agent.core.rates import Rates, Versions
from edge_agent.core.settled import Settled
from edge_agent.core.slices import Slice, slices
from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.timeline import STOPS, UNKNOWN, Known, Run, Span, Timeline, as_known

__all__ = ["JobSpan", "Ledger", "Policy", "Span"]


OPERATOR: Final = "operator"
MINUTE: Final = 60_000_000_000
HOUR: Final = 60 * MINUTE
NEVER: Final = 1 << 62
PARTS: Final = 64       # of a window's products that are kept; a fact about their time forgets them


class Ledger:
    """What is known about one machine; all times are ns UTC. `versions`: of ideal cycles, see `core.rates`."""

    def __init__(
        self, calendar: Calendar | FixedCalendar, policy: Policy | None = None, versions: Versions | None = None
    ) -> None:
        self._rates = Rates(versions)
        self.calendar = calendar
        self.policy = policy or Policy()
        self._clear()

    def _clear(self) -> None:
        self._timeline = Timeline(self.policy.unknown == "hold", self.policy.hold_max_ns)
        self._told = self._timeline.steps       # the same, or what is under what operators say
        self._overrides = Overrides()
        self._orders: Steps[bool] = Steps()
        self._jobs = Jobs()
        self._clock: Steps[bool] = Steps()      # begins of minutes
        self._counts = CountLog(self.calendar.busy)
        self._inspected: CountLog | None = None
        self._instruments = Instruments(self.policy.fitted)
        self._settled = Settled()
        self._floor: int | None = None
        self._carried: dict[int, Cell] = {}     # start of a window → its cell up to the floor
        self._touched = NEVER
        self._parts: dict[tuple[int, int], tuple[int, Cell]] = {}   # with when it was decided

    # -- facts in ----------------------------------------------------------------------------

    def state(
        self, t: int, state: MachineState, reason: str = "", order: bool | None = None, revision: int = 0
    ) -> None:
        """From `t` on the machine is in `state`. `order` as in `order()`, `None` leaves it as it was.

        A greater `revision` takes back what was told of this instant before.
        """
        if not self._is_forgotten(t) and self._told.put(t, as_known(state, reason, revision)):
            self._repaint(t)
        if order is not None:
            self.order(t, order)

    def operator(self, entry: Entry) -> None:
        """What an operator says; see `core.overrides`. What it says of forgotten time is ignored."""
        floor = entry.start if self._floor is None else max(entry.start, self._floor)
        if (entry.end is not None and entry.end <= floor) or not self._overrides.put(entry):
            return
        if self._timeline.steps is self._told:
            self._told = self._timeline.steps.copy()
        self._repaint(floor)

    def _repaint(self, since: int) -> None:
        """Make the states from `since` on what was told with what operators say over it."""
        self._touch(since)
        if self._timeline.steps is self._told:
            return
        steps = self._timeline.steps
        steps.drop_from(since)
        for one in self._overrides.painted(self._told, since):
            before = steps.values[-1] if steps.values else as_known(UNKNOWN)
            if (one.known.state, one.known.reason) != (before.state, before.reason):
                steps.put(one.time, one.known)

    def order(self, t: int, active: bool) -> None:
        """From `t` on an order is active, or none is; initially one is. At one instant, active wins."""
        if not self._is_forgotten(t) and self._orders.put(t, active):
            self._touch(t)

    def job(
        self,
        t: int,
        product: str,
        ideal: Fraction | None,
        order: str = "",
        scrap: Fraction = pieces.NO_IDEAL,
        estimated: bool = False,
        units: int = 1,
    ) -> None:
        """From `t` on, exclusive, pieces are `product` with an ideal cycle in seconds (`None`: unknown).

        `scrap` is the planned share of scrap; `estimated`: the ideal cycle was measured, not engineered;
        `units`: what the counts `total` and `good` report are strokes of so many pieces each.
        """
        made = pieces.job(product, ideal, order, scrap, estimated, units)
        if not self._is_forgotten(t) and self._jobs.made.put(t, made):
            self._touch(t)

    def estimate(self, t: int, product: str, ideal: Fraction) -> None:
        """From `t` on, exclusive, pieces of a product without an ideal cycle have this one, seconds.

        It is known whatever the policy says, and counts only with `estimates`.
        """
        self._rates.put_estimate(product, t, ideal)
        if self.policy.estimates:
            self._touch(t)

    def number(self, t: int, order: str) -> None:
        """From `t` on, exclusive, pieces are made for the order of this number."""
        if not self._is_forgotten(t) and self._jobs.numbers.put(t, order):
            self._touch(t)

    def count(
        self,
        t: int,
        source: str,
        total: int = 0,
        scrap: int = 0,
        rework: int = 0,
        since: int | None = None,
        revision: int = 0,
    ) -> None:
        """Pieces reported at `t`: made just then or, given `since`, somewhere in (since, t].

        `source` and `t` together name the report, so that it counts once however often it comes; a greater
        `revision` takes the place of what was reported before.
        Good pieces are total - scrap - rework, in the sum and not necessarily in each report.
        """
        if self._floor is not None and t <= self._floor:
            return
        begin = t if since is None else min(since, t)
        self._touch(self._counts.put(t, source, (total, scrap, rework), begin, revision))

    def inspected(self, t: int, source: str, inspected: int = 0, passed: int = 0, revision: int = 0) -> None:
        """Pieces inspected for the first time, and those that passed; as `count`, always made just then."""
        if self._floor is not None and t <= self._floor:
            return
        if self._inspected is None:
            self._inspected = CountLog(self.calendar.busy)
        self._touch(self._inspected.put(t, source, (inspected, passed, 0), t, revision))

    def clock(self, t: int) -> None:
        """The source time of a sample received at `t` was not believed."""
        if not self._is_forgotten(t) and self._clock.put(t // MINUTE * MINUTE, True):
            self._touch(t // MINUTE * MINUTE)

    def _touch(self, t: int) -> None:
        self._settled.take_back(t)
        self._touched = min(self._touched, t)
        if self._parts:
            self._parts = {part: kept for part, kept in self._parts.items() if kept[0] < t}

    def take_touched(self, now: int) -> int | None:
        """From when on cells may have changed since the last call; None: nowhere.

        Facts a little ahead of `now` are told again.
        """
        touched, self._touched = self._touched, NEVER
        if touched == NEVER:
            return None
        told = [*self._timeline.steps.times[-1:], *(self._counts.extent() or ())[-1:], *self._instruments.newest()]
        newest = max(told, default=now)
        if newest > now:
            self._touched = max(touched, now)
        # What an event ends, it changes from its beginning on: hence what was there just before it.
        boundary = self._timeline.boundary(touched - 1, self._timeline.visible(None))
        return touched if boundary is None else boundary

    @property
    def told(self) -> Steps[Known]:
        """The states as the machine told them; only to be read."""
        return self._told

    @property
    def overrides(self) -> Overrides:
        """What operators say; only to be read."""
        return self._overrides

    def at(self, t: int) -> tuple[int, MachineState, str]:
        """Since when the machine has been in the state it is in at `t`, and the state with its reason."""
        steps = self._timeline.steps
        place = bisect_right(steps.times, t) - 1
        if place < 0:
            return 0, UNKNOWN, ""
        return steps.times[place], steps.values[place].state, steps.values[place].reason

    def stroke(self, t: int) -> Fraction | None:
        """The ideal time of one stroke, with all its pieces, in force just before `t`, seconds; None: not known."""
        made = self._jobs.made.before(t)
        if made is None or not made.rated:
            estimate = self._rates.estimate(made.product if made else "", t)
            return None if estimate is None or not self.policy.estimates else estimate * (made.units if made else 1)
        return self._rates.ideal(made.product, t, made.ideal) * made.units

    @property
    def product(self) -> str:
        """What is made by the latest job; "" without one."""
        return self._jobs.made.values[-1].product if self._jobs.made.values else ""

    @property
    def estimates(self) -> Mapping[str, tuple[int, Fraction]]:
        """Product → since when its ideal cycle is estimated, ns UTC, and what it is, seconds."""
        return self._rates.estimates

    def energy(self, t: int, meter: str, amount: int, since: int, mark: int, revision: int = 0) -> None:
        """A reading of an energy meter at `t`: `amount` mJ were used in (since, t]; see `core.meter` for the marks.

        A greater `revision` takes the place of what was told of this instant before.
        """
        if self._floor is None or t > self._floor:
            self._changed(self._instruments.energy(meter, t, amount, since, mark, revision))

    def measure(self, gauge: str, samples: Iterable[tuple[int, float]], is_trigger: bool = False) -> None:
        """What a gauge, or its trigger, showed at which times; see `core.measures`."""
        known = [sample for sample in samples if not self._is_forgotten(sample[0])]
        self._changed(self._instruments.measure(gauge, known, is_trigger))

    def _changed(self, t: int | None) -> None:
        if t is not None:
            self._touch(t)

    # -- cells out ---------------------------------------------------------------------------

    def cell(self, start: int, end: int, as_of: int | None = None) -> Cell:
        """Everything about [start, min(end, as_of)), as it was known at `as_of` (`None`: as known now)."""
        stop = end if as_of is None else min(end, as_of)
        if stop <= start:
            return Cell()
        if start in self._carried and self._floor is not None and start < self._floor < stop:
            return self._carried[start] + self.cell(self._floor, end, as_of)
        visible = self._timeline.visible(as_of)

        def measure(low: int, high: int) -> Cell:
            return self._measure(low, high, as_of, visible)

        def boundary(t: int) -> int | None:
            return self._timeline.boundary(t, visible)

        since, before = self._settled.reach(start, stop, as_of, measure, boundary, self._spreads_across)
        return before + measure(since, stop) if since < stop else before

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

    def slices(self, start: int, end: int, as_of: int | None = None) -> list[Slice]:
        """What the times of `cell(start, end, as_of)` consist of, in order, tiling it without gap or overlap."""
        stop = end if as_of is None else min(end, as_of)
        if stop <= start:
            return []
        first, last = self._extent(as_of)
        runs = self._timeline.runs(start, stop, self._timeline.visible(as_of), first, last)
        return list(slices(runs, self.calendar, self._orders, self.policy, start, stop))

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

    @property
    def remembered_from(self) -> int | None:
        """Nothing before it is known any more; None: nothing has been forgotten yet."""
        return self._floor

    def prune(self, before: int, carried: Iterable[int] = ()) -> None:
        """Forget what no window that starts at `before` or later needs; facts about the time until then are ignored.

        Of windows that begin at the instants `carried`, before that, the sums stay.
        """
        floor = self._timeline.boundary(before, self._timeline.visible(None))
        if floor is None or (self._floor is not None and floor <= self._floor):
            return
        self._carried = {start: self.cell(start, floor) for start in carried if start < floor}
        self._parts = {}
        self._floor = floor
        # A setup shortly before still makes rejects start-up rejects.
        setups = self._timeline.boundary(floor - self.policy.startup_ns, self._timeline.visible(None))
        if setups is not None:
            if self._timeline.steps is not self._told:
                self._overrides.drop_before(setups, self._told)
                self._told.drop_before(setups)
            self._timeline.steps.drop_before(setups)
        self._timeline.pruned = True
        self._orders.drop_before(floor)
        self._jobs.drop_before(self._instruments.needed_from(floor))
        self._clock.drop_before(floor)
        self._counts.drop_before(floor)
        if self._inspected is not None:
            self._inspected.drop_before(floor)
        self._instruments.drop_before(floor)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        steps = self._told
        return {
            "v": 1,
            "floor": self._floor,
            "states": [[t, int(k.state), k.reason] for t, k in zip(steps.times, steps.values, strict=True)],
            "orders": [[t, v] for t, v in zip(self._orders.times, self._orders.values, strict=True)],
            "operator": [entry.fact() for entry in self._overrides.entries],
            **self._jobs.snapshot(),
            "counts": self._counts.snapshot(),
            "inspected": None if self._inspected is None else self._inspected.snapshot(),
            "clock": list(self._clock.times),
            "estimates": [[t, product, str(ideal)] for product, (t, ideal) in self._rates.estimates.items()],
            "carried": [[start, cell.to_dict()] for start, cell in self._carried.items()],
            **self._instruments.snapshot(),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Become what `snapshot` described, under this ledger's own calendar and policy."""
        self._clear()
        self._floor = data["floor"]
        self._timeline.pruned = self._floor is not None
        for t, state, reason in data["states"]:
            self._timeline.put(t, MachineState(state), reason)
        for fact in data.get("operator", ()):
            self.operator(Entry.of(fact))
        for t, active in data["orders"]:
            self._orders.put(t, active)
        self._jobs.restore(data)
        for t, product, ideal in data.get("estimates", ()):
            self.estimate(t, product, Fraction(ideal))
        for t in data.get("clock", ()):
            self._clock.put(t, True)
        self._counts.restore(data["counts"])
        if (inspected := data.get("inspected")) is not None:
            self._inspected = CountLog(self.calendar.busy)
            self._inspected.restore(inspected)
        self._carried = {start: Cell.from_dict(cell) for start, cell in data.get("carried", ())}
        self._touched = -NEVER      # what was reported before may be different now
        self._instruments.restore(data)

    def _is_forgotten(self, t: int) -> bool:
        return self._floor is not None and t < self._floor
