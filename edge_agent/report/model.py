"""The document: what is on the page, whatever it is printed with.

Times are ns UTC, lengths of time in a cell ns too, ideal times exact seconds, ratios exact fractions or None.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.core.behind import Job, Point, Reason
from edge_agent.core.cell import Cell
from edge_agent.core.report import OPEN, Report
from edge_agent.core.rollup import Rollup
from edge_agent.core.slices import Slice
from edge_agent.core.tiles import CalendarSpan


class Trace(StrEnum):
    """What the facts in the journal say of a record."""

    SAME = "same"           # added up again, they give the record, to the nanosecond
    FRESH = "fresh"         # the agent has made no record of this window: the figures are added up just now
    DIFFERS = "differs"     # they give something else: facts came later, or are gone
    RULES = "rules"         # they give something else, and the site file judges differently now
    GONE = "gone"           # they are no longer kept


@dataclass(frozen=True, slots=True)
class Head:
    """Whose document it is, made when; nothing later than `until` was in the journal."""

    agent: str
    place: tuple[str, ...]          # enterprise, site, area: those that are named
    zone: str
    made: int
    version: str
    until: int
    passed_over: int = 0            # records that could not be read


@dataclass(frozen=True, slots=True)
class Hour:
    """A clock hour of the window, or what of it lies in the window."""

    start: int
    end: int
    cell: Cell


@dataclass(frozen=True, slots=True)
class MachinePage:
    """All about one machine in one window.

    `plan` tiles the window whole. Of what `trace` says is gone, everything below it is empty; else `slices`
    tile the window as far as it is known.
    """

    id: str
    line: str
    record: Report
    revisions: tuple[Report, ...]   # the agent's own records of this window, the latest last
    plan: tuple[CalendarSpan, ...]
    trace: Trace
    slices: tuple[Slice, ...] = ()
    reasons: tuple[Reason, ...] = ()
    jobs: tuple[Job, ...] = ()
    curve: tuple[Point, ...] = ()
    hours: tuple[Hour, ...] = ()

    @property
    def end(self) -> int:
        """The end of the window; of a job that goes on, up to when it is known."""
        window = self.record.window
        return window.end if window.end < OPEN else self.record.as_of

    @property
    def cell(self) -> Cell:
        """The additive vector of the record."""
        return self.record.cell


@dataclass(frozen=True, slots=True)
class OeeDocument:
    """The report: pages by machine in the order of the site file, then by time."""

    head: Head
    machines: tuple[MachinePage, ...]
    groups: tuple[Rollup, ...] = ()     # lines, areas, the site; none where only some machines are reported
