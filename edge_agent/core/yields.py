"""Yields of inspected pieces (ISO 22400-2 rows 7 and 13 to 16; rolled throughput yield)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import prod

from edge_agent.core.kpi import ratio


def yields(
    pq: int,
    good_first_pass: int,
    rework: int,
    scrap: int,
    reworked_ok: int = 0,
    planned_scrap: int = 0,
    other_step_fpy: Iterable[Fraction] = (),
) -> dict[str, Fraction | None]:
    """Quality, yields and scrap of one step; `other_step_fpy` are the first pass yields of the others.

    Pieces recovered by rework raise the final yield and never the quality ratio of OEE.
    """
    fpy = ratio(good_first_pass, good_first_pass + rework + scrap)
    return {
        "quality_ratio": ratio(good_first_pass, pq),
        "fpy": fpy,
        "rework_ratio": ratio(rework, pq),
        "scrap_ratio": ratio(scrap, pq),
        "actual_to_planned_scrap_ratio": ratio(scrap, planned_scrap),
        "final_yield": ratio(good_first_pass + reworked_ok, pq),
        "rolled_throughput_yield": None if fpy is None else fpy * prod(other_step_fpy, start=Fraction(1)),
    }
