"""The book of one machine: everything that was told about it, as facts with an instant.

Facts may come late, in any order and any number of times; the same set of facts is always the same book.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

from edge_agent.core import pieces
from edge_agent.core.buckets import Policy
from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.cell import NO_IDEAL
from edge_agent.core.counts import CountLog
from edge_agent.core.instruments import Instruments
from edge_agent.core.jobs import Jobs
from edge_agent.core.overrides import Entry, Overrides
from edge_agent.core.rates import Rates, Versions
from edge_agent.core.states import MachineState
from edge_agent.core.steps import Steps
from edge_agent.core.timeline import UNKNOWN, Known, Timeline, as_known

MINUTE: Final = 60_000_000_000
NEVER: Final = 1 << 62


class Book:
    """What is known about one machine; all times are ns UTC. `versions`: of ideal cycles, see `core.rates`."""

    def __init__(
        self, calendar: Calendar | FixedCalendar, policy: Policy | None = None, versions: Versions | None = None
    ) -> None:
        self._rates = Rates(versions)
        self.calendar = calendar
        self.policy = policy or Policy()
        self._clear()

    def _clear(self) -> None:
        self._shown = Timeline(self.policy.unknown == "hold", self.policy.hold_max_ns)
        self._told = self._shown.steps          # the same, or what is under what operators say
        self._stale = NEVER                     # from then on `_shown` is to be made anew
        self._overrides = Overrides()
        self._orders: Steps[bool] = Steps()
        self._jobs = Jobs()
        self._clock: Steps[bool] = Steps()      # begins of minutes
        self._counts = CountLog(self.calendar.busy)
        self._inspected: CountLog | None = None
        self._instruments = Instruments(self.policy.fitted)
        self._floor: int | None = None
        self._touched = NEVER

    # -- facts in ----------------------------------------------------------------------------

    def state(
        self, t: int, state: MachineState, reason: str = "", order: bool | None = None, revision: int = 0
    ) -> None:
        """From `t` on the machine is in `state`. `order` as in `order()`, `None` leaves it as it was.

        A greater `revision` takes back what was told of this instant before.
        """
        if not self._is_forgotten(t) and self._told.put(t, as_known(state, reason, revision)):
            self._restate(t)
        if order is not None:
            self.order(t, order)

    def operator(self, entry: Entry) -> None:
        """What an operator says; see `core.overrides`. What it says of forgotten time is ignored."""
        floor = entry.start if self._floor is None else max(entry.start, self._floor)
        if (entry.end is not None and entry.end <= floor) or not self._overrides.put(entry):
            return
        if self._shown.steps is self._told:
            self._told = self._shown.steps.copy()
        self._restate(floor)

    def _restate(self, since: int) -> None:
        """What was told, or said over it, of the time from `since` on has changed."""
        self._touch(since)
        if self._shown.steps is not self._told:
            self._stale = min(self._stale, since)

    @property
    def _timeline(self) -> Timeline:
        """The states that count: what was told with what operators say over it, laid there when somebody asks."""
        if self._stale == NEVER:
            return self._shown
        since, self._stale = self._stale, NEVER
        steps = self._shown.steps
        steps.drop_from(since)
        for one in self._overrides.painted(self._told, since):
            before = steps.values[-1] if steps.values else as_known(UNKNOWN)
            if (one.known.state, one.known.reason) != (before.state, before.reason):
                steps.put(one.time, one.known)
        return self._shown

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
        scrap: Fraction = NO_IDEAL,
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
        self._touch_counts(self._counts.put(t, source, (total, scrap, rework), begin, revision))

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
        self._touched = min(self._touched, t)

    def _touch_counts(self, t: int) -> None:
        self._touch(t)

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

    # -- what goes on, see `core.growing` ------------------------------------------------------

    @property
    def is_instrumented(self) -> bool:
        """Whether it has meters or gauges, or inspections are counted."""
        return bool(self._instruments) or self._inspected is not None

    def is_newest(self, t: int) -> bool:
        """Whether nothing but pieces was told of `t` and later, and no pieces later that are of before it."""
        told = (self._timeline.steps, self._orders, self._jobs.made, self._jobs.numbers, self._clock)
        later = any(steps.times and steps.times[-1] >= t for steps in told)
        return not later and not self._counts.spreads_across(t, t, NEVER)

    def was_set_up(self, start: int, end: int) -> bool:
        """Whether the machine was being set up within [start, end)."""
        return any(known.state is MachineState.SETUP for _, _, known in self._timeline.spans(start, end))

    def ideal(self, product: str, t: int, given: Fraction) -> Fraction:
        """The ideal cycle of pieces of a product reported at `t`, seconds; `given` until its first version."""
        return self._rates.ideal(product, t, given)

    def rate_changes(self, start: int, end: int) -> list[int]:
        """Where within (start, end) an ideal cycle changes by date."""
        return self._rates.changes(start, end)

    def has_order(self, t: int) -> bool:
        """Whether an order is active at `t`."""
        return self._orders.at(t) is not False

    def rating(self, t: int) -> tuple[Fraction | None, bool, Fraction, int]:
        """Of pieces from `t` on: ideal cycle, whether that is an estimate, planned scrap, pieces of a stroke."""
        made = self._jobs.made.at(t)
        of = pieces.Pieces(self._counts, self._jobs.made, self.calendar, self.policy, None, rates=self._rates)
        scrap, units = (made.scrap, made.units) if made is not None else (NO_IDEAL, 1)
        return *of.rating(made, t + 1), scrap, units

    @property
    def count_of(self) -> Callable[[int, int, int | None, int], tuple[int, int, int]]:
        """See `CountLog.within`."""
        return self._counts.within

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

    # -- memory ------------------------------------------------------------------------------

    @property
    def remembered_from(self) -> int | None:
        """Nothing before it is known any more; None: nothing has been forgotten yet."""
        return self._floor

    def _forgettable(self, before: int) -> int | None:
        """Up to where it can be forgotten, if no window that starts earlier than `before` is needed; None: nothing."""
        floor = self._timeline.boundary(before, self._timeline.visible(None))
        return None if floor is None or (self._floor is not None and floor <= self._floor) else floor

    def _forget(self, floor: int) -> None:
        self._floor = floor
        # A setup shortly before still makes rejects start-up rejects.
        setups = self._timeline.boundary(floor - self.policy.startup_ns, self._timeline.visible(None))
        if setups is not None:
            if self._shown.steps is not self._told:
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
        self._touched = -NEVER      # what was reported before may be different now
        self._instruments.restore(data)

    def _is_forgotten(self, t: int) -> bool:
        return self._floor is not None and t < self._floor
