"""What the sections say, in numbers: the same for every language and every kind of file."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, NamedTuple

from edge_agent.core import capability, catalog, energy, kpi
from edge_agent.core import cell as cells
from edge_agent.core.catalog import Definition
from edge_agent.core.cell import Cell
from edge_agent.core.kpi import SECOND
from edge_agent.core.losses import six_big_losses
from edge_agent.core.rollup import Rollup
from edge_agent.core.semi import e10_times

Ratio = Fraction | None

BUCKETS: Final = (
    "apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "unk", "excluded", "pdot", "nst",
)  # fmt: skip
"""What calendar time consists of: every second is in one of them; here `unk` is without what is `excluded`."""

# Planned busy time first, then what takes from it, ending with what is left: planning, stops, speed, quality.
ORDER: Final = ("no_order", "maint", "other", "fault", "setup", "micro", "unknown", "speed", "quality", "good")

IDEALS: Final = ("ipt", "igt", "igt_gap", "ist")
COUNTED: Final = cells.COUNTS
ELEMENTS: Final = (
    "ct", "nst", "pot", "pdot", "pbt", "apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "unk",
    "unk_raw", "credited", "promoted", "excluded", "held", "trial", "cmt", "pmt", "ttr_sum", *IDEALS,
    *COUNTED,
)  # fmt: skip
ENERGIES: Final = ("e_total", *energy.GROUPS, "co2", "coal", "metered", "unmetered")
"""Elements of machines with a meter."""
PER_PIECE: Final = ("kwh_per_piece", "kwh_per_good_piece", "g_co2_per_good_piece", "kgce_per_piece")
INDICES: Final = ("Cp", "Cpk", "Pp", "Ppk", "Cm", "Cmk")


class Split(NamedTuple):
    """One line of the comparison of both splits."""

    key: str
    classic: Ratio
    iso: Ratio


class Step(NamedTuple):
    """One step of the waterfall, seconds: `before` it and `after` it on the way from planned to good time."""

    key: str
    value: Fraction
    before: Fraction
    after: Fraction


class KpiRow(NamedTuple):
    """One KPI with the inputs of its formula."""

    definition: Definition
    value: Ratio
    inputs: tuple[tuple[str, Ratio], ...]


def splits(cell: Cell) -> list[Split]:
    """OEE as both schools take it apart; their products are the same OEE."""
    v = kpi.kpis(cell)
    classic = v["availability_classic"], v["performance_classic"], v["quality_time"]
    iso = v["availability_iso"], v["effectiveness_iso"], v["quality_time"]
    return [
        Split("availability", classic[0], iso[0]),
        Split("performance", classic[1], iso[1]),
        Split("quality_count", v["quality_count"], v["quality_count"]),
        Split("quality_time", classic[2], iso[2]),
        Split("product", _product(*classic), _product(*iso)),
        Split("oee", v["oee"], v["oee"]),
    ]


def buckets(cell: Cell) -> list[tuple[str, int]]:
    """ns in each bucket; they add up to calendar time exactly."""
    times = {name: getattr(cell, name) for name in BUCKETS}
    times["unk"] -= cell.excluded
    return list(times.items())


def six(cell: Cell) -> list[tuple[str, Fraction]]:
    """Seconds lost to each of the Six Big Losses, and to what they have no name for."""
    return list(six_big_losses(cell).items())


def _product(*factors: Ratio) -> Ratio:
    found = Fraction(1)
    for factor in factors:
        if factor is None:
            return None
        found *= factor
    return found


def steps(cell: Cell) -> list[Step]:
    """The waterfall; the values add up to planned busy time exactly."""
    values = kpi.waterfall(cell)
    at = seconds(cell.pbt)
    found = []
    for key in ORDER:
        value = values[key]
        after = Fraction(0) if key == "good" else at - value
        found.append(Step(key, value, at, after))
        at = after
    return found


def kpi_rows(cell: Cell, kind: str) -> list[KpiRow]:
    """The whole catalogue, for a window of `kind`."""
    known, values = catalog.elements(cell), kpi_values(cell, kind)
    definitions = definitions_of(kind, metered=bool(cell.energy.metered))
    return [KpiRow(one, values[one.name], tuple((name, known[name]) for name in one.inputs)) for one in definitions]


def definitions_of(kind: str, *, metered: bool) -> tuple[Definition, ...]:
    """The part of the catalogue that windows of `kind` have, of machines with an energy meter or without."""
    return (*catalog.ALL, *(catalog.ORDER if kind == "job" else ()), *(catalog.ENERGY if metered else ()))


def kpi_values(cell: Cell, kind: str) -> dict[str, Ratio]:
    """Their values."""
    order = catalog.order_kpis_of(cell) if kind == "job" else {}
    return {**catalog.values(cell), **order, **catalog.energy_values(cell)}


def energy_rows(cell: Cell) -> list[tuple[str, Ratio, Ratio]]:
    """kWh by state and their shares, of a machine with a meter."""
    known = catalog.energy_elements(cell)
    total = known["e_total"]
    rows = []
    for name in energy.GROUPS:
        wh = known[name]
        rows.append((name, None if wh is None else wh / 1000, None if wh is None or not total else wh / total))
    return rows


def energy_kpi_rows(cell: Cell) -> list[KpiRow]:
    """Those of the catalogue that tell of energy."""
    names = {one.name for one in catalog.ENERGY}
    return [row for row in kpi_rows(cell, "") if row.definition.name in names]


def measured_rows(cell: Cell) -> list[tuple[str, dict[str, Any]]]:
    """What was measured of the pieces: each characteristic with its indices, as the record has them."""
    return [(one.name, capability.told(one, stats)) for one, stats in cell.measured.parts]


def reliability_rows(cell: Cell) -> list[KpiRow]:
    """Those of the catalogue that tell of failures."""
    names = {one.name for one in catalog.RELIABILITY}
    return [row for row in kpi_rows(cell, "") if row.definition.name in names]


class Group(NamedTuple):
    """What is shown of machines taken together; of a serial line `constraint` says whose availability it is."""

    oee: Ratio
    availability: Ratio
    performance: Ratio
    quality: Ratio
    total: int
    good: int
    coverage: Ratio
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


def element_rows(cell: Cell) -> list[tuple[str, Ratio]]:
    """Time elements in seconds, counts and energies, by name."""
    known = catalog.elements(cell)
    return [(name, known[name]) for name in (*ELEMENTS, *(ENERGIES if cell.energy.metered else ()))]


def e10_rows(cell: Cell) -> list[tuple[str, Fraction, Ratio]]:
    """Seconds in each SEMI E10 state, and its share of calendar time."""
    return [(state, seconds(time), kpi.ratio(time, cell.ct)) for state, time in e10_times(cell).items()]


def seconds(ns: int) -> Fraction:
    """Exact."""
    return Fraction(ns, SECOND)
