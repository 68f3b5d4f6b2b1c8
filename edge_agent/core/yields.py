"""Yields of steps that pieces pass one after the other (ISO 22400-2 row 14; rolled throughput yield)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from edge_agent.core.cell import Cell
from edge_agent.core.kpi import ratio


def first_pass_yield(cell: Cell) -> Fraction | None:
    """Good in the first run over all that were inspected, GP / IP; where single pieces are not inspected, GQ / PQ.

    Scrap and rework are not good, and pieces recovered by rework do not become it (domain 1.3).
    """
    return ratio(cell.gp, cell.ip) if cell.ip else ratio(cell.gq, cell.pq)


def rolled_throughput_yield(steps: Iterable[Fraction | None]) -> Fraction | None:
    """The share of pieces that pass every step at the first run; None if one step's yield is not defined."""
    product = Fraction(1)
    for step in steps:
        if step is None:
            return None
        product *= step
    return product


def final_yield(cell: Cell, recovered: int) -> Fraction | None:
    """Good at last over all that were made: `recovered` pieces became good by rework."""
    return ratio(cell.gq + recovered, cell.pq)
