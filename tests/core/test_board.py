"""KPIs in columns are those of each cell."""

from __future__ import annotations

from fractions import Fraction
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import kpi
from edge_agent.core.board import board
from edge_agent.core.cell import Cell

TIMES = ("ct", "nst", "apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "unk", "unk_raw", "credited",
         "promoted", "excluded")  # fmt: skip
COUNTS = ("pq", "gq", "sq", "rq", "gp", "ip", "unrated")
times = st.one_of(st.just(0), st.integers(0, 10**15))
cells = st.builds(
    Cell,
    **dict.fromkeys(TIMES, times),
    **dict.fromkeys(COUNTS, st.integers(0, 3)),
    ipt=st.fractions(0, 10**6, max_denominator=1000),
    igt=st.fractions(0, 10**6, max_denominator=1000),
)


@given(st.lists(cells, max_size=5))
def test_the_kpis_of_many_cells_are_those_of_each(given_cells: list[Cell]) -> None:
    shown = board(given_cells)
    for at, cell in enumerate(given_cells):
        exact = kpi.kpis(cell)
        assert set(exact) == set(shown)
        for name, value in exact.items():
            if value is None:
                assert isnan(shown[name][at]), name
            else:
                assert shown[name][at] == pytest.approx(float(value), rel=1e-9, abs=1e-9), name


def test_a_shift_is_shown_as_it_is() -> None:
    cell = Cell(ct=100, apt=80, adet_fault=20, pq=10, gq=9, sq=1, ipt=Fraction(60, 10**9), igt=Fraction(54, 10**9))
    assert board([cell])["oee"][0] == pytest.approx(0.54)
