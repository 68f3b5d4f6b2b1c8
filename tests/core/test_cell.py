"""The cell adds up, survives JSON, and knows its own derived times."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.core.cell import FRACTIONS, NAMES, Cell

numbers = st.integers(-(10**18), 10**18)
texts = st.fractions(max_denominator=10**9).map(str)
written: dict[str, st.SearchStrategy[int | str]] = {
    name: texts if name in FRACTIONS else numbers for name in NAMES
}
# Forty fields a cell: on a busy machine they take a while to make up.
a_cell_is_large = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
cells = st.fixed_dictionaries(written).map(Cell.from_dict)


@a_cell_is_large
@given(cells, cells, cells)
def test_adding_cells_is_associative_commutative_and_has_a_zero(a: Cell, b: Cell, c: Cell) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Cell() == a == Cell() + a
    assert sum([a, b, c]) == a + b + c


@a_cell_is_large
@given(cells, cells)
def test_derived_times_add_up_too(a: Cell, b: Cell) -> None:
    for name in ("pbt", "pot", "planned", "adet", "op_time"):
        assert getattr(a + b, name) == getattr(a, name) + getattr(b, name)


@a_cell_is_large
@given(cells)
def test_a_cell_survives_json_exactly(cell: Cell) -> None:
    assert Cell.from_dict(json.loads(json.dumps(cell.to_dict()))) == cell


def test_zeros_are_not_written() -> None:
    assert Cell().to_dict() == {}
    assert Cell(pq=3, ipt=Fraction(1, 3)).to_dict() == {"pq": 3, "ipt": "1/3"}


def test_a_field_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="speed"):
        Cell.from_dict({"speed": 1})


def test_a_cell_adds_to_cells_only() -> None:
    with pytest.raises(TypeError):
        Cell() + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        1 + Cell()
