"""Which window of a machine a request is about, and the report on it: the one last published, where there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final
from zoneinfo import ZoneInfo

from edge_agent.api import Clock
from edge_agent.config import Site
from edge_agent.core.engine import Engine
from edge_agent.core.ledger import Ledger
from edge_agent.core.machine import Machine
from edge_agent.core.report import OPEN, Report, Window
from edge_agent.core.reporting import report_of
from edge_agent.core.slices import Slice
from edge_agent.core.told import MACHINE
from edge_agent.core.wall import DAY, HOUR, day_at
from edge_agent.core.windows import KINDS
from edge_agent.encode.kpi_record import iso, window_record
from edge_agent.web.answers import Answer
from edge_agent.web.kpis import MEANT, NotThere
from edge_agent.web.times import Times, Wrong

NOW: Final = "now"
SPAN: Final = "span"
# A window of the past is looked for so far back: longer than works holidays.
BACK_NS: Final = 40 * DAY
# A stretch of one's own choosing: a week, which is what is remembered as a rule.
LONGEST_NS: Final = 8 * DAY
# Slices that are made between two looks at who else wants something: some milliseconds.
_AT_ONCE: Final = 500
_NEAR: Final = 5
_LIKENED: Final = 500


class WindowAnswer(Answer):
    """The window that is told of."""

    kind: str
    name: str
    """of a shift its name, of a job its product"""
    start: str
    end: str | None
    """null: nobody knows yet"""
    production_date: str
    order: str | None = None


class Looked(Answer):
    """What is told of a machine in a window."""

    machine: str
    window: WindowAnswer
    as_of: str
    """how far it is known: nothing later is in the figures"""
    final: bool
    since: str
    """from here on what is behind the figures is still in memory; as a rule the start of the window"""
    flags: list[str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A window of a machine, and the report on it; the facts of [since, until) are in memory, ns UTC."""

    machine: Machine
    window: Window
    report: Report
    since: int
    until: int

    @property
    def ledger(self) -> Ledger:
        """Where its facts are."""
        return self.machine.ledger

    @property
    def as_of(self) -> int:
        """Nothing later is known."""
        return self.report.as_of

    async def slices(self) -> list[Slice]:
        """What the times of the report consist of; a week of a machine that often stops takes a while, and readers
        come first."""
        found = []
        for one in self.ledger.slices(self.since, self.until, self.as_of):
            found.append(one)
            if not len(found) % _AT_ONCE:
                await asyncio.sleep(0)
        return found

    def head(self, iso_of: Callable[[int], str]) -> dict[str, Any]:
        """What every answer about it begins with: the fields of `Looked`."""
        zone = ZoneInfo(self.window.zone)
        return {
            "machine": self.machine.spec.id,
            "window": window_record(self.window, zone),
            "as_of": iso(self.as_of, zone),
            "final": self.report.final,
            "since": iso_of(self.since),
            "flags": list(self.report.flags),
        }


class Windows:
    """Chooses; reads the engine and changes nothing."""

    def __init__(self, site: Site, engine: Engine, clock: Clock, times: Times) -> None:
        self._engine = engine
        self._clock = clock
        self._times = times
        self._watermark = site.kpi.watermark

    def machine(self, name: str) -> Machine:
        """The machine of that name; raises NotThere."""
        machine = self._engine.machines.get(name)
        if machine is None:
            near = get_close_matches(name, list(self._engine.machines)[:_LIKENED], _NEAR, 0.4)
            raise NotThere(f"there is no machine {name}", near)
        return machine

    def choose(self, name: str, asked: str, back: int) -> Chosen:
        """`asked`: `now` (the open shift, else day or hour), a kind, or START/END; `back`: how many before that one.

        Raises NotThere, and Wrong for what is no window.
        """
        machine = self.machine(name)
        if "/" in asked:
            return self._chosen(machine, self._stretch(machine, asked))
        if asked != NOW and asked not in KINDS:
            raise Wrong(f"window: {asked[:40]!r} is none; write {NOW}, {', '.join(KINDS)}, or START/END")
        kind = self._open_kind(machine) if asked == NOW else asked
        found = self._of(machine, kind, back)
        if found is None:
            raise NotThere(f"no {kind} is open now" if not back else f"there is no {kind} so far back")
        return self._chosen(machine, found)

    def _open_kind(self, machine: Machine) -> str:
        """Which of the reported kinds is open, as the overview shows it."""
        kinds = [kind for kind in MEANT if kind in self._engine.kinds] or list(MEANT)
        return next((kind for kind in kinds if self._of(machine, kind, 0) is not None), kinds[0])

    def _of(self, machine: Machine, kind: str, back: int) -> Window | None:
        now = self._clock()
        longest = min((back + 1) * HOUR, BACK_NS) if kind == "hour" else BACK_NS
        windows = self._engine.windows(machine, kind, now - (longest if back else 0), now + 1)
        if not back:
            return next((one for one in reversed(windows) if one.start <= now < one.end), None)
        ended = [one for one in windows if one.end <= now]
        return ended[-back] if back <= len(ended) else None

    def _stretch(self, machine: Machine, asked: str) -> Window:
        first, _, last = asked.partition("/")
        start, end = self._times.instant("window", first), self._times.instant("window", last)
        if not start < end <= start + LONGEST_NS:
            raise Wrong(f"window: END must be after START, by {LONGEST_NS // DAY} days at most")
        zone = machine.spec.zone
        return Window(SPAN, SPAN, start, end, day_at(start, ZoneInfo(zone)), zone)

    def _chosen(self, machine: Machine, window: Window) -> Chosen:
        now = self._clock()
        report = self._published(machine, window, now) or self._fresh(machine, window, now)
        until = min(window.end, report.as_of)
        since = min(max(window.start, machine.ledger.remembered_from or window.start), max(window.start, until))
        return Chosen(machine, window, report, since, until)

    def _published(self, machine: Machine, window: Window, now: int) -> Report | None:
        """As last published, so that all that is shown of the window at one time agrees."""
        told = self._engine.told
        for found in (
            told.open(MACHINE, machine.spec.id, window.kind, now),
            told.final(MACHINE, machine.spec.id, window.kind),
        ):
            if not isinstance(found, Report):
                continue
            same = (found.window.start, found.window.end) == (window.start, window.end)
            if same and (found.final or now < window.end):
                return found
        return None

    def _fresh(self, machine: Machine, window: Window, now: int) -> Report:
        floor = machine.ledger.remembered_from
        if floor is not None and window.start < floor:
            since = self._times.iso(floor)
            raise NotThere(f"what was before {since} is not in memory any more; edge-agent report reads the journal")
        due = window.end + self._watermark
        known = self._engine.known_until(machine, now)
        return report_of(machine, window, min(known, due), final=window.end < OPEN and known >= due)
