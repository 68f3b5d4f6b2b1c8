"""The roll-ups of a running agent: which windows of lines, areas and the site are due, and what they are made of.

Members are asked for the scope's windows, not for their own: where a machine's shifts are others than its line's, it
is judged over the line's, so that all members of a sum are of the same instants. What was planned of the machine in
that time stays its own calendar's. Open windows are as of the earliest instant up to which all members are known; a
window is final when every member's would be, and what is learned of a member later makes a revision, as with machines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from edge_agent.core.cell import Cell
from edge_agent.core.finals import WITHDRAWN, Finals, Told, due_and_later, key_of, may_differ, standing
from edge_agent.core.machine import Machine
from edge_agent.core.report import OPEN, Report, Window
from edge_agent.core.reporting import OLDEST_WINDOW_NS, report_of
from edge_agent.core.rollup import Rollup, Scope, roll_up

Steps = Iterator[Rollup | None]
"""Roll-ups, with None now and then to let others work."""


class _Progress:
    """How far one scope has come: `settled` is by kind the end of its latest final window."""

    def __init__(self) -> None:
        self.settled: dict[str, int] = {}
        self.finals = Finals()
        self.touched = OPEN     # from then on its members' cells may have changed
        self.oldest = 0         # what happened from then on is still needed
        self.is_restored = False    # and its calendar may be another now


class Rollups:
    """The scopes of a site; `kinds`, `watermark_ns` and `restate_ns` are those of the machines' reports."""

    def __init__(
        self,
        scopes: Iterable[Scope],
        machines: Mapping[str, Machine],
        kinds: Sequence[str],
        watermark_ns: int,
        restate_ns: int,
    ) -> None:
        self.scopes = {scope.key: scope for scope in scopes}
        self._machines = machines
        self._kinds = tuple(kinds)
        self._watermark = watermark_ns
        self._restate = restate_ns
        self._progress = {key: _Progress() for key in self.scopes}
        self._of: dict[str, list[_Progress]] = {}
        for scope in self.scopes.values():
            for machine in scope.machines:
                self._of.setdefault(machine, []).append(self._progress[scope.key])

    def needs(self, machine: str) -> int | None:
        """What happened to the machine from then on is still needed; None if nothing is."""
        return min((progress.oldest for progress in self._of.get(machine, ())), default=None)

    def touch(self, machine: str, since: int) -> None:
        """Something was learned of the machine that may change its cells from then on."""
        for progress in self._of.get(machine, ()):
            progress.touched = min(progress.touched, since)

    def reports(self, scope: Scope, now: int, known: Mapping[str, int]) -> Steps:
        """The scope's windows due to be final, revisions, and its open windows.

        `known`: up to when each machine is known, never running backwards.
        """
        progress = self._progress[scope.key]
        as_of = min(known[machine] for machine in scope.machines)
        oldest = now
        going_on: list[Window] = []
        for kind in self._kinds:
            due, later = self._unsettled(scope, kind, now)
            for window in due:
                yield from self._final(scope, window, None)
                progress.settled[kind] = window.end
            oldest = min([oldest, *(window.start for window in later)])
            going_on += [window for window in later if window.start < as_of and now < window.end]
        yield from self._revisions(scope, now)
        progress.finals.drop_before(now - self._restate)
        progress.oldest = min([oldest, *(one.window.start for kind in self._kinds for one in progress.finals.of(kind))])
        for window in going_on:
            members = yield from self._members(scope, window, dict.fromkeys(scope.machines, as_of), final=False)
            if members:
                yield roll_up(scope, window, members, progress.finals.revision(window))

    def _unsettled(self, scope: Scope, kind: str, now: int) -> tuple[list[Window], list[Window]]:
        """Windows to be made final now, and those that come later; both by their end."""
        settled = max(self._progress[scope.key].settled.setdefault(kind, now), now - OLDEST_WINDOW_NS)
        return due_and_later(scope.windows(kind, settled, now + 1), settled, self._watermark, now)

    # -- one roll-up -------------------------------------------------------------------------

    def _members(
        self, scope: Scope, window: Window, as_of: Mapping[str, int], *, final: bool
    ) -> Generator[None, None, list[Report]]:
        """The members' reports of a window, by `return`; none if one no longer remembers all of it.

        That was before the scope was configured: its next window will be whole.
        """
        found: list[Report] = []
        for name in scope.machines:
            machine = self._machines[name]
            if (machine.ledger.remembered_from or 0) > window.start:
                return []
            told = machine.finals[window]
            revision = told.revision if told is not None and final else 0
            report = report_of(machine, window, as_of[name], final=final, revision=revision)
            if scope.tells_products(name) and machine.spec.job is not None and not report.products:
                report = replace(report, products=machine.ledger.products(window.start, window.end, as_of[name]))
            found.append(report)
            yield None
        return found

    def _final(self, scope: Scope, window: Window, known: int | None, told: Told | None = None) -> Steps:
        """With what is known by now; with what was known a watermark after its end, if `known` is None.

        Nothing, where it is what was `told` before.
        """
        finals, first = self._progress[scope.key].finals, window.end + self._watermark
        ledgers = {name: self._machines[name].ledger for name in scope.machines}
        as_of = dict.fromkeys(ledgers, first)
        if known is not None:
            as_of = {name: one.decided(window.start, window.end, first, known) for name, one in ledgers.items()}
        members = yield from self._members(scope, window, as_of, final=True)
        if not members:
            return
        made = roll_up(scope, window, members, finals.revision(window))
        digest = digest_of_sum(made)
        turns = [one.turn(window.end, max(as_of[name], known or 0)) for name, one in ledgers.items()]
        turn = min((turn for turn in turns if turn is not None), default=None)
        if told is not None and told.digest == digest:
            finals.turns(told, turn)
            return
        finals.note(window, made.revision, digest, turn)
        yield made

    # -- what was final, and is not as it was ------------------------------------------------

    def _revisions(self, scope: Scope, now: int) -> Steps:
        progress = self._progress[scope.key]
        low, progress.touched = progress.touched, OPEN
        for kind in self._kinds:
            yield from self._revised(scope, kind, low, now)
        progress.is_restored = False

    def _revised(self, scope: Scope, kind: str, low: int, now: int) -> Steps:
        progress = self._progress[scope.key]
        told = [one for one in progress.finals.of(kind) if one.window.end > now - self._restate]
        if not told or not (progress.is_restored or any(may_differ(one, one.window, low, now) for one in told)):
            return
        first = min(one.window.start for one in told)
        there = standing(scope.windows(kind, first, now + 1))
        for one in told:
            window = there.get(key_of(one.window))
            if window is None:
                yield self._withdrawn(scope, one, now)
            elif window.end <= progress.settled[kind] and may_differ(one, window, low, now):
                yield from self._final(scope, window, now, one)
        for window in there.values():
            ended = now - self._restate < window.end <= progress.settled[kind]
            if ended and window.start >= first and progress.finals[window] is None:
                yield from self._final(scope, window, now)

    def _withdrawn(self, scope: Scope, told: Told, now: int) -> Rollup:
        self._progress[scope.key].finals.note(told.window, told.revision + 1, "", None)
        return Rollup(
            scope.kind, scope.id, told.window, told.revision + 1, True, now, scope.config_hash, Cell(),
            len(scope.machines), (), flags=(WITHDRAWN,),
        )  # fmt: skip

    # -- survival ----------------------------------------------------------------------------

    def begin(self, now: int) -> None:
        """Scopes and kinds of windows that were not reported until now have their first windows from now on."""
        for progress in self._progress.values():
            progress.settled = {kind: progress.settled.get(kind, now) for kind in self._kinds}

    def began(self, t: int) -> None:
        """The clock has only now been told the time: scopes without a past have their first windows from `t` on."""
        for key, scope in self.scopes.items():
            machines = [self._machines[name] for name in scope.machines]
            if not any(machine.current.since or machine.ledger.remembered_from for machine in machines):
                self._progress[key].settled = dict.fromkeys(self._kinds, t)

    def settle(self, rollup: Rollup) -> None:
        """This final roll-up was made before the restart."""
        progress = self._progress.get(f"{rollup.kind}/{rollup.id}")
        if progress is not None and rollup.final:
            kind = rollup.window.kind
            progress.settled[kind] = max(progress.settled.get(kind, 0), rollup.window.end)
            progress.finals.note(rollup.window, rollup.revision, digest_of_sum(rollup), None)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        return {key: {"settled": p.settled, "finals": p.finals.snapshot()} for key, p in self._progress.items()}

    def restore(self, data: Mapping[str, Any]) -> None:
        """What `snapshot` gave; scopes that no longer exist are passed over."""
        for key, told in data.items():
            if key in self._progress:
                self._progress[key].settled = {str(kind): int(end) for kind, end in told["settled"].items()}
                self._progress[key].finals.restore(told["finals"])
                self._progress[key].is_restored = True


def digest_of_sum(rollup: Rollup) -> str:
    """16 hex digits that differ where two roll-ups do; "" for one that is withdrawn."""
    if WITHDRAWN in rollup.flags:
        return ""
    window, line = rollup.window, rollup.line
    told = [window.start, window.end, window.name, rollup.cell.to_dict()]
    if line is not None:
        told += [list(line.plan), line.entered, line.good, str(line.ideal)]
    return hashlib.blake2b(orjson.dumps(told), digest_size=8).hexdigest()
