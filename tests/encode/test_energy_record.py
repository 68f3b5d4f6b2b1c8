"""Energy and capability in the KPI record, and on its way through the journal."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import orjson

from edge_agent.core.capability import Characteristic, Measured, Stats
from edge_agent.core.cell import Cell
from edge_agent.core.energy import KWH, Energy
from edge_agent.core.report import Report, Window
from edge_agent.encode.kpi_record import kpi_record
from edge_agent.encode.records import pack_report, unpack_report

HOUR = 3_600_000_000_000
WINDOW = Window("shift", "day", 0, HOUR, date(1970, 1, 1), "UTC")
ENERGY = Energy(
    e_run=3 * KWH, e_idle=KWH, metered=HOUR, unmetered=HOUR // 4, most=HOUR // 4 * 2_000_000,
    co2=Fraction("2.2"), coal=Fraction("0.4916"),
)  # fmt: skip
BORE = Characteristic("bore", 11.98, 12.02, 2)
STATS = Stats(n=4, total=0, squares=4 * 10**10, low=-(10**5), high=10**5, groups=2, spreads=10**8, ranges=10**5)
CELL = Cell(ct=HOUR, apt=HOUR, pq=8, gq=5, energy=ENERGY, measured=Measured(((BORE, STATS),)))
CARBON = {"region": "cn-east", "year": 2023, "kg_co2_per_kwh": 0.55}
REPORT = Report("m", WINDOW, 0, True, HOUR, "abc", CELL, ("ENERGY_INCOMPLETE",), {"A": CELL}, carbon=CARBON)


def test_a_report_with_energy_and_measures_survives_the_journal() -> None:
    assert unpack_report(pack_report(REPORT)) == REPORT


def test_the_record_tells_energy_by_state_its_kpis_and_bounds_and_the_factors() -> None:
    record = orjson.loads(orjson.dumps(kpi_record(REPORT)))
    assert record["energy_wh"] == {"e_total": 4000, "e_run": 3000, "e_idle": 1000, "e_off": 0, "e_other": 0}
    assert record["energy_s"] == {"metered": 3600, "unmetered": 900}
    assert record["carbon"] == CARBON
    told = {name: record["kpi"][name] for name in ("total_kwh", "kwh_per_piece", "kwh_per_good_piece", "idle_share")}
    assert told == {"total_kwh": 4, "kwh_per_piece": 0.5, "kwh_per_good_piece": 0.8, "idle_share": 0.25}
    assert (record["kpi"]["kg_co2"], record["kpi"]["g_co2_per_good_piece"]) == (2.2, 440)
    assert record["kpi"]["energy_coverage"] == 0.75
    assert record["bounds"]["total_kwh"] == [4, 4.5]
    assert record["products"]["A"]["kpi"]["kwh_per_piece"] == 0.5


def test_the_record_tells_the_capability_of_what_was_measured() -> None:
    bore = kpi_record(REPORT)["spc"]["bore"]
    assert (bore["n"], bore["mean"], bore["subgroups"], bore["flags"]) == (4, 12.0, 2, [])
    assert round(bore["min"], 9) == 11.999
    assert round(bore["Pp"], 6) == round(0.04 / 6 / (0.001 * (4 / 3) ** 0.5), 6) == round(bore["Ppk"], 6)


def test_a_machine_without_meters_and_gauges_has_none_of_it() -> None:
    record = kpi_record(Report("m", WINDOW, 0, True, HOUR, "abc", Cell(ct=HOUR)))
    assert not {"energy_wh", "energy_s", "carbon", "spc"} & set(record)
    assert "total_kwh" not in record["kpi"]
    assert "total_kwh" not in record["bounds"]
