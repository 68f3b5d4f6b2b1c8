"""The cell adds up, survives JSON, and knows its own derived times."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.core.cell import FRACTIONS, NAMES, Cell
from edge_agent.core.energy import NAMES as ENERGY_NAMES

numbers = st.integers(-(10**18), 10**18)
texts = st.fractions(max_denominator=10**9).map(str)
energies = st.fixed_dictionaries({name: texts if name in ("co2", "coal") else numbers for name in ENERGY_NAMES})
# Limits are part of what a characteristic is: of two with different ones nothing is added up.
sums = st.lists(st.integers(0, 10**18), min_size=9, max_size=9)
measures = st.dictionaries(st.sampled_from([("bore", 2.0), ("bore", 2.5), ("length", 2.0)]), sums).map(
    lambda told: [[name, 1.0, usl, 5, "", *told[name, usl]] for name, usl in sorted(told)]
)
written: dict[str, st.SearchStrategy[Any]] = {
    **{name: texts if name in FRACTIONS else numbers for name in NAMES}, "energy": energies, "measured": measures
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
