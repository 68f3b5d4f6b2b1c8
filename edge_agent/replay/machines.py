"""The machines of a plan, fed with history: the same core as in the running agent, with the history's time.

Reports are made as soon as all that can be in them is known, and what no later window needs is forgotten: so a
year takes no more memory than its longest window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from edge_agent.core.batch import Batch
from edge_agent.core.clean import Cleaner
from edge_agent.core.deadband import Deadband
from edge_agent.core.engine import Engine
from edge_agent.core.finals import Finals, digest_of
from edge_agent.core.ledger import Span
from edge_agent.core.machine import Machine
from edge_agent.core.overrides import Entry
from edge_agent.core.report import Report, StateChange, Window
from edge_agent.core.reporting import report_of
from edge_agent.core.rollup import Rollup, Scope
from edge_agent.core.rollups import digest_of_sum
from edge_agent.core.selection import stable_order, take
from edge_agent.core.wall import day_at
from edge_agent.replay.plan import Plan
from edge_agent.replay.window import CUSTOM

_RING_BYTES: Final = 21     # a tag: the least that a ring takes; nobody looks at the last values here
_RING_LEAST: Final = 1 << 16


@dataclass
class Outcome:
    """What became of one machine: its reports by the start of their windows, and its states.

    `spans` tile the time from the start of the first window to the end of the last, or as far as is known.
    """

    machine: str
    reports: list[Report] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    shares: dict[str, list[Report]] = field(default_factory=dict)
    """by line, area or site (`Scope.key`): its reports of their windows"""


@dataclass
class _Track:
    """The windows of the machine, or of a scope it belongs to: reports of those that end up to `settled` are made."""

    settled: int
    scope: Scope | None = None
    reports: dict[tuple[int, int], Report] = field(default_factory=dict)

    def in_order(self) -> list[Report]:
        """By the start of their windows."""
        return sorted(self.reports.values(), key=lambda one: (one.window.start, one.window.end))


@dataclass
class _Progress:
    """How far one machine has come: its own windows first; spans are told up to `told`."""

    tracks: list[_Track]
    told: int | None = None
    samples: int = 0
    spans: list[Span] = field(default_factory=list)


class Machines:
    """Feed it in order, tell it how far the history is known (`reach`), and `finish`.

    `first`, ns UTC: when the history begins; windows that ended before are not reported. `raw`: the history has
    all that a device told; else what an agent took of it, cleaned and thinned.
    """

    def __init__(self, plan: Plan, first: int, *, raw: bool) -> None:
        self.plan = plan
        self._raw = raw
        self._engine = Engine(
            plan.table, [], plan.specs, ring_bytes=_RING_LEAST + _RING_BYTES * len(plan.table)
        )
        self._cleaner = Cleaner(plan.table)
        self._deadband = Deadband(plan.table)
        self._fed = {spec.id: np.unique([tag.position for tag in spec.tags()]) for spec in plan.specs}
        self._progress = {
            spec.id: _Progress([
                _Track(first), *(_Track(first, scope) for scope in plan.scopes if spec.id in scope.machines),
            ])
            for spec in plan.specs
        }  # fmt: skip
        self._believed: dict[str, StateChange] = {}
        self.sums: dict[str, Finals] = {}
        """by line, area or site: its final figures, as the agent told them"""
        for machine in self._engine.machines.values():
            machine.facts.forgets = True

    def take_up(self, checkpoint: bytes) -> None:
        """What was before the history begins; ValueError as `Engine.restore`."""
        self._engine.restore(checkpoint)

    def feed(self, batch: Batch) -> None:
        """Samples of any wanted tags, in the order in which the core is to see them."""
        if self._raw:
            self._cleaner.refresh()
            batch = self._deadband.filter(self._cleaner.clean(batch))
        order = stable_order(batch.tag, len(self.plan.table))
        tags = batch.tag[order]
        for name, positions in self._fed.items():
            low = np.searchsorted(tags, positions, side="left")
            high = np.searchsorted(tags, positions, side="right")
            at = np.sort(np.concatenate([order[a:b] for a, b in zip(low.tolist(), high.tolist(), strict=True)]))
            if len(at):
                machine = self._engine.machines[name]
                machine.feed(take(batch, at))
                machine.take_changes()
                if name in self._believed:
                    machine.accept(self._believed[name])
                self._progress[name].samples += len(at)

    def away(self, name: str, since: int) -> None:
        """The agent was away from `since` on: nothing is known of the machine until it tells again."""
        machine = self._engine.machines.get(name)
        if machine is not None:
            machine.forget_lately()
            machine.was_away(since)
            self._deadband.forget(self._fed[name])

    def say(self, name: str, entry: Entry) -> None:
        """An operator said this. It counts wherever it was said of, even if that was after the window was final."""
        machine = self._engine.machines.get(name)
        as_of = self.plan.asked.as_of
        if machine is not None and (as_of is None or entry.at <= as_of):
            machine.operate(entry)

    def accept(self, change: StateChange) -> None:
        """The agent believed this change. The journal may have it before the samples that tell it."""
        machine, as_of = self._engine.machines.get(change.machine), self.plan.asked.as_of
        if machine is not None and (as_of is None or change.since + machine.spec.lag_ns <= as_of):
            self._believed[change.machine] = change
            machine.accept(change)

    def told(self, report: Report | Rollup) -> None:
        """The agent told this final report, or sum."""
        if isinstance(report, Rollup):
            key = f"{report.kind}/{report.id}"
            self.sums.setdefault(key, Finals()).note(report.window, report.revision, digest_of_sum(report))
            return
        machine = self._engine.machines.get(report.machine)
        if machine is not None and report.window.kind == self.plan.asked.kind:
            machine.finals.note(report.window, report.revision, digest_of(report.window, report.cell))

    def reach(self, until: int) -> None:
        """Everything before `until` has been fed: make the reports that nothing later can change."""
        as_of = self.plan.asked.as_of
        known = until if as_of is None else min(until, as_of + 1)
        for name, machine in self._engine.machines.items():
            progress = self._progress[name]
            pending = until - machine.spec.lag_ns     # a state may yet turn out to have begun so long before
            open_ones: list[Window] = []
            for track in progress.tracks:
                waiting = self._windows(machine, progress, track, until)
                while waiting and self._is_decided(machine, waiting[0], known):
                    self._report(machine, progress, track, waiting.pop(0), known)
                open_ones += waiting
            self._forget(machine, progress, open_ones, pending)

    def finish(self, last: int) -> list[Outcome]:
        """The history ends at `last`: report what is still to be reported."""
        as_of = self.plan.asked.as_of
        end = last + 1 if as_of is None else min(last + 1, as_of)
        for name, machine in self._engine.machines.items():
            progress = self._progress[name]
            if self._raw:
                machine.confirm(last if as_of is None else as_of)
            for track in progress.tracks:
                for window in self._windows(machine, progress, track, end):
                    known = self._last_known(window, last) if as_of is None else as_of
                    self._report(machine, progress, track, window, known)
            told = progress.tracks[0].reports.values()
            self._tell_spans(machine, progress, max((min(r.window.end, r.as_of) for r in told), default=0))
        return [_outcome(name, progress) for name, progress in self._progress.items()]

    def _last_known(self, window: Window, last: int) -> int:
        """A window that ends shortly after the history does is taken to have been seen to its end."""
        due = window.end + self.plan.watermark_ns
        return max(due, last) if window.end <= last + self.plan.watermark_ns else last

    def silent(self) -> list[str]:
        """Machines that have had no sample."""
        return [name for name, progress in self._progress.items() if not progress.samples]

    def _windows(self, machine: Machine, progress: _Progress, track: _Track, end: int) -> list[Window]:
        """Those that are not settled and begin before `end`, by their end."""
        kind = self.plan.asked.kind
        if kind == CUSTOM:
            found = [self._custom(machine.spec.zone)]
        elif track.scope is None:
            found = self._engine.windows(machine, kind, track.settled, end)
        else:
            found = track.scope.windows(kind, track.settled, end)
        found = [window for window in found if window.end > track.settled and window.start < end]
        if found and track.scope is None and progress.told is None:
            progress.told = min(window.start for window in found)
        return sorted(found, key=lambda window: window.end)

    def _custom(self, zone: str) -> Window:
        start, end = self.plan.asked.start, self.plan.asked.end
        return Window(CUSTOM, CUSTOM, start, end, zone=zone, production_date=day_at(start, ZoneInfo(zone)))

    def _is_decided(self, machine: Machine, window: Window, known: int) -> bool:
        """Whether nothing that comes can change it, or what comes is too late to revise it."""
        if known <= window.end + self.plan.watermark_ns:
            return False
        if known > window.end + self.plan.restate_ns:
            return True
        gaps = any(gap < window.end for gap in machine.gaps())
        return not gaps and not machine.ledger.is_provisional(window.start, window.end, known)

    def _report(self, machine: Machine, progress: _Progress, track: _Track, window: Window, known: int) -> None:
        """The machine's own report is its share in a scope that has the same window."""
        span = window.start, window.end
        made = progress.tracks[0].reports.get(span)
        if made is None:
            made = self._made(machine, window, known)
        if track.scope is not None and track.scope.tells_products(machine.spec.id) and machine.spec.job is not None:
            made = replace(made, products=made.products or machine.ledger.products(*span, made.as_of))
        track.reports[span] = made
        track.settled = max(track.settled, window.end)

    def _made(self, machine: Machine, window: Window, known: int) -> Report:
        """With what is known at `known`; what is learned after `restate` changes nothing any more."""
        due = window.end + self.plan.watermark_ns
        final, at = due <= known, known
        if final:
            at = machine.ledger.decided(window.start, window.end, due, min(known, window.end + self.plan.restate_ns))
        report = report_of(machine, window, at, final=final, revision=machine.finals.revision(window))
        return self._as_told(machine, report)

    def _as_told(self, machine: Machine, report: Report) -> Report:
        """With the revision the agent gave it, if it is what the agent told last; else it is the next one."""
        told = machine.finals[report.window]
        same = told is not None and report.final and told.digest == digest_of(report.window, report.cell)
        return replace(report, revision=told.revision) if told is not None and same else report

    def _forget(self, machine: Machine, progress: _Progress, waiting: Sequence[Window], pending: int) -> None:
        """The ledger forgets what none of these windows needs; its states are told first.

        Orders may take months: of a long one the sums are kept.
        """
        jobs = [window.start for window in waiting if window.kind == "job"]
        needed = [max(start, pending - self.plan.restate_ns) for start in jobs]
        before = min([pending, *needed, *(window.start for window in waiting if window.kind != "job")])
        self._tell_spans(machine, progress, before)
        machine.ledger.prune(before, jobs)

    def _tell_spans(self, machine: Machine, progress: _Progress, until: int) -> None:
        if progress.told is None or until <= progress.told:
            return
        for span in machine.ledger.spans(progress.told, until):
            last = progress.spans[-1] if progress.spans else None
            if last and (last.state, last.reason, last.order) == (span.state, span.reason, span.order):
                progress.spans[-1] = last._replace(end=span.end)
            else:
                progress.spans.append(span)
        progress.told = until


def _outcome(name: str, progress: _Progress) -> Outcome:
    own, *others = progress.tracks
    shares = {track.scope.key: track.in_order() for track in others if track.scope is not None}
    return Outcome(name, own.in_order(), progress.spans, shares)
