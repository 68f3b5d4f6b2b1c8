"""SEMI E10 states and E79 efficiency from a cell (domain 1.4; the standard's text was not available).

Breaks, waiting and micro-stops are standby, setup and preventive maintenance scheduled downtime,
faults and repairs unscheduled downtime, trial runs engineering. Time without data and without proof
of production has no E10 state; it is reported beside them as UNKNOWN.
"""

from __future__ import annotations

from fractions import Fraction

from edge_agent.core.cell import Cell
from edge_agent.core.kpi import kpis, ratio


def e10_times(cell: Cell) -> dict[str, int]:
    """ns in each of the six states, and UNKNOWN; the values add up to calendar time."""
    repairs = cell.cmt - cell.adet_fault
    preventive_in_plan = cell.maint - repairs
    planned_maintenance = cell.pmt - preventive_in_plan
    return {
        "PRD": cell.apt + cell.credited,
        "SBY": cell.pdot - planned_maintenance + cell.micro + cell.adet_other + cell.adot,
        "ENG": cell.trial,
        "SDT": cell.aust - cell.trial + cell.pmt,
        "UDT": cell.cmt,
        "NST": cell.nst,
        "UNKNOWN": cell.unk - cell.credited,
    }


def e10_kpis(cell: Cell) -> dict[str, Fraction | None]:
    """Uptime over operations time, production over total time, and E79 OEE (numerically our TEEP)."""
    times = e10_times(cell)
    uptime = times["PRD"] + times["SBY"] + times["ENG"]
    return {
        "equipment_uptime_ratio": ratio(uptime, cell.ct - times["NST"]),
        "total_utilization": ratio(times["PRD"], cell.ct),
        "e79_oee": kpis(cell)["teep"],
    }
