"""Pieces: how many were made in a window, of what, and what they prove (domain 2.5, 2.6).

A report at `t` describes production up to `t`, so it belongs to the window with start < t <= end and
to the last job that began before `t`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, NamedTuple

from edge_agent.core.buckets import Policy
from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.cell import NO_IDEAL
from edge_agent.core.counts import CountLog
from edge_agent.core.rates import Rates
from edge_agent.core.steps import Steps
from edge_agent.core.tiles import BUSY
from edge_agent.core.timeline import UNKNOWN, Run

SECOND: Final = 1_000_000_000

Interval = tuple[int, int]
Made = defaultdict[str, Any]
"""Fields of a cell: counts, and ideal times as fractions."""


class Job(NamedTuple):
    """An order with product and ideal cycle, seconds; `rated` tells whether the ideal cycle is known.

    `scrap` is the planned share of scrap; `estimated` tells that nobody gave the ideal cycle: it was measured;
    `units` pieces come with each count of a stroke, such as the cavities of a mould.
    """

    product: str
    order: str
    rated: bool
    ideal: Fraction
    scrap: Fraction = NO_IDEAL
    estimated: bool = False
    units: int = 1


def job(
    product: str,
    ideal: Fraction | None,
    order: str = "",
    scrap: Fraction = NO_IDEAL,
    estimated: bool = False,
    units: int = 1,
) -> Job:
    """A job; ValueError if the ideal cycle is not positive, or there is less than one piece in a stroke."""
    if units < 1:
        raise ValueError("a stroke makes one piece or more")
    if ideal is not None and ideal <= 0:
        raise ValueError("an ideal cycle is longer than nothing")
    return Job(product, order, ideal is not None, ideal or NO_IDEAL, scrap, estimated, units)


class Pieces:
    """The pieces of one machine as they were known at `as_of`.

    `setups`: where the machine was set up, each with the time after it in which rejects are still its; disjoint.
    `inspected`: inspected pieces as total, those that passed at first as scrap; None: nothing is inspected.
    """

    def __init__(
        self,
        counts: CountLog,
        jobs: Steps[Job],
        calendar: Calendar | FixedCalendar,
        policy: Policy,
        as_of: int | None,
        setups: Sequence[Interval] = (),
        inspected: CountLog | None = None,
        rates: Rates | None = None,
    ) -> None:
        self._rates = rates or Rates()
        self._inspected = inspected
        self._setups = setups
        self._counts = counts
        self._jobs = jobs
        self._calendar = calendar
        self._policy = policy
        self._as_of = as_of

    def of_window(self, runs: Sequence[Run], start: int, end: int) -> tuple[Made, int]:
        """Fields of the cell of (start, end]: counts and ideal times; and the ns of run they prove in its gaps."""
        gaps = [run for run in runs if run.raw is UNKNOWN and run.start < end and run.end > start]
        dropped = gaps if self._policy.unknown == "exclude" else []
        made = self._made(start, end, [(gap.start, gap.end) for gap in dropped])
        if self._setups:
            made["ist"] = self._starting_up(start, end, dropped)
        if dropped or not gaps or not self._counts.extent():
            return made, 0
        igt_gap, credited = NO_IDEAL, 0
        for gap in gaps:
            igt_gap += self._made(max(gap.start, start), min(gap.end, end))["igt"]
            if gap.state is UNKNOWN and self._policy.unknown != "down":
                credited += self._credit(gap, start, end)
        made["igt_gap"] = igt_gap
        return made, credited

    def _made(self, start: int, end: int, without: Sequence[Interval] = ()) -> Made:
        """Counts and ideal times of (start, end], less those of the intervals (low, high] of `without`."""
        found: Made = defaultdict(int, ipt=NO_IDEAL, igt=NO_IDEAL)
        for low, high in _remaining(start, end, [*without, *self._outside(start, end)]):
            cuts = sorted({low, *self._jobs.changes(low, high), *self._rates.changes(low, high), high})
            for begin, finish in pairwise(cuts):
                self.add(found, begin, finish)
        return found

    def _starting_up(self, start: int, end: int, dropped: Sequence[Run]) -> Fraction:
        """Ideal time of the rejects of (start, end] that were made while starting up (the sixth big loss)."""
        without = [(gap.start, gap.end) for gap in dropped]
        found = NO_IDEAL
        for low, high in self._setups:
            if max(low, start) < min(high, end):
                made = self._made(max(low, start), min(high, end), without)
                found += made["ipt"] - made["igt"]
        return found

    def add(self, found: Made, start: int, end: int) -> None:
        """Add the pieces of (start, end], all of one job and one ideal cycle."""
        if self._inspected is not None:
            inspected, passed, _ = self._inspected.within(start, end, self._as_of)
            found["ip"] += inspected
            found["gp"] += passed
        made = self._jobs.before(end)
        total, scrap, rework = self._counts.within(start, end, self._as_of, made.units if made else 1)
        if not (total or scrap or rework):
            return
        good = total - scrap - rework
        for name, n in (("pq", total), ("gq", good), ("sq", scrap), ("rq", rework)):
            found[name] += n
        ideal, estimated = self.rating(made, end)
        if ideal is None:
            found["unrated"] += total
        else:
            found["ipt"] = plus_times(found["ipt"], ideal, total)
            found["igt"] = plus_times(found["igt"], ideal, good)
            found["estimated"] += total if estimated else 0
        if made is not None and made.scrap:
            found["psq"] += made.scrap * total

    def rating(self, made: Job | None, t: int) -> tuple[Fraction | None, bool]:
        """The ideal cycle of pieces of this job reported at `t`, seconds, and whether it is an estimate."""
        if made is not None and made.rated:
            return self._rates.ideal(made.product, t, made.ideal), made.estimated
        return (self._rates.estimate(made.product if made else "", t) if self._policy.estimates else None), True

    def _outside(self, start: int, end: int) -> Iterator[Interval]:
        """Where pieces do not count because nothing was planned."""
        if self._policy.outside_plan == "exclude":
            for span in self._calendar.spans(start, end):
                if span.kind is not BUSY:
                    yield span.start, span.end

    def _credit(self, gap: Run, start: int, end: int) -> int:
        """The part of the run proven by a gap's pieces that falls into the window, ns.

        Proven is the ideal time of the pieces that came out of the whole gap, at most the gap's busy
        time; it is spread evenly over that, rounding the running sum, so any cut adds up.
        """
        ideal = self._made(*self._whole(gap))["ipt"]
        if ideal <= 0:
            return 0
        busy = self._calendar.busy(gap.from_, gap.until)
        proven = min(busy, int(ideal * SECOND))
        low, high = max(gap.from_, start), min(gap.until, end)
        if low >= high or not busy:
            return 0
        before = self._calendar.busy(gap.from_, low)
        after = before + self._calendar.busy(low, high)
        return proven * after // busy - proven * before // busy

    def _whole(self, gap: Run) -> Interval:
        """Where a gap's pieces are reported: a gap without beginning or end has all before or after it."""
        first, last = self._counts.extent() or (gap.from_, gap.until)
        start = gap.from_ if gap.opened else min(gap.from_, first - 1)
        return start, gap.until if gap.closed or self._as_of is not None else max(gap.until, last)


def plus_times(one: Fraction, ideal: Fraction, n: int) -> Fraction:
    """`one` + `ideal` x `n`, in one reduction."""
    a, b = one.denominator, ideal.denominator
    return Fraction(one.numerator * b + ideal.numerator * n * a, a * b)


def _remaining(start: int, end: int, without: Sequence[Interval]) -> Iterator[Interval]:
    """What is left of (start, end] after taking the intervals out."""
    at = start
    for low, high in sorted(without):
        if at < min(low, end):
            yield at, min(low, end)
        at = max(at, high)
    if at < end:
        yield at, end


def apportion(delta: int, weights: Sequence[int]) -> list[int]:
    """`delta` split in proportion to `weights`, in integers that add up to it: largest remainder.

    Of equal remainders the earlier gets the odd piece. Without any weight it all goes to the last.
    """
    whole = sum(weights)
    if not weights:
        return []
    if whole <= 0:
        return [0] * (len(weights) - 1) + [delta]
    shares = [delta * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda at: (-(delta * weights[at] % whole), at))
    for at in order[: delta - sum(shares)]:
        shares[at] += 1
    return shares
