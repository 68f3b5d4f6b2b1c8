"""What the sections say, in numbers: the same for every language and every kind of file."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, NamedTuple

from edge_agent.core import capability, catalog, energy, kpi
from edge_agent.core import cell as cells
from edge_agent.core.catalog import KpiRow, kpi_rows
from edge_agent.core.cell import Cell
from edge_agent.core.kpi import SECOND
from edge_agent.core.losses import six_big_losses, steps
from edge_agent.core.rollup import group
from edge_agent.core.semi import e10_times

__all__ = ["group", "kpi_rows", "steps"]      # templates have them from here

Ratio = Fraction | None

BUCKETS: Final = (
    "apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "unk", "excluded", "pdot", "nst",
)  # fmt: skip
"""What calendar time consists of: every second is in one of them; here `unk` is without what is `excluded`."""

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
