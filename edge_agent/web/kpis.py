"""What the API shows of KPIs: machines, lines, areas and the site at a glance, and the records last published."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from math import isnan
from typing import Any, Final

from edge_agent.api import Clock
from edge_agent.config import Site
from edge_agent.core import kpi
from edge_agent.core.board import board
from edge_agent.core.engine import Engine
from edge_agent.core.rollup import Rollup, Scope
from edge_agent.core.told import MACHINE, Record
from edge_agent.encode.kpi_record import kpi_record, number
from edge_agent.encode.rollup_record import rollup_record
from edge_agent.web.answers import Answer, Figures

SCOPES: Final = ("site", "area", "line")
_NEAR: Final = 5
_LIKENED: Final = 500
# Of windows that are open now, the one people mean when they ask how it is going.
MEANT: Final = ("shift", "production_day", "day", "hour")
# More machines than that are a list of their own (`/machines`), no part of a glance.
_AT_A_GLANCE: Final = 100


Shares = tuple[float | None, float | None]


class MachineRow(Figures):
    """A machine now."""

    line: str | None
    state: str
    reason: str | None
    since: str | None


class MachinesAnswer(Answer):
    """The machines, in the order of the site file."""

    machines: list[MachineRow]


class ScopeRow(Figures):
    """A line, an area or the site."""

    serial: bool
    """whether its machines work one after the other"""
    machines: list[str]
    """in the order of the flow, or of the site file"""


class ScopesAnswer(Answer):
    """Lines, or areas."""

    rows: list[ScopeRow]


class NotThere(LookupError):
    """Nothing of that name, or no such window now; `near`: names that may have been meant."""

    def __init__(self, error: str, near: Iterable[str] = ()) -> None:
        super().__init__(error)
        self.near = list(near)


class KpiView:
    """Reads what was published last and changes nothing; every method is quick and does no I/O."""

    def __init__(self, site: Site, engine: Engine, clock: Clock, iso: Callable[[int], str]) -> None:
        self._site = site
        self._engine = engine
        self._clock = clock
        self._iso = iso

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of windows that are reported."""
        return tuple(self._engine.kinds)

    def machines(self) -> MachinesAnswer:
        """Every machine at a glance."""
        records = {name: self.meant(MACHINE, name) for name in self._engine.machines}
        told = [record.cell for record in records.values() if record is not None]
        shown = board(told)     # of a thousand machines each fraction would be felt by those who wait
        figures = iter(zip(shown["oee"].tolist(), shown["data_coverage"].tolist(), strict=True))
        return MachinesAnswer(
            machines=[
                self._machine(name, record, (None, None) if record is None else next(figures))
                for name, record in records.items()
            ]
        )

    def scopes(self, kind: str) -> ScopesAnswer:
        """Every line, or every area."""
        return ScopesAnswer(rows=[self._scope(scope) for scope in self._of(kind)])

    def figures(self) -> list[Figures]:
        """The site, areas, lines and the first machines, each in one row."""
        whose = [(scope.kind, scope.id) for kind in SCOPES for scope in self._of(kind)]
        whose += [(MACHINE, name) for name in list(self._engine.machines)[:_AT_A_GLANCE]]
        return [Figures(**self._figures(*one)) for one in whose]

    def record(self, scope: str, name: str | None, kind: str, *, final: bool) -> dict[str, Any]:
        """The KPI record as last published; raises NotThere. The site needs no name."""
        name = self._known(scope, name)
        told = self._engine.told
        found = told.final(scope, name, kind) if final else told.open(scope, name, kind, self._clock())
        if found is None and final:
            raise NotThere(f"no {kind} has become final since the agent started")
        if found is None:
            every = self._site.kpi.every / kpi.SECOND
            raise NotThere(f"no {kind} is open now, or it has only begun: records are made every {every:g} s")
        return rollup_record(found) if isinstance(found, Rollup) else kpi_record(found)

    def meant(self, scope: str, name: str) -> Record | None:
        """The newest record of the open window that people mean when they ask how it is going; None: there is none."""
        now = self._clock()
        open_ones = (self._engine.told.open(scope, name, kind, now) for kind in MEANT)
        return next((record for record in open_ones if record is not None), None)

    def _of(self, kind: str) -> list[Scope]:
        return [scope for scope in self._engine.rollups.scopes.values() if scope.kind == kind]

    def _known(self, scope: str, name: str | None) -> str:
        known = list(self._engine.machines) if scope == MACHINE else [one.id for one in self._of(scope)]
        if name is None and known:
            return known[0]
        if name is None:
            raise NotThere("the site is rolled up where it has more than one machine")
        if name not in known:
            raise NotThere(f"there is no {scope} {name}", get_close_matches(name, known[:_LIKENED], _NEAR, 0.4))
        return name

    def _machine(self, name: str, record: Record | None, shares: Shares) -> MachineRow:
        machine = self._engine.machines[name]
        span = machine.shown(self._clock())
        return MachineRow(
            **self._row(MACHINE, name, record, shares),
            line=machine.spec.line or None,
            state=span.state.name,
            reason=span.reason or None,
            since=self._iso(span.start) if span.start else None,
        )

    def _scope(self, scope: Scope) -> ScopeRow:
        row = self._figures(scope.kind, scope.id)
        return ScopeRow(**row, serial=scope.serial is not None, machines=list(scope.machines))

    def _figures(self, scope: str, name: str) -> dict[str, Any]:
        record = self.meant(scope, name)
        if record is None:
            return self._row(scope, name, None, (None, None))
        values = kpi.kpis(record.cell)
        line = record.line if isinstance(record, Rollup) else None
        oee = values["oee"] if line is None else line.kpi["line_oee"]
        return self._row(scope, name, record, (number(oee), number(values["data_coverage"])))

    def _row(self, scope: str, name: str, record: Record | None, shares: Shares) -> dict[str, Any]:
        """`shares`: OEE and data coverage; NaN is undefined."""
        if record is None:
            nothing = dict.fromkeys(("window", "name", "start", "as_of", "oee", "data_coverage"))
            return {"scope": scope, "id": name, **nothing, "flags": []}
        oee, coverage = (None if share is None or isnan(share) else share for share in shares)
        return {
            "scope": scope,
            "id": name,
            "window": record.window.kind,
            "name": record.window.name,
            "start": self._iso(record.window.start),
            "as_of": self._iso(record.as_of),
            "oee": oee,
            "data_coverage": coverage,
            "flags": list(record.flags),
        }
