"""Serial lines: stations one after the other, of which the slowest sets the pace (domain 2.2).

What a line is worth is what leaves it: good pieces of the last station, at the line's design cycle, over the planned
busy time of the line's own calendar. Time losses are those of the constraint; a mean over stations means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, NamedTuple

from edge_agent.core.calendar import Calendar, FixedCalendar
from edge_agent.core.cell import NO_IDEAL, Cell
from edge_agent.core.kpi import SECOND, kpis, ratio
from edge_agent.core.rates import Rates, Versions
from edge_agent.core.tiles import BUSY, CalendarKind
from edge_agent.core.yields import first_pass_yield, rolled_throughput_yield

OF_CONSTRAINT: Final = ("availability_classic", "performance_classic", "availability_iso", "effectiveness_iso")
"""KPIs of the constraint that a line has as its own."""


@dataclass(frozen=True, slots=True)
class Cycles:
    """A machine of a line with its ideal cycles, seconds: by product, or `every` for all products.

    `versions` are those that are valid from a later time on, as in `core.rates`.
    """

    machine: str
    every: Fraction | None = None
    products: Mapping[str, Fraction] = field(default_factory=dict)
    versions: Versions = field(default_factory=dict)

    def ideal(self, product: str, at: int = 0) -> Fraction | None:
        """That of a product in pieces reported `at`, ns UTC; None if it is not known."""
        first = self.products.get(product, self.every)
        if first is None or not self.versions:
            return first
        return Rates(self.versions).ideal(product if product in self.products else "", at, first)


@dataclass(frozen=True, slots=True)
class Station:
    """One machine, or several side by side that share the work."""

    machines: tuple[Cycles, ...]

    @property
    def name(self) -> str:
        """`press-1`, or `press-1+press-2`."""
        return "+".join(one.machine for one in self.machines)

    def ideal(self, product: str, at: int = 0) -> Fraction | None:
        """Its ideal cycle: that of the machine, or what those side by side reach together; None if one is not known."""
        rate = NO_IDEAL
        for one in self.machines:
            cycle = one.ideal(product, at)
            if cycle is None:
                return None
            rate += 1 / cycle
        return 1 / rate


class Pace(NamedTuple):
    """What sets the pace for a product: the constraint ('' if not known) and the design cycle, seconds."""

    station: str = ""
    cycle: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Serial:
    """The stations in the order of the flow; `constraint` and `design` as the site file names them, if it does."""

    stations: tuple[Station, ...]
    constraint: str = ""
    design: Fraction | None = None

    @property
    def products(self) -> list[str]:
        """All that any station tells apart, sorted."""
        return sorted({product for station in self.stations for one in station.machines for product in one.products})

    def pace(self, product: str, at: int = 0) -> Pace:
        """Of pieces reported `at`: the constraint is the one named, or the slowest for them (of equals the first).

        A product that the last station does not tell ('') has the pace of all, if they have one.
        """
        if not product and self.products:
            paces = {self.pace(known, at) for known in self.products}
            return paces.pop() if len(paces) == 1 else Pace(self.constraint, self.design)
        ideals = {station.name: station.ideal(product, at) for station in self.stations}
        if self.constraint:
            return Pace(self.constraint, self.design or ideals[self.constraint])
        known = {name: ideal for name, ideal in ideals.items() if ideal is not None}
        if len(known) < len(ideals):
            return Pace("", self.design)
        slowest = max(known, key=lambda name: known[name])
        return Pace(slowest, self.design or known[slowest])


class Plan(NamedTuple):
    """What a calendar planned of a stretch of time, ns; `ct` is all of it."""

    ct: int = 0
    nst: int = 0
    pdot: int = 0
    pbt: int = 0


def plan_of(calendar: Calendar | FixedCalendar, start: int, end: int) -> Plan:
    """The plan of [start, end)."""
    times = dict.fromkeys(CalendarKind, 0)
    for span in calendar.spans(start, end):
        times[span.kind] += span.end - span.start
    down = times[CalendarKind.PLANNED_DOWN]
    return Plan(max(end - start, 0), times[CalendarKind.NON_SCHEDULED], down, times[BUSY])


@dataclass(frozen=True, slots=True)
class LineFigures:
    """What a serial line did in a window.

    `plan`, `entered`, `good` (pieces that left it) and `ideal` (Σ design cycle x good, seconds; None: some of a
    product whose design cycle is not known) are additive, so a shift is the sum of its hours.
    """

    plan: Plan
    entered: int
    good: int
    ideal: Fraction | None
    constraint: str
    kpi: Mapping[str, Fraction | None]
    stations: Mapping[str, Mapping[str, Fraction | None]]


def line_figures(
    serial: Serial, plan: Plan, machines: Mapping[str, Cell], out: Mapping[str, Cell], start: int = 0
) -> LineFigures:
    """`machines` has the cell of each machine of the line, `out` the last station's by product, from `start` on.

    Of ideal cycles that are valid by date, those of the window's start count for all of it.
    Pieces on their way are not known: over short windows fewer or more may leave the line than enter it.
    """
    cells = {
        station.name: sum((machines[one.machine] for one in station.machines), Cell()) for station in serial.stations
    }
    first, last = cells[serial.stations[0].name], cells[serial.stations[-1].name]
    paces = {product: serial.pace(product, start + 1) for product in (*out, *serial.products, "")}
    ideal = _ideal(paces, out)
    constraint = serial.constraint or _constraint(paces, out)
    paced = kpis(cells[constraint]) if constraint else {}
    return LineFigures(
        plan=plan,
        entered=first.pq,
        good=last.gq,
        ideal=ideal,
        constraint=constraint,
        kpi={
            "line_oee": None if ideal is None else ratio(ideal * SECOND, plan.pbt),
            "constraint_oee": paced.get("oee"),
            **{name: paced.get(name) for name in OF_CONSTRAINT},
            "line_quality": ratio(last.gq, first.pq),
            "line_quality_rty": rolled_throughput_yield(map(first_pass_yield, cells.values())),
        },
        stations={
            name: {
                "oee": kpis(cell)["oee"],
                "first_pass_yield": first_pass_yield(cell),
                "fall_off_ratio": ratio(cell.sq, first.pq),
            }
            for name, cell in cells.items()
        },
    )


def _ideal(paces: Mapping[str, Pace], out: Mapping[str, Cell]) -> Fraction | None:
    total = NO_IDEAL
    for product, cell in out.items():
        cycle = paces[product].cycle
        if cycle is None and cell.gq:
            return None
        total += (cycle or 0) * cell.gq
    return total


def _constraint(paces: Mapping[str, Pace], out: Mapping[str, Cell]) -> str:
    """The station that set the pace for most of the time; of a line that made nothing, for the slowest product."""
    load: dict[str, Fraction] = {}
    for product, cell in out.items():
        station, cycle = paces[product]
        load[station] = load.get(station, NO_IDEAL) + (cycle or 0) * cell.pq
    load.pop("", None)
    if any(load.values()):
        return max(load, key=lambda name: load[name])
    known = [pace for pace in paces.values() if pace.station]
    return max(known, key=lambda pace: pace.cycle or 0).station if known else ""
