"""The catalogue of KPIs: what each is made of, so that whoever reads a value can compute it again.

A formula is plain arithmetic over the names of the KPI record: times in seconds, counts, ideal times
(domain 1.2, 1.3). Each KPI may be had with its inputs; a division by nothing leaves it undefined.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, Literal, NamedTuple

from edge_agent.core import cell as cells
from edge_agent.core.cell import Cell
from edge_agent.core.energy import GROUPS, WH, energy_kpis
from edge_agent.core.kpi import SECOND, kpis, ratio
from edge_agent.core.reliability import order_kpis, reliability_of
from edge_agent.core.semi import e10_kpis, e10_times

RUN: Final = "(apt + credited)"
RUN_AND_SETUP: Final = "(apt + credited + aust)"
DELAYS: Final = "micro + adet_fault + adet_other + maint"
BUSY: Final = f"(apt + credited + aust + {DELAYS})"


class Definition(NamedTuple):
    """One KPI. `better`: which way is good; `unit` "1" is a plain ratio, "s" seconds; `source` the standard."""

    name: str
    formula: str
    better: Literal["higher", "lower", ""]
    source: str = "ISO 22400-2"
    unit: str = "1"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names in the formula, in their order."""
        return tuple(dict.fromkeys(re.findall(r"[A-Za-z]\w*", self.formula)))


CLASSIC: Final = "Nakajima"
OURS: Final = ""

DEFINITIONS: Final = (
    Definition("oee", "igt / pbt", "higher"),
    Definition("availability_classic", "(apt + credited + micro) / pbt", "higher", CLASSIC),
    Definition("performance_classic", "ipt / (apt + credited + micro)", "higher", CLASSIC),
    Definition("availability_iso", f"{RUN} / pbt", "higher"),
    Definition("effectiveness_iso", f"ipt / {RUN}", "higher"),
    Definition("quality_count", "gq / pq", "higher"),
    Definition("quality_time", "igt / ipt", "higher", OURS),
    Definition("nee", f"igt / pbt * {RUN_AND_SETUP} / {RUN}", "higher"),
    Definition("ooe", "igt / pot", "higher", CLASSIC),
    Definition("teep", "igt / ct", "higher", CLASSIC),
    Definition("utilization_efficiency", f"{RUN} / {BUSY}", "higher"),
    Definition("allocation_efficiency", f"{BUSY} / pbt", "higher"),
    Definition("technical_efficiency", f"{RUN} / (apt + credited + {DELAYS})", "higher"),
    Definition("setup_ratio", f"aust / {RUN_AND_SETUP}", "lower"),
    Definition("scrap_ratio", "sq / pq", "lower"),
    Definition("rework_ratio", "rq / pq", "lower"),
    Definition("first_pass_yield", "gp / ip", "higher"),
    Definition("data_coverage", "1 - unk_raw / (pbt + excluded - promoted)", "higher", OURS),
)
"""The ratios of the KPI record, see `core.kpi.kpis`."""

RELIABILITY: Final = (
    Definition("mtbf_s", f"{RUN_AND_SETUP} / fe", "higher", unit="s"),
    Definition("mttr_s", "ttr_sum / n_ttr_closed", "lower", unit="s"),
    Definition("mtbf_s_fe_plus_1", f"{RUN_AND_SETUP} / (fe + 1)", "higher", unit="s"),
    Definition("mttr_s_fe_plus_1", "ttr_sum / (fe + 1)", "lower", unit="s"),
    Definition("inherent_availability", "mtbf_s / (mtbf_s + mttr_s)", "higher", OURS),
    Definition("corrective_maintenance_ratio", "cmt / (cmt + pmt)", "lower"),
    Definition("mttf_s", "mtbf_s", "higher", unit="s"),
)
"""See `core.reliability.reliability_of`."""

PLAN: Final = (
    Definition("actual_to_planned_scrap_ratio", "sq / psq", "lower"),
    Definition("equipment_load_ratio", "pq / epc", "higher"),
)
"""What was made against what was planned; see `plan_kpis`."""

ORDER: Final = (
    Definition("allocation_ratio", f"{BUSY} / ct", "higher"),
    Definition("production_process_ratio", f"{RUN} / ct", "higher"),
    Definition("throughput_rate_per_h", "pq / ct * 3600", "higher", unit="1/h"),
)
"""Of a window of kind `job`, whose calendar time is the order's execution time; see `order_kpis_of`."""

SEMI: Final = (
    Definition("equipment_uptime_ratio", "(PRD + SBY + ENG) / (ct - NST)", "higher", "SEMI E10"),
    Definition("total_utilization", "PRD / ct", "higher", "SEMI E10"),
    Definition("e79_oee", "igt / ct", "higher", "SEMI E79"),
)
"""See `core.semi.e10_kpis`; the six states in capitals."""

