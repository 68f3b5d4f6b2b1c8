"""The KPIs of many machines at once, in columns: for overviews, where an exact fraction a figure would cost too much.

The same figures as `kpi.kpis` gives, to the rounding of float64; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import numpy as np

from edge_agent.core.batch import Floats
from edge_agent.core.cell import Cell
from edge_agent.core.kpi import SECOND

_NAMES: Final = (
    "ct", "nst", "apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "unk", "unk_raw", "credited",
    "promoted", "excluded", "pq", "gq", "sq", "rq", "gp", "ip", "unrated",
)  # fmt: skip
_whole_of: Final = attrgetter(*_NAMES)


def board(cells: Sequence[Cell]) -> dict[str, Floats]:
    """Every KPI of n cells under its name, each of shape (n,); undefined is NaN."""
    whole = np.array([_whole_of(cell) for cell in cells], np.float64).reshape(len(cells), len(_NAMES)).T
    of = dict(zip(_NAMES, whole, strict=True))
    ideal = np.array([(float(cell.ipt), float(cell.igt)) for cell in cells]).reshape(len(cells), 2).T * SECOND
    ipt, igt = _rated(ideal, of)
    run = of["apt"] + of["credited"]
    adet = of["micro"] + of["adet_fault"] + of["adet_other"] + of["maint"]
    prepared = run + of["aust"]
    pbt = of["apt"] + of["aust"] + adet + of["adot"] + of["unk"] - of["excluded"]
    planned = pbt + of["excluded"] - of["promoted"]
    oee = _ratio(igt, pbt)
    return {
        "availability_classic": _ratio(run + of["micro"], pbt),
        "performance_classic": _ratio(ipt, run + of["micro"]),
        "availability_iso": _ratio(run, pbt),
        "effectiveness_iso": _ratio(ipt, run),
        "quality_count": _ratio(of["gq"], of["pq"]),
        "quality_time": _ratio(igt, ipt),
        "oee": oee,
        "ooe": _ratio(igt, of["ct"] - of["nst"]),
        "teep": _ratio(igt, of["ct"]),
        "nee": oee * _ratio(prepared, run),
        "utilization_efficiency": _ratio(run, prepared + adet),
        "allocation_efficiency": _ratio(prepared + adet, pbt),
        "technical_efficiency": _ratio(run, run + adet),
        "setup_ratio": _ratio(of["aust"], prepared),
        "scrap_ratio": _ratio(of["sq"], of["pq"]),
        "rework_ratio": _ratio(of["rq"], of["pq"]),
        "first_pass_yield": _ratio(of["gp"], of["ip"]),
        "data_coverage": _ratio(planned - of["unk_raw"], planned),
    }


def _rated(ideal: Floats, of: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Ideal times of total and good pieces, ns; NaN where pieces without an ideal cycle spoil them."""
    spoilt = of["unrated"] != 0
    if not spoilt.any():
        return ideal[0], ideal[1]
    good = np.where(spoilt, np.where(of["gq"] == 0, 0.0, np.nan), ideal[1])
    return np.where(spoilt, np.nan, ideal[0]), good


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)
