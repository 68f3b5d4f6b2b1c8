"""KPIs: pure functions of one cell, exact fractions, `None` where they are not defined.

Formulas are those of ISO 22400-2 (domain 1.2, as carried by a public ontology) and of classic OEE
(domain 1.3). Ratios are computed here and only here, after everything has been added up.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from edge_agent.core.cell import Cell
from edge_agent.core.energy import ENERGY_INCOMPLETE, energy_bounds

SECOND: Final = 1_000_000_000
MIN_COVERAGE: Final = Fraction(9, 10)

COUNTS: Final = ("pq", "gq", "sq", "rq")            # pieces: total, good, scrap, rework

PERFORMANCE_GT_1: Final = "PERFORMANCE_GT_1"        # ideal cycle too slow, or run time missing
COUNT_WITHOUT_RUN: Final = "COUNT_WITHOUT_RUN"      # pieces but never RUN: the state signal is broken
LOW_CONFIDENCE: Final = "LOW_CONFIDENCE"            # data coverage below the minimum, or pieces inferred
PRU_MISSING: Final = "PRU_MISSING"                  # pieces without an ideal cycle
NO_PLANNED_TIME: Final = "NO_PLANNED_TIME"          # nothing was planned: no OEE
COUNT_SKEW: Final = "COUNT_SKEW"                    # more scrap and rework than pieces, or negative counts
MAINT_IN_PLAN: Final = "MAINT_IN_PLAN"              # preventive maintenance inside planned busy time
PRU_ESTIMATED: Final = "PRU_ESTIMATED"              # pieces whose ideal cycle was measured, not engineered
RUN_WITHOUT_COUNT: Final = "RUN_WITHOUT_COUNT"      # it ran for long and made nothing: the counter is broken
QUALITY_ASSUMED: Final = "QUALITY_ASSUMED"          # nobody tells bad pieces from good: all are taken for good
TIME_REPLACED: Final = "TIME_REPLACED"              # source times that could not be true, such as in the future


def ratio(numerator: Fraction | int, denominator: Fraction | int) -> Fraction | None:
    """The exact quotient; `None` if there is nothing to divide by."""
    if not denominator:
        return None
    return Fraction(numerator, denominator)


def kpis(cell: Cell) -> dict[str, Fraction | None]:
    """Every ratio of a cell under its name in the golden file; undefined is `None`, never 0.

    OEE is Σ(ideal cycle x good) / planned busy time, so it is 0, not `None`, whenever time was
    planned and nothing good came out. Performance may exceed 1. With pieces whose ideal cycle is
    unknown, whatever needs it is `None`.
    """
    run = cell.apt + cell.credited
    setup_and_run = run + cell.aust
    busy = setup_and_run + cell.adet
    ipt, igt = _ideals(cell)
    pbt, pq = cell.pbt, cell.pq
    oee = _over(igt, pbt)
    return {
        "availability_classic": ratio(run + cell.micro, pbt),
        "performance_classic": _over(ipt, run + cell.micro),
        "availability_iso": ratio(run, pbt),
        "effectiveness_iso": _over(ipt, run),
        "quality_count": ratio(cell.gq, pq),
        "quality_time": None if ipt is None or igt is None else ratio(igt, ipt),
        "oee": oee,
        "ooe": _over(igt, cell.pot),
        "teep": _over(igt, cell.ct),
        "nee": None if oee is None else _times(oee, setup_and_run, run),
        "utilization_efficiency": ratio(run, busy),
        "allocation_efficiency": ratio(busy, pbt),
        "technical_efficiency": ratio(run, run + cell.adet),
        "setup_ratio": ratio(cell.aust, setup_and_run),
        "scrap_ratio": ratio(cell.sq, pq),
        "rework_ratio": ratio(cell.rq, pq),
        "first_pass_yield": ratio(cell.gp, cell.ip),
        "data_coverage": coverage(cell),
    }


def figures(cell: Cell) -> dict[str, Fraction | int | None]:
    """Every ratio and count of a cell, under its name in the KPI record."""
    return {**kpis(cell), **{name: getattr(cell, name) for name in COUNTS}}


def coverage(cell: Cell) -> Fraction | None:
    """Share of the planned busy time with data, whatever the policy for the rest (domain 2.6)."""
    planned = cell.planned
    return ratio(planned - cell.unk_raw, planned)


def capped(cell: Cell) -> dict[str, Fraction | None]:
    """Performance and quality limited to what can be (0 to 1), and the OEE that goes with them.

    A second opinion beside the real figures, which are never touched; equal to them unless `flags` says otherwise.
    """
    values = kpis(cell)
    performance, quality, oee = (values[name] for name in ("performance_classic", "quality_count", "oee"))
    limited = _limited(performance)
    if performance is not None and oee is not None:
        scale = limited / performance if limited is not None and performance > 0 else Fraction(performance == 0)
        oee = _limited(oee * scale)
    return {"performance_capped": limited, "quality_capped": _limited(quality), "oee_with_capped_performance": oee}


def _limited(value: Fraction | None) -> Fraction | None:
    return None if value is None else min(max(value, Fraction(0)), Fraction(1))


def bounds(cell: Cell, *, counter_persists: bool = True) -> dict[str, tuple[Fraction, Fraction]]:
    """What the KPIs could be, given that the time without data may have been all stop or all run.

    With a counter that lives on through the gap the OEE is exact and only its split into
    availability and performance is open; with a lost counter the OEE lies between "nothing good
    was made in the gap" and "only good pieces at ideal speed" (domain 2.6). Undefined KPIs are
    left out. For the energy see `core.energy.energy_bounds`.
    """
    planned = cell.pbt + cell.excluded
    known_run = cell.apt - cell.held
    ipt, igt = (None if ideal is None else ideal * SECOND for ideal in _ideals(cell))
    found: dict[str, tuple[Fraction, Fraction]] = energy_bounds(cell.energy)
    if not planned:
        return found
    found["availability"] = Fraction(known_run, planned), Fraction(known_run + cell.unk_raw, planned)
    if ipt is not None and known_run:
        found["performance"] = Fraction(ipt) / (known_run + cell.unk_raw), Fraction(ipt) / known_run
    if igt is None:
        return found
    if counter_persists and not cell.excluded:
        found["oee"] = Fraction(igt) / planned, Fraction(igt) / planned
        return found
    sure = igt - cell.igt_gap * SECOND
    found["oee"] = Fraction(sure) / planned, Fraction(sure + cell.unk_raw) / planned
    return found


def flags(cell: Cell, min_coverage: Fraction | float = MIN_COVERAGE, patience: int | None = None) -> list[str]:
    """What a reader must know before trusting the figures; a closed list, in a fixed order.

    `patience`: so long, ns, the machine may run without a piece; None: for ever.
    """
    performance = _over(_ideals(cell)[0], cell.apt + cell.credited + cell.micro)
    covered = coverage(cell)
    preventive_in_plan = cell.maint - (cell.cmt - cell.adet_fault)
    raised = (
        (PERFORMANCE_GT_1, performance is not None and performance > 1),
        (COUNT_WITHOUT_RUN, cell.pq > 0 and cell.pbt > 0 and cell.apt + cell.credited == 0),
        (LOW_CONFIDENCE, (covered is not None and covered < min_coverage) or cell.inferred != 0),
        (PRU_MISSING, cell.unrated != 0),
        (NO_PLANNED_TIME, cell.ct > 0 and cell.pbt == 0),
        (COUNT_SKEW, min(cell.pq, cell.gq, cell.sq, cell.rq) < 0 or cell.gp > cell.ip),
        (MAINT_IN_PLAN, preventive_in_plan > 0),
        (PRU_ESTIMATED, cell.estimated != 0),
        (RUN_WITHOUT_COUNT, patience is not None and cell.pq == 0 and cell.apt > patience),
        (QUALITY_ASSUMED, cell.unsorted != 0),
        (TIME_REPLACED, cell.n_clock > 0),
        (ENERGY_INCOMPLETE, cell.energy.unmetered > 0),
    )
    return [name for name, is_so in raised if is_so]


def waterfall(cell: Cell) -> dict[str, Fraction]:
    """Where planned busy time went, seconds; the values add up to it exactly (domain 1.3).

    `speed` is negative where performance exceeds 1.
    """
    run = Fraction(cell.apt + cell.credited, SECOND)
    return {
        "good": cell.igt,
        "quality": cell.ipt - cell.igt,
        "speed": run - cell.ipt,
        "micro": Fraction(cell.micro, SECOND),
        "setup": Fraction(cell.aust, SECOND),
        "fault": Fraction(cell.adet_fault, SECOND),
        "other": Fraction(cell.adet_other, SECOND),
        "maint": Fraction(cell.maint, SECOND),
        "no_order": Fraction(cell.adot, SECOND),
        "unknown": Fraction(cell.unk - cell.excluded - cell.credited, SECOND),
    }


def _ideals(cell: Cell) -> tuple[Fraction | None, Fraction | None]:
    """Ideal time of total and good pieces, s; `None` where pieces without an ideal cycle spoil it."""
    if not cell.unrated:
        return cell.ipt, cell.igt
    return None, Fraction(0) if cell.gq == 0 else None


# Each of these is one reduction, where arithmetic with fractions would be two or three.


def _over(ideal: Fraction | None, time_ns: int) -> Fraction | None:
    """An ideal time, s, over a time."""
    if ideal is None or not time_ns:
        return None
    return Fraction(ideal.numerator * SECOND, ideal.denominator * time_ns)


def _times(value: Fraction, numerator: int, denominator: int) -> Fraction | None:
    if not denominator:
        return None
    return Fraction(value.numerator * numerator, value.denominator * denominator)
