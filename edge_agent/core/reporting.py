"""Reports of a machine: of its open windows as far as they are known, of ended ones once and for all.

A window is final `watermark` after its end, when late samples have had their chance (domain 2.7). What is
learned later about it, for as long as `restate`, makes a revision: a late sample, a correction, the end of a
stop that reached across its end, another calendar. A window that exists no more is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from edge_agent.core.cell import Cell
from edge_agent.core.finals import WITHDRAWN, Told, digest_of, due_and_later, key_of, may_differ, standing
from edge_agent.core.ledger import HOUR
from edge_agent.core.machine import Machine
from edge_agent.core.report import OPEN, Report, Window
from edge_agent.core.wall import DAY
from edge_agent.core.windows import windows_of

WATERMARK_NS: Final = 600_000_000_000
RESTATE_NS: Final = DAY

# Windows that ended longer ago than this while the agent was off are not reported any more.
OLDEST_WINDOW_NS: Final = 31 * DAY

# A counter that has not answered for so long keeps nothing in memory any more.
LONGEST_GAP_NS: Final = 7 * DAY

_PRODUCTS_TOLD: Final = ("shift", "day", "production_day")


def report_of(machine: Machine, window: Window, as_of: int, *, final: bool, revision: int = 0) -> Report:
    """The report of a window, of what was known `as_of`."""
    spec, ledger = machine.spec, machine.ledger
    cell = ledger.cell(window.start, window.end, as_of)
    by_product = spec.job is not None and window.kind in _PRODUCTS_TOLD
    return Report(
        spec.id,
        window,
        revision,
        final,
        as_of,
        spec.config_hash,
        cell,
        spec.flags(cell),
        ledger.products(window.start, window.end, as_of) if by_product else {},
        spec.carbon,
    )


class Reporting:
    """`kinds`: which windows are reported; `watermark_ns`, `restate_ns`: see above."""

    def __init__(self, kinds: Sequence[str], watermark_ns: int = WATERMARK_NS, restate_ns: int = RESTATE_NS) -> None:
        self.kinds = tuple(kinds)
        self._watermark = watermark_ns
        self._restate = restate_ns

    def reports(self, machine: Machine, now: int, as_of: int, needed: int | None = None) -> list[Report]:
        """Final and revised ones that are due `now`, and those of the open windows `as_of` what is known.

        Somebody else asks the ledger about the time from `needed` on.
        """
        made: list[Report] = []
        going_on: list[Report] = []
        oldest = now if needed is None else min(needed, now)
        for kind in self.kinds:
            due, later = self._unsettled(machine, kind, now)
            for window in due:
                made.append(self._final(machine, window, None))
                machine.settled[kind] = window.end
            for window in later:
                oldest = min(oldest, self._needed_from(window, now))
                if window.start < as_of and now < window.end:
                    going_on.append(self._next(machine, window, as_of, final=False))
        made += self._revisions(machine, now)
        self._forget(machine, now, oldest)
        return made + going_on      # last: what is going on is what topics and pages keep showing

    def settle(self, machine: Machine, report: Report) -> None:
        """This final report was made before the restart."""
        kind = report.window.kind
        machine.settled[kind] = max(machine.settled.get(kind, 0), report.window.end)
        digest = "" if WITHDRAWN in report.flags else digest_of(report.window, report.cell)
        machine.finals.note(report.window, report.revision, digest)

    def _unsettled(self, machine: Machine, kind: str, now: int) -> tuple[list[Window], list[Window]]:
        """Windows to be made final now, and those that come later; both by their end."""
        settled = max(machine.settled.setdefault(kind, now), now - OLDEST_WINDOW_NS)
        windows = windows_of(machine.spec, machine.ledger, kind, settled, now + 1)
        return due_and_later(windows, settled, self._watermark, now)

    # -- one report --------------------------------------------------------------------------

    def _final(self, machine: Machine, window: Window, known: int | None) -> Report:
        """With what is known by now; with what was known a watermark after its end, if `known` is None."""
        first = window.end + self._watermark
        as_of = first if known is None else machine.ledger.decided(window.start, window.end, first, known)
        report = self._next(machine, window, as_of, final=True)
        turn = machine.ledger.turn(window.end, max(as_of, known or 0))
        machine.finals.note(window, report.revision, digest_of(window, report.cell), turn)
        return report

    def _next(self, machine: Machine, window: Window, as_of: int, *, final: bool) -> Report:
        return report_of(machine, window, as_of, final=final, revision=machine.finals.revision(window))

    # -- what was final, and is not as it was ------------------------------------------------

    def _revisions(self, machine: Machine, now: int) -> list[Report]:
        touched = machine.ledger.take_touched(now)
        machine.touched = low = OPEN if touched is None else touched
        return [report for kind in self.kinds for report in self._revised(machine, kind, low, now)]

    def _revised(self, machine: Machine, kind: str, low: int, now: int) -> Iterator[Report]:
        told = [one for one in machine.finals.of(kind) if one.window.end > now - self._restate]
        if not any(may_differ(one, one.window, low, now) for one in told):
            return
        first = min(one.window.start for one in told)
        there = standing(windows_of(machine.spec, machine.ledger, kind, first, now + 1))
        for one in told:
            window = there.get(key_of(one.window))
            if window is None:
                yield self._withdrawn(machine, one, now)
            elif window.end <= machine.settled[kind] and may_differ(one, window, low, now):
                yield from self._again(machine, one, window, now)
        for window in there.values():
            ended = now - self._restate < window.end <= machine.settled[kind]
            if ended and window.start >= first and machine.finals[window] is None:
                yield self._final(machine, window, now)

    def _again(self, machine: Machine, told: Told, window: Window, now: int) -> Iterator[Report]:
        ledger = machine.ledger
        as_of = ledger.decided(window.start, window.end, window.end + self._watermark, now)
        if digest_of(window, ledger.cell(window.start, window.end, as_of)) == told.digest:
            machine.finals.turns(told, ledger.turn(window.end, max(as_of, now)))
        else:
            yield self._final(machine, window, now)

    def _withdrawn(self, machine: Machine, told: Told, now: int) -> Report:
        report = Report(
            machine.spec.id, told.window, told.revision + 1, True, now, machine.spec.config_hash, Cell(), (WITHDRAWN,)
        )
        machine.finals.note(told.window, report.revision, "")
        return report

    # -- memory ------------------------------------------------------------------------------

    def _needed_from(self, window: Window, now: int) -> int:
        """From when on the facts of an open window must be kept; an order may take months."""
        return window.start if window.kind != "job" else max(window.start, now - self._restate)

    def _forget(self, machine: Machine, now: int, oldest: int) -> None:
        machine.finals.drop_before(now - self._restate)
        starts = [self._needed_from(one.window, now) for kind in self.kinds for one in machine.finals.of(kind)]
        gaps = [gap for gap in machine.gaps() if gap > now - LONGEST_GAP_NS]
        needed = min([oldest, *starts, *gaps])
        jobs = machine.ledger.jobs(needed, now + 1) if "job" in self.kinds else []
        machine.ledger.prune(needed // HOUR * HOUR, [job.start for job in jobs])
