"""The roll-ups of a running agent: which windows of lines, areas and the site are due, and what they are made of.

Members are asked for the scope's windows, not for their own: where a machine's shifts are others than its line's, it
is judged over the line's, so that all members of a sum are of the same instants. What was planned of the machine in
that time stays its own calendar's. Open windows are as of the earliest instant up to which all members are known; a
window is final when every member's would be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from edge_agent.core.cell import Cell
from edge_agent.core.finals import WITHDRAWN, Finals, Told, digest_of, key_of, standing
from edge_agent.core.machine import Machine
from edge_agent.core.report import Report, Window
from edge_agent.core.rollup import Rollup, Scope, roll_up


class MakeReport(Protocol):
    """Makes a machine's report of a window."""

    def __call__(self, machine: Machine, window: Window, as_of: int, *, final: bool) -> Report:
        """As it was known at `as_of`."""
        ...


# After a long absence there are many final windows to report: so many of a kind at a time, the rest the next time.
FINALS_AT_ONCE: Final = 24
# Windows that ended longer ago than this while the agent was off are not reported any more.
OLDEST_WINDOW_NS: Final = 31 * 86_400_000_000_000


class Rollups:
    """The scopes of a site. `settled` of each: window kind → end of its latest final window."""

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
        self._watermark_ns = watermark_ns
        self._restate_ns = restate_ns
        self._finals = {key: Finals() for key in self.scopes}
        self._touched: dict[str, int] = {}      # scopes of which a machine was revised → since when
        self._settled: dict[str, dict[str, int]] = {key: {} for key in self.scopes}
        self._oldest: dict[str, int] = dict.fromkeys(self.scopes, 0)
        self._scopes_of: dict[str, list[str]] = {}
        for scope in self.scopes.values():
            for machine in scope.machines:
                self._scopes_of.setdefault(machine, []).append(scope.key)

    def revised(self, report: Report) -> None:
        """A machine's final report is another than it was: so may be those of what it belongs to."""
        for key in self._scopes_of.get(report.machine, ()):
            self._touched[key] = min(self._touched.get(key, report.window.start), report.window.start)

    def needs(self, machine: str) -> int | None:
        """What happened to the machine from then on is still needed; None if nothing is."""
        return min((self._oldest[key] for key in self._scopes_of.get(machine, ())), default=None)

    def reports(
        self, scope: Scope, now: int, known: Mapping[str, int], make: MakeReport
    ) -> Iterator[Rollup | None]:
        """The scope's open windows, and those due to be final; None now and then, to let others work.

        `known`: up to when each machine is known, never running backwards.
        """
        as_of = min(known[machine] for machine in scope.machines)
        oldest = now
        for kind in self._kinds:
            due, later = self._unsettled(scope, kind, now)
            for window in due:
                yield from self._final(scope, window, now, make)
                self._settled[scope.key][kind] = window.end
            for window in later:
                oldest = min(oldest, window.start)
                if window.start < as_of and now < window.end:
                    yield from self._made(scope, window, dict.fromkeys(scope.machines, as_of), make, final=False)
        yield from self._revisions(scope, now, make)
        told = [one for kind in self._kinds for one in self._finals[scope.key].of(kind)]
        self._oldest[scope.key] = min([oldest, *(one.window.start for one in told)])

    def _revisions(self, scope: Scope, now: int, make: MakeReport) -> Iterator[Rollup | None]:
        finals, touched = self._finals[scope.key], self._touched.pop(scope.key, None)
        finals.drop_before(now - self._restate_ns)
        if touched is None:
            return
        for kind in self._kinds:
            told = [one for one in finals.of(kind) if one.window.end > touched]
            first = min((one.window.start for one in told), default=now)
            there = standing(scope.windows(kind, first, now))
            for one in told:
                window = there.get(key_of(one.window))
                if window is None:
                    yield self._withdrawn(scope, one, now)
                elif window.end <= self._settled[scope.key][kind]:
                    yield from self._final(scope, window, now, make)

    def _withdrawn(self, scope: Scope, told: Told, now: int) -> Rollup:
        self._finals[scope.key].note(told.window, told.revision + 1, "")
        return Rollup(
            scope.kind, scope.id, told.window, told.revision + 1, True, now, scope.config_hash, Cell(),
            len(scope.machines), (), flags=(WITHDRAWN,),
        )  # fmt: skip

    def _final(self, scope: Scope, window: Window, now: int, make: MakeReport) -> Iterator[Rollup | None]:
        """The final roll-up of a window, unless it is as it was told before."""
        first = window.end + self._watermark_ns
        as_of = {
            name: self._machines[name].ledger.decided(window.start, window.end, first, max(first, now))
            for name in scope.machines
        }
        finals = self._finals[scope.key]
        for made in self._made(scope, window, as_of, make, final=True):
            if made is None:
                yield None
                continue
            told, digest = finals[window], _digest(made)
            if told is None or told.digest != digest:
                finals.note(window, made.revision, digest)
                yield made

    def _made(
        self, scope: Scope, window: Window, as_of: Mapping[str, int], make: MakeReport, *, final: bool
    ) -> Iterator[Rollup | None]:
        members: list[Report] = []
        for name in scope.machines:
            machine = self._machines[name]
            # Forgotten before this scope needed it, as it was not configured then: its next window will be whole.
            if (machine.ledger.remembered_from or 0) > window.start:
                return
            report = make(machine, window, as_of[name], final=final)
            if scope.tells_products(name) and machine.spec.job is not None and not report.products:
                report = replace(report, products=machine.ledger.products(window.start, window.end, as_of[name]))
            members.append(report)
            yield None
        yield roll_up(scope, window, members, self._finals[scope.key].revision(window))

    def _unsettled(self, scope: Scope, kind: str, now: int) -> tuple[list[Window], list[Window]]:
        """Windows to be made final now, and those that come later; both by their end."""
        settled = max(self._settled[scope.key].setdefault(kind, now), now - OLDEST_WINDOW_NS)
        windows = [one for one in scope.windows(kind, settled, now + 1) if one.end > settled]
        windows.sort(key=lambda window: window.end)
        due = [one for one in windows if one.end + self._watermark_ns <= now]
        if len(due) > FINALS_AT_ONCE:       # windows that end together are settled together
            due = [one for one in due if one.end <= due[FINALS_AT_ONCE - 1].end]
        return due, windows[len(due) :]

    # -- survival ----------------------------------------------------------------------------

    def begin(self, now: int) -> None:
        """Scopes and kinds of windows that were not reported until now have their first windows from now on."""
        for key in self.scopes:
            self._settled[key] = {kind: self._settled[key].get(kind, now) for kind in self._kinds}

    def settle(self, rollup: Rollup) -> None:
        """A final roll-up of this window was made before the restart: do not make it again."""
        settled = self._settled.get(f"{rollup.kind}/{rollup.id}")
        if settled is not None and rollup.final:
            settled[rollup.window.kind] = max(settled.get(rollup.window.kind, 0), rollup.window.end)
            self._finals[f"{rollup.kind}/{rollup.id}"].note(rollup.window, rollup.revision, _digest(rollup))

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        return {
            key: {"settled": dict(settled), "finals": self._finals[key].snapshot()}
            for key, settled in self._settled.items()
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """What `snapshot` gave; scopes that no longer exist are passed over."""
        for key, told in data.items():
            if key in self._settled:
                self._settled[key] = {str(kind): int(end) for kind, end in told["settled"].items()}
                self._finals[key].restore(told["finals"])
                self._touched[key] = 0      # its calendar may be another now


def _digest(rollup: Rollup) -> str:
    return digest_of(rollup.window, rollup.cell, *(member.cell for member in rollup.members))
