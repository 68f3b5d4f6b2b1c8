"""Cycles: how long the strokes of a machine take, per product, and an ideal cycle where nobody gives one (domain 2.9).

A cycle is the time between two counts, the machine running all the while and making one product. Where the counter is
read more coarsely than it counts, several are taken together, until the reading's grain is 2 % of them. They go into a
histogram with bins of 0.8 %: the same whatever order they came in, and small however many there are.

A count is judged once it is too old to be changed by one that comes late, so the cycles are the same, and in the order
of time, however they were told. With `ENOUGH` of a product that has no ideal cycle their 5th percentile becomes its
estimate, from then on and for good.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from edge_agent.core.states import MachineState

ENOUGH: Final = 200             # domain 2.9
FAST: Final = Fraction(5, 100)
GRAINS: Final = 50              # of a reading's grain in a cycle: 2 %
PRODUCTS: Final = 200           # of which cycles are kept; the next are not looked at
CHANGES: Final = 4096           # of states and jobs that are kept for counts not judged yet
_BITS: Final = 8                # 128 bins for each doubling
RUN: Final = MachineState.RUN


class Histogram:
    """Durations in ns, by bin; `best` is the shortest of all."""

    def __init__(self, bins: Mapping[int, int] | None = None, best: int = 0) -> None:
        self.bins = dict(bins or {})
        self.n = sum(self.bins.values())
        self.best = best

    def add(self, ns: int, n: int = 1) -> None:
        """`n` more, of `ns` each."""
        at = bin_of(ns)
        self.bins[at] = self.bins.get(at, 0) + n
        self.n += n
        self.best = min(self.best or ns, ns)

    def quantile(self, share: Fraction) -> int:
        """The middle of the bin in which the one at `share` of them lies (nearest rank), ns; 0 without any."""
        rank, passed = -(-self.n * share.numerator // share.denominator), 0
        for at in sorted(self.bins):
            passed += self.bins[at]
            if passed >= max(rank, 1):
                return middle(at)
        return 0

    def bars(self, most: int) -> list[tuple[int, int, int]]:
        """(from, to, how many) of at most `most` bars that have any, ns, shortest first: bins taken together."""
        for coarse in range(_BITS):
            found: dict[tuple[int, int], int] = {}
            for at, n in self.bins.items():
                shift, upper = at >> _BITS, (at & ((1 << _BITS) - 1)) >> coarse
                edges = upper << (coarse + shift), (upper + 1) << (coarse + shift)
                found[edges] = found.get(edges, 0) + n
            if len(found) <= most:
                break
        return [(low, high, found[low, high]) for low, high in sorted(found)]


def bin_of(ns: int) -> int:
    """The bin of a duration: its upper eight bits and how many follow them."""
    shift = max(ns.bit_length() - _BITS, 0)
    return (shift << _BITS) | (ns >> shift)


def middle(at: int) -> int:
    """The middle of a bin, ns."""
    shift, upper = at >> _BITS, at & ((1 << _BITS) - 1)
    return (upper << shift) + ((1 << shift) >> 1)


class Judged(NamedTuple):
    """A reading of the counter that nothing changes any more; `strokes` None: it could not be read.

    `apart`: when they were made is not known.
    """

    time: int
    strokes: int | None
    apart: bool = False


class Estimate(NamedTuple):
    """From `time` on `product` has this ideal cycle for a stroke, ns."""

    time: int
    product: str
    stroke: int


class Cycles:
    """The cycles of one machine; `grain_ns`: how coarsely its counter is read in time."""

    def __init__(self, grain_ns: int = 0) -> None:
        self.of: dict[str, Histogram] = {}
        self._least = GRAINS * grain_ns
        self._waiting: list[Judged] = []
        self._states = _Changes(MachineState.UNKNOWN)
        self._products = _Changes("")
        self._block: tuple[int, int] | None = None      # when it began, strokes since
        self._added = 0
        self._fresh: list[list[Any]] = []

    def state(self, time: int, state: MachineState) -> None:
        """From `time` on the machine is in `state`; told anew of an instant, it was told wrong before."""
        self._states.put(time, state)

    def product(self, time: int, product: str) -> None:
        """From `time` on it makes `product`."""
        self._products.put(time, product)

    def judged(self, reading: Judged) -> None:
        """The next in time; looked at by `settle`, when the states of its time have been told, too."""
        self._waiting.append(reading)

    @property
    def is_due(self) -> bool:
        """Whether there is something to `settle`."""
        return bool(self._waiting)

    def settle(self) -> list[Estimate]:
        """Look at what was judged; the estimates that follow from it."""
        found: list[Estimate] = []
        waiting, self._waiting = self._waiting, []
        for reading in waiting:
            found += self._take(reading)
        return found

    def _take(self, reading: Judged) -> list[Estimate]:
        if reading.strokes == 0:
            return []
        block, self._block = self._block, None
        if reading.strokes is None:
            return []
        self._block = (reading.time, 0)
        if block is None or reading.apart:
            return []
        began, strokes = block[0], block[1] + reading.strokes
        product = self._products.at(began)
        runs = self._states.all_are(RUN, began, reading.time)
        if not runs or not self._products.all_are(product, began, reading.time):
            return []
        if reading.time - began < self._least:
            self._block = (began, strokes)
            return []
        self._states.forget(reading.time)
        self._products.forget(reading.time)
        return self._add(product, reading.time, (reading.time - began) // strokes, strokes)

    def _add(self, product: str, time: int, stroke: int, strokes: int) -> list[Estimate]:
        if product not in self.of and len(self.of) >= PRODUCTS:
            return []
        held = self.of.setdefault(product, Histogram())
        before = held.n
        held.add(stroke, strokes)
        self._added += 1
        self._fresh.append([product, stroke, strokes])
        return [Estimate(time, product, held.quantile(FAST))] if before < ENOUGH <= held.n else []

    # -- survival ------------------------------------------------------------------------------

    def take_fresh(self) -> list[Any]:
        """What was added since the last call, JSON-safe, behind how much was added before; empty: nothing."""
        fresh, self._fresh = self._fresh, []
        return [self._added - len(fresh), *fresh] if fresh else []

    def again(self, fresh: Sequence[Any]) -> None:
        """What `take_fresh` gave before a restart, any number of times."""
        before, *added = fresh
        for product, stroke, strokes in added[max(self._added - before, 0) :]:
            self.of.setdefault(product, Histogram()).add(stroke, strokes)
        self._added = max(self._added, before + len(added))

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe: all that was added."""
        held = {product: [one.best, sorted(one.bins.items())] for product, one in self.of.items()}
        return {"added": self._added, "products": held}

    def restore(self, data: Mapping[str, Any]) -> None:
        """What `snapshot` gave."""
        self._added, self._fresh = data["added"], []
        self.of = {product: Histogram(dict(bins), best) for product, (best, bins) in data["products"].items()}

    def forget_lately(self, state: MachineState, product: str) -> None:
        """Begin anew after a restart: what was not judged yet is lost; it is in `state` and makes `product`."""
        self._waiting, self._block = [], None
        self._states, self._products = _Changes(state), _Changes(product)


class _Changes:
    """A step function over the time that is not judged yet; `before` holds until its first step."""

    def __init__(self, before: Any) -> None:
        self._before = before
        self._times: list[int] = []
        self._values: list[Any] = []

    def put(self, time: int, value: Any) -> None:
        at = bisect_left(self._times, time)
        if at < len(self._times) and self._times[at] == time:
            self._values[at] = value
        else:
            self._times.insert(at, time)
            self._values.insert(at, value)
        if len(self._times) > CHANGES:
            self._drop(CHANGES // 2)

    def at(self, time: int) -> Any:
        place = bisect_right(self._times, time) - 1
        return self._values[place] if place >= 0 else self._before

    def all_are(self, value: Any, start: int, end: int) -> bool:
        """Whether it has `value` throughout [start, end)."""
        low, high = bisect_right(self._times, start), bisect_left(self._times, end)
        return self.at(start) == value and all(one == value for one in self._values[low:high])

    def forget(self, time: int) -> None:
        """What was before `time` does not matter any more."""
        self._drop(bisect_right(self._times, time) - 1)

    def _drop(self, n: int) -> None:
        if n > 0:
            self._before = self._values[n - 1]
            del self._times[:n]
            del self._values[:n]