ENERGY: Final = (
    Definition("total_kwh", "e_total / 1000", "lower", OURS, "kWh"),
    Definition("kwh_per_piece", "e_total / 1000 / pq", "lower", unit="kWh"),
    Definition("kwh_per_good_piece", "e_total / 1000 / gq", "lower", OURS, "kWh"),
    Definition("idle_share", "e_idle / e_total", "lower", OURS),
    Definition("kg_co2", "co2", "lower", "location-based, grid factor as in the record", "kg"),
    Definition("g_co2_per_good_piece", "co2 * 1000 / gq", "lower", OURS, "g"),
    Definition("kgce", "coal", "lower", "GB/T 2589", "kg"),
    Definition("kgce_per_piece", "coal / pq", "lower", "ISO 22400-2", "kg"),
    Definition("energy_coverage", "(metered - unmetered) / metered", "higher", OURS),
)
"""Of machines with an energy meter; see `core.energy.energy_kpis`. Energies are in Wh, `co2` and `coal` in kg."""

ALL: Final = (*DEFINITIONS, *RELIABILITY, *PLAN, *SEMI)
"""Of every window; those of a job have `ORDER` besides."""


def elements(cell: Cell) -> dict[str, Fraction | None]:
    """Whatever a formula may name: times in seconds, counts, ideal times in seconds, all exact; and the KPIs."""
    times = {name: Fraction(getattr(cell, name), SECOND) for name in (*cells.TIMES, "pbt", "pot")}
    states = {state: Fraction(time, SECOND) for state, time in e10_times(cell).items()}
    others = {name: Fraction(getattr(cell, name)) for name in (*cells.COUNTS, *cells.FRACTIONS)}
    return {**times, **states, **others, **values(cell), **energy_elements(cell), **energy_values(cell)}


def energy_elements(cell: Cell) -> dict[str, Fraction | None]:
    """What formulas of `ENERGY` name besides counts: Wh, kg, and seconds of the meters' time; unknown is `None`."""
    energy = cell.energy
    times = {name: Fraction(getattr(energy, name), SECOND) for name in ("metered", "unmetered")}
    if not energy.is_known:
        return {**dict.fromkeys(("e_total", *GROUPS, "co2", "coal")), **times}
    wh = {name: Fraction(getattr(energy, name), WH) for name in ("e_total", *GROUPS)}
    return {**wh, "co2": None if energy.no_factor else energy.co2, "coal": energy.coal, **times}


def energy_values(cell: Cell) -> dict[str, Fraction | None]:
    """The value of every KPI of `ENERGY`; nothing for a machine without a meter."""
    return energy_kpis(cell.energy, cell.pq, cell.gq) if cell.energy.metered else {}


def values(cell: Cell) -> dict[str, Fraction | None]:
    """The value of every KPI of the catalogue."""
    return {**kpis(cell), **reliability_of(cell), **plan_kpis(cell), **e10_kpis(cell)}


def plan_kpis(cell: Cell) -> dict[str, Fraction | None]:
    """Scrap against planned scrap, pieces against the rated capacity (rows 13 and 30)."""
    return {
        "actual_to_planned_scrap_ratio": ratio(cell.sq, cell.psq),
        "equipment_load_ratio": ratio(cell.pq, cell.epc),
    }


def order_kpis_of(cell: Cell) -> dict[str, Fraction | None]:
    """Of the cell of an order on one machine, from its start to its end (rows 1, 2, 12)."""
    run = Fraction(cell.apt + cell.credited, SECOND)
    busy = run + Fraction(cell.aust + cell.adet, SECOND)
    found = order_kpis(Fraction(cell.ct, SECOND), busy, run, cell.pq, 0, 0)
    return {definition.name: found[definition.name] for definition in ORDER}


class KpiRow(NamedTuple):
    """One KPI with the inputs of its formula."""

    definition: Definition
    value: Fraction | None
    inputs: tuple[tuple[str, Fraction | None], ...]


def kpi_rows(cell: Cell, kind: str) -> list[KpiRow]:
    """The whole catalogue, for a window of `kind`."""
    known, found = elements(cell), kpi_values(cell, kind)
    definitions = definitions_of(kind, metered=bool(cell.energy.metered))
    return [KpiRow(one, found[one.name], tuple((name, known[name]) for name in one.inputs)) for one in definitions]


def definitions_of(kind: str, *, metered: bool) -> tuple[Definition, ...]:
    """The part of the catalogue that windows of `kind` have, of machines with an energy meter or without."""
    return (*ALL, *(ORDER if kind == "job" else ()), *(ENERGY if metered else ()))


def kpi_values(cell: Cell, kind: str) -> dict[str, Fraction | None]:
    """Their values."""
    order = order_kpis_of(cell) if kind == "job" else {}
    return {**values(cell), **order, **energy_values(cell)}
