"""What the API tells of pieces and energy: the production curve against the plan, cycle times, energy by hour."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any, Final

from edge_agent.api import Clock
from edge_agent.core import catalog, kpi
from edge_agent.core.behind import allowed, curve, ideal_of, jobs, planned
from edge_agent.core.cell import Cell
from edge_agent.core.cycles import FAST, Histogram
from edge_agent.core.energy import GROUPS
from edge_agent.core.machine import Machine
from edge_agent.core.quantity import SECOND
from edge_agent.encode.kpi_record import number
from edge_agent.web.answers import Answer
from edge_agent.web.chosen import Chosen, Looked, Windows
from edge_agent.web.losses import Bounds, Number
from edge_agent.web.times import Times

# Bars that a picture has room for.
BARS: Final = 60
# A page shows the last of them.
JOBS: Final = 200
HOURS: Final = 24 * 7
# Production curves of so many machines are kept: each costs some tens of milliseconds, and is asked for by every page.
CURVES: Final = 100


class PointAnswer(Answer):
    """Pieces since the beginning of the window, and how many the ideal cycle would have allowed."""

    time: str
    total: int
    good: int
    ideal: Number | None
    """null: nobody knows the ideal cycle"""


class JobAnswer(Answer):
    """What was made of one product, for one order."""

    start: str
    end: str | None
    """null: it goes on"""
    product: str | None
    order: str | None
    total: int
    good: int
    oee: Number | None


class ProductionAnswer(Looked):
    """Pieces of a window against what its planned busy time allows."""

    total: int
    good: int
    scrap: int
    rework: int
    ideal_cycle_s: Number | None
    """the mean of what was made; of the present product where nothing was"""
    target: Number | None
    """pieces that the planned busy time so far allows"""
    target_end: Number | None
    """that the whole window allows, as it is planned"""
    points: list[PointAnswer]
    jobs: list[JobAnswer]
    """the last 200; none where nobody tells what is made"""


class Bar(Answer):
    """Pieces that took from `low_s` to `high_s`."""

    low_s: float
    high_s: float
    n: int


class ProductCycles(Answer):
    """How long a piece of one product took: strokes of which nothing interrupted the machine, per piece."""

    product: str
    """"" for a machine that has no job tag"""
    cycles: int
    """strokes measured; the latest, which may still be corrected, are not among them"""
    median_s: float
    p5_s: float
    """5th percentile: 5 % were faster"""
    best_s: float
    """the fastest"""
    ideal_s: Number | None
    """by which pieces are rated now; null: nobody gives one, and none is estimated"""
    estimate_s: float | None
    """the ideal cycle estimated from the first 200; it never changes, and counts where nobody gives one"""
    estimated_since: str | None
    in_use: bool
    """pieces are rated by the estimate"""
    histogram: list[Bar]
    """at most 60 bars, shortest first, those without pieces left out"""


class CyclesAnswer(Answer):
    """The cycles of a machine, by product, since the agent has known it."""

    machine: str
    products: list[ProductCycles]


class EnergyHour(Answer):
    """A clock hour of the window, or the part of it that lies in the window."""

    start: str
    end: str
    wh: dict[str, Number | None]
    """e_run, e_idle, e_off, e_other; null: nothing was measured"""
    good: int


class EnergyAnswer(Looked):
    """Energy of a window, by what the machine was doing meanwhile."""

    metered: bool
    """false: the machine has no energy meter, and all else is empty"""
    wh: dict[str, Number | None]
    kpi: dict[str, Number | None]
    bounds: dict[str, Bounds]
    carbon: dict[str, Any]
    """what a kWh stands for: factors with region, year and source"""
    hours: list[EnergyHour]


class MakingView:
    """Reads ledgers and changes nothing; what takes long lets others in between."""

    def __init__(self, windows: Windows, times: Times, clock: Clock) -> None:
        self._windows = windows
        self._clock = clock
        self._times = times
        self._curves: dict[tuple[str, int, int], tuple[int, list[PointAnswer]]] = {}

    async def production(self, name: str, window: str, back: int) -> ProductionAnswer:
        """Pieces against the plan."""
        chosen = self._windows.choose(name, window, back)
        cell, ledger = chosen.report.cell, chosen.ledger
        ideal = ideal_of(chosen.machine, cell, chosen.until)
        return ProductionAnswer(
            **chosen.head(self._times.iso),
            total=cell.pq,
            good=cell.gq,
            scrap=cell.sq,
            rework=cell.rq,
            ideal_cycle_s=number(ideal),
            target=number(allowed(cell.pbt, ideal)),
            target_end=number(allowed(planned(ledger, chosen.window), ideal)),
            points=await self._points(chosen, ideal),
            jobs=[
                JobAnswer(
                    start=self._times.iso(one.start),
                    end=None if one.end >= chosen.until and not chosen.report.final else self._times.iso(one.end),
                    product=one.product or None,
                    order=one.order or None,
                    total=one.cell.pq,
                    good=one.cell.gq,
                    oee=number(kpi.kpis(one.cell)["oee"]),
                )
                for one in jobs(ledger, chosen.since, chosen.until, chosen.as_of)[-JOBS:]
            ],
        )

    async def _points(self, chosen: Chosen, ideal: Fraction | None) -> list[PointAnswer]:
        """Of one window of a machine made once for each record of it."""
        key = chosen.machine.spec.id, chosen.since, chosen.window.end
        kept = self._curves.get(key)
        if kept is not None and kept[0] == chosen.as_of:
            return kept[1]
        found = []
        for point in curve(chosen.ledger, chosen.since, chosen.until, chosen.as_of, ideal):
            time, ideal_now = self._times.iso(point.time), number(point.ideal)
            found.append(PointAnswer(time=time, total=point.total, good=point.good, ideal=ideal_now))
            await asyncio.sleep(0)      # readers come first
        self._curves.pop(key, None)
        self._curves[key] = chosen.as_of, found
        while len(self._curves) > CURVES:
            del self._curves[next(iter(self._curves))]
        return found

    def cycles(self, name: str) -> CyclesAnswer:
        """How long the pieces of a machine took, by product."""
        machine = self._windows.machine(name)
        return CyclesAnswer(
            machine=name, products=[self._cycles(machine, product) for product in sorted(machine.cycles.of)]
        )

    def _cycles(self, machine: Machine, product: str) -> ProductCycles:
        held, units = machine.cycles.of[product], machine.units(product)
        since, estimate = machine.ledger.estimates.get(product, (None, None))
        in_use = estimate is not None and machine.spec.policy.estimates and not machine.is_rated(product)
        return ProductCycles(
            product=product,
            cycles=held.n,
            median_s=held.quantile(Fraction(1, 2)) / units / SECOND,
            p5_s=held.quantile(FAST) / units / SECOND,
            best_s=held.best / units / SECOND,
            ideal_s=number(estimate if in_use else machine.ideal(product, self._clock())),
            estimate_s=None if estimate is None else float(estimate),
            estimated_since=self._times.or_null(since),
            in_use=in_use,
            histogram=_bars(held, units),
        )

    async def energy(self, name: str, window: str, back: int) -> EnergyAnswer:
        """By hour and in all."""
        chosen = self._windows.choose(name, window, back)
        cell = chosen.report.cell
        values = catalog.energy_values(cell)
        return EnergyAnswer(
            **chosen.head(self._times.iso),
            metered=bool(chosen.machine.spec.meters),
            wh=_wh(cell),
            kpi={key: number(value) for key, value in values.items()},
            bounds={
                key: Bounds(low=float(low), high=float(high))
                for key, (low, high) in kpi.bounds(cell).items() if key in values
            },
            carbon=dict(chosen.report.carbon),
            hours=await self._hours(chosen) if chosen.machine.spec.meters else [],
        )  # fmt: skip

    async def _hours(self, chosen: Chosen) -> list[EnergyHour]:
        found = []
        for one in chosen.ledger.calendar.hours(chosen.since, chosen.until)[-HOURS:]:
            low, high = max(one.start, chosen.since), min(one.end, chosen.until)
            if low >= high:
                continue
            cell = chosen.ledger.part(low, high, chosen.as_of)
            start, end = self._times.iso(low), self._times.iso(high)
            found.append(EnergyHour(start=start, end=end, wh=_wh(cell), good=cell.gq))
            await asyncio.sleep(0)
        return found


def _wh(cell: Cell) -> dict[str, Number | None]:
    known = catalog.energy_elements(cell) if cell.energy.metered else {}
    return {group: number(known.get(group)) for group in (*GROUPS, "e_total")}


def _bars(held: Histogram, units: int) -> list[Bar]:
    return [
        Bar(low_s=low / units / SECOND, high_s=high / units / SECOND, n=n) for low, high, n in held.bars(BARS)
    ]
