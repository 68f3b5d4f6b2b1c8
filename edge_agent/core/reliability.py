"""Reliability and order KPIs of ISO 22400-2 (domain 1.2, rows 1, 2, 12, 13, 31 to 34)."""

from __future__ import annotations

from fractions import Fraction

from edge_agent.core.cell import Cell
from edge_agent.core.kpi import ratio

HOUR_S = 3600


def reliability(
    operating: Fraction, ttr_sum: Fraction, failures: int, closed: int, cmt: Fraction, pmt: Fraction
) -> dict[str, Fraction | None]:
    """MTBF, MTTR and what follows from them; all times in seconds, undefined is `None`.

    The conventional estimators, which merge: operating time / failures, time to restoration / closed
    failures. The `_fe_plus_1` variants divide by the intervals that n failures create, as tables of
    the standard are widely quoted. Operating time includes the tail since the last failure.
    """
    mtbf, mttr = ratio(operating, failures), ratio(ttr_sum, closed)
    inherent = None if mtbf is None or mttr is None else ratio(mtbf, mtbf + mttr)
    return {
        "mtbf_s": mtbf,
        "mttf_s": mtbf,     # a machine that is repaired: the same (row 32)
        "mttr_s": mttr,
        "inherent_availability": inherent,
        "mtbf_s_fe_plus_1": ratio(operating, failures + 1),
        "mttr_s_fe_plus_1": ratio(ttr_sum, failures + 1),
        "corrective_maintenance_ratio": ratio(cmt, cmt + pmt),
    }


def reliability_of(cell: Cell) -> dict[str, Fraction | None]:
    """The same from the additive vector of a machine, a shift, a plant."""
    return reliability(
        _seconds(cell.op_time), _seconds(cell.ttr_sum), cell.fe, cell.n_ttr_closed,
        _seconds(cell.cmt), _seconds(cell.pmt),
    )


def order_kpis(
    aoet: Fraction, aubt: Fraction, apt: Fraction, pq: int, sq: int, planned_scrap: int
) -> dict[str, Fraction | None]:
    """KPIs of one order: execution, busy and production time in seconds, pieces, scrap made and planned."""
    return {
        "allocation_ratio": ratio(aubt, aoet),
        "production_process_ratio": ratio(apt, aoet),
        "throughput_rate_per_h": ratio(Fraction(pq) * HOUR_S, aoet),
        "actual_to_planned_scrap_ratio": ratio(sq, planned_scrap),
    }


def _seconds(ns: int) -> Fraction:
    return Fraction(ns, 1_000_000_000)
