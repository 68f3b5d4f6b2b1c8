"""What the API tells of lost time: the waterfall, the Pareto of reasons, each stop, and the figures with bounds."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Final, Literal, cast

from edge_agent.core import kpi
from edge_agent.core.behind import LOST, reasons
from edge_agent.core.losses import six_big_losses, steps
from edge_agent.core.quantity import SECOND
from edge_agent.core.slices import Slice
from edge_agent.encode.kpi_record import number
from edge_agent.web.answers import Answer, StateName
from edge_agent.web.chosen import Chosen, Looked, Windows
from edge_agent.web.times import Times

# What a list on a page shows at once, and what it offers to choose from.
REASONS: Final = 100

Number = int | float


class StepAnswer(Answer):
    """One step of the waterfall: `before_s` it and `after_s` it on the way from planned to good time."""

    name: str
    """no_order, maint, other, fault, setup, micro, unknown, speed (below 0: faster than ideal), quality, good"""
    seconds: Number
    before_s: Number
    after_s: Number


class Bounds(Answer):
    """What a figure could be, given the time without data."""

    low: Number
    high: Number


class LossesAnswer(Looked):
    """Where planned busy time went; the steps add up to it."""

    planned_s: Number
    steps: list[StepAnswer]
    six_losses_s: dict[str, Number | None]
    kpi: dict[str, Number | None]
    """the ratios; null: not defined, or nothing is known"""
    bounds: dict[str, Bounds]


class ReasonAnswer(Answer):
    """Time lost in one bucket, in one state, for one reason."""

    bucket: str
    state: StateName
    reason: str | None
    count: int
    """how often that began in the window"""
    seconds: Number
    share: Number | None
    """of planned busy time"""


class StopAnswer(Answer):
    """A stretch in which the machine was to work, and did not."""

    id: str
    """by which a reason can be given to it: the ns UTC of its start, as text: JavaScript counts not so far"""
    start: str
    end: str | None
    """null: it lasts"""
    seconds: Number
    """in the window, so far"""
    bucket: str
    state: StateName
    reason: str | None
    source: Literal["operator"] | None
    """who says so, where it is not the machine itself"""


class StopsAnswer(Looked):
    """Stops, the newest first, and why there were any."""

    pareto: list[ReasonAnswer]
    """the longest first"""
    total: int
    stops: list[StopAnswer]
    suggestions: list[str]
    """reasons that were heard of before, the most frequent first"""
    may_say: bool
    """whether people may give reasons: `operator:` of the machine in the site file"""


class LossesView:
    """Reads ledgers and changes nothing."""

    def __init__(self, windows: Windows, times: Times, said_of: frozenset[str]) -> None:
        """`said_of`: machines of which people may say something through the API."""
        self._windows = windows
        self._times = times
        self._said_of = said_of

    def losses(self, name: str, window: str, back: int) -> LossesAnswer:
        """The waterfall of a window."""
        chosen = self._windows.choose(name, window, back)
        cell = chosen.report.cell
        return LossesAnswer(
            **chosen.head(self._times.iso),
            planned_s=_seconds(cell.pbt),
            steps=[
                StepAnswer(name=key, seconds=_exact(value), before_s=_exact(before), after_s=_exact(after))
                for key, value, before, after in steps(cell)
            ],
            six_losses_s={key: number(value) for key, value in six_big_losses(cell).items()},
            kpi={key: number(value) for key, value in kpi.kpis(cell).items()},
            bounds={key: Bounds(low=_exact(low), high=_exact(high)) for key, (low, high) in kpi.bounds(cell).items()},
        )

    async def stops(self, name: str, window: str, back: int, limit: int, least_s: float) -> StopsAnswer:
        """Those of a window, at most `limit`, none shorter than `least_s`."""
        chosen = self._windows.choose(name, window, back)
        slices = await chosen.slices()
        planned = chosen.report.cell.pbt
        stopped = [one for one in slices if one.bucket in LOST and one.length >= least_s * SECOND]
        said = _Said(chosen)
        return StopsAnswer(
            **chosen.head(self._times.iso),
            pareto=[
                ReasonAnswer(
                    bucket=one.bucket,
                    state=cast(StateName, one.state.name),
                    reason=one.reason or None,
                    count=one.count,
                    seconds=_seconds(one.time),
                    share=number(kpi.ratio(one.time, planned)),
                )
                for one in reasons(slices)
            ],
            total=len(stopped),
            stops=[self._stop(one, chosen, said) for one in stopped[: -limit - 1 : -1]],
            suggestions=_heard(chosen, slices),
            may_say=name in self._said_of,
        )

    def _stop(self, one: Slice, chosen: Chosen, said: _Said) -> StopAnswer:
        lasts = one.end >= chosen.until and chosen.until < chosen.window.end
        return StopAnswer(
            id=str(one.start),
            start=self._times.iso(one.start),
            end=None if lasts else self._times.iso(one.end),
            seconds=_seconds(one.length),
            bucket=one.bucket,
            state=cast(StateName, one.state.name),
            reason=one.reason or None,
            source="operator" if said.at(one.start) else None,
        )


class _Said:
    """Of which instants it is an operator who says what the state is; asked from the newest to the oldest."""

    def __init__(self, chosen: Chosen) -> None:
        until = chosen.until
        spans = chosen.ledger.spans(chosen.since, until) if chosen.ledger.overrides.entries else []
        self._left = [span for span in spans if span.source]

    def at(self, t: int) -> bool:
        while self._left and self._left[-1].start > t:
            self._left.pop()
        return bool(self._left) and t < self._left[-1].end


def _heard(chosen: Chosen, slices: list[Slice]) -> list[str]:
    """Reasons of this window, then those that the site file gives to states."""
    counts = Counter(one.reason for one in slices if one.reason and one.bucket in LOST)
    named = [state[1] for state in chosen.machine.spec.states.values() if isinstance(state, tuple) and state[1]]
    said = [entry.reason for entry in chosen.ledger.overrides.entries if entry.reason]
    return list(dict.fromkeys([*(reason for reason, _ in counts.most_common()), *said, *named]))[:REASONS]


def _seconds(ns: int) -> Number:
    return _exact(Fraction(ns, SECOND))


def _exact(value: Fraction) -> Number:
    found = number(value)
    assert found is not None
    return found
