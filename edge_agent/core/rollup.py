"""Roll-ups: a line, an area or the site in one window, from the reports of its machines in that very window.

Everything is a sum of additive vectors (domain 2.2): Σ IGT / Σ PBT, Σ run / Σ PBT, Σ IPT / Σ run, Σ IGT / Σ IPT; never
a mean of ratios. A serial line has figures of its own besides (`core.lineup`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from edge_agent.core import kpi
from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.energy import ENERGY_INCOMPLETE
from edge_agent.core.ledger import Policy
from edge_agent.core.lineup import LineFigures, Serial, line_figures, plan_of
from edge_agent.core.report import Report, Window
from edge_agent.core.windows import calendar_windows

NOT_COMPARABLE: Final = "NOT_COMPARABLE"
"""Flag: members are judged by different rules, so their figures must not be ranked against each other."""

OWN: Final = frozenset({kpi.LOW_CONFIDENCE, kpi.NO_PLANNED_TIME})
"""Flags that the sum answers for itself; all others a sum can hide, so a member's is also the roll-up's."""

BY_SHIFTS: Final = ("shift", "production_day")

MEMBERS: Final = 200
"""Members that a roll-up shows one by one; where there are more, those with something to say go first."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is rolled up: `kind` is line, area or site; `machines` in the order of the flow or of the site file.

    `calendar`: whose shifts are its windows; None: it has no shifts. `rules`: by which each machine is judged.
    """

    kind: str
    id: str
    machines: tuple[str, ...]
    rules: Mapping[str, Policy]
    calendar: Calendar | None
    zone: str
    config_hash: str
    min_coverage: float = 0.9
    serial: Serial | None = None

    @property
    def key(self) -> str:
        """A name that no other scope of the site has."""
        return f"{self.kind}/{self.id}"

    def windows(self, kind: str, start: int, end: int) -> list[Window]:
        """Its windows of `kind` that overlap [start, end), oldest first; only a machine has jobs."""
        if self.calendar is None and kind in BY_SHIFTS:
            return []
        return calendar_windows(self.calendar or Calendar(self.zone, None), self.zone, kind, start, end)

    def tells_products(self, machine: str) -> bool:
        """Whether the pieces that leave a serial line come from this machine."""
        last = self.serial.stations[-1].machines if self.serial else ()
        return machine in [one.machine for one in last]

    def unlike(self) -> frozenset[str]:
        """Machines that are judged by other rules than most of the machines are (domain 2.2)."""
        rules = {machine: _rules(self.rules[machine]) for machine in self.machines}
        [(usual, _)] = Counter(rules.values()).most_common(1)
        return frozenset(machine for machine, rule in rules.items() if rule != usual)


def _rules(policy: Policy) -> tuple[object, ...]:
    """What moves A, P, Q or OEE by decision and not by what happened."""
    hold = policy.hold_max_ns if policy.unknown == "hold" else None
    told = policy.inferred, policy.unsorted
    return policy.micro_stop_ns, policy.unknown, policy.outside_plan, policy.no_order_planned, hold, told


@dataclass(frozen=True, slots=True)
class Rollup:
    """The figures of a scope in one window, as of an instant; `cell` is the sum of all its machines' cells.

    `members` are their reports of this window, `machines` how many there are, `unlike` which are not comparable.
    """

    kind: str
    id: str
    window: Window
    revision: int
    final: bool
    as_of: int
    config_hash: str
    cell: Cell
    machines: int
    members: tuple[Report, ...]
    unlike: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()
    line: LineFigures | None = None
    historical: bool = False
    """it has waited in the journal for the link"""


class Group(NamedTuple):
    """What is shown of machines taken together; of a serial line `constraint` says whose availability it is."""

    oee: Fraction | None
    availability: Fraction | None
    performance: Fraction | None
    quality: Fraction | None
    total: int
    good: int
    coverage: Fraction | None
    constraint: str = ""


def group(rollup: Rollup) -> Group:
    """The figures of a roll-up."""
    v = kpi.kpis(rollup.cell)
    line = rollup.line
    if line is None:
        return Group(
            v["oee"], v["availability_classic"], v["performance_classic"], v["quality_count"],
            rollup.cell.pq, rollup.cell.gq, v["data_coverage"],
        )  # fmt: skip
    return Group(
        line.kpi["line_oee"], line.kpi.get("availability_classic"), line.kpi.get("performance_classic"),
        line.kpi.get("line_quality_rty"), line.entered, line.good, v["data_coverage"], line.constraint,
    )  # fmt: skip


def roll_up(scope: Scope, window: Window, reports: Sequence[Report], revision: int = 0) -> Rollup:
    """The reports of all its machines in this window, in any order, added up.

    It is final when all are, and as of the earliest; once final, as of the latest. ValueError unless there is one
    report of each machine, and all are of the same instants.
    """
    by_name = {report.machine: report for report in reports}
    if len(reports) != len(scope.machines) or set(by_name) != set(scope.machines):
        raise ValueError(f"{scope.key} needs one report of each of {', '.join(scope.machines)}")
    if any((one.window.start, one.window.end) != (window.start, window.end) for one in reports):
        raise ValueError(f"{scope.key}: reports of other instants than {window.start} to {window.end}")
    ordered = [by_name[machine] for machine in scope.machines]
    cell = sum((one.cell for one in ordered), Cell())
    final = all(one.final for one in ordered)
    as_of = (max if final else min)(one.as_of for one in ordered)
    line = None
    if scope.serial is not None:
        assert scope.calendar is not None, "a serial line has a calendar"
        plan = plan_of(scope.calendar, window.start, min(window.end, as_of))
        cells = {name: report.cell for name, report in by_name.items()}
        line = line_figures(scope.serial, plan, cells, _out(scope.serial, by_name), window.start)
    unlike = scope.unlike()
    return Rollup(
        scope.kind,
        scope.id,
        window,
        revision,
        final,
        as_of,
        scope.config_hash,
        cell,
        len(ordered),
        tuple(ordered if scope.serial else _shown(ordered, unlike)),
        unlike,
        _flags(scope, cell, ordered, unlike, line),
        line,
    )


def _out(serial: Serial, reports: Mapping[str, Report]) -> dict[str, Cell]:
    """What the last station made, by product; '' where it does not tell."""
    found: dict[str, Cell] = {}
    for one in serial.stations[-1].machines:
        report = reports[one.machine]
        for product, cell in (report.products or {"": report.cell}).items():
            found[product] = found.get(product, Cell()) + cell
    return found


def _shown(reports: list[Report], unlike: frozenset[str]) -> list[Report]:
    if len(reports) <= MEMBERS:
        return reports
    return sorted(reports, key=lambda one: not one.flags and one.machine not in unlike)[:MEMBERS]


def _flags(
    scope: Scope, cell: Cell, reports: Sequence[Report], unlike: frozenset[str], line: LineFigures | None
) -> tuple[str, ...]:
    """Those of the sum, then those of members that a sum can hide, in the order of `kpi.flags`, then our own."""
    raised = kpi.flags(cell, scope.min_coverage)
    if line is not None:
        raised = [flag for flag in raised if flag != kpi.NO_PLANNED_TIME]
        raised += [] if line.plan.pbt or not line.plan.ct else [kpi.NO_PLANNED_TIME]
        raised += [kpi.PRU_MISSING] if line.ideal is None else []
        oee = line.kpi["line_oee"]
        raised += [kpi.PERFORMANCE_GT_1] if oee is not None and oee > 1 else []
    metered = sum(one.cell.energy.metered > 0 for one in reports)
    raised += [ENERGY_INCOMPLETE] if 0 < metered < len(reports) else []
    carried = [flag for one in reports for flag in one.flags if flag not in OWN]
    return tuple(dict.fromkeys([*raised, *carried, *([NOT_COMPARABLE] if unlike else [])]))
