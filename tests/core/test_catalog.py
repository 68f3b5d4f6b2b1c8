"""The catalogue: whoever reads a KPI can compute it again from its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import cell as cells
from edge_agent.core.catalog import ALL, DEFINITIONS, Definition, elements, values
from edge_agent.core.cell import Cell
from edge_agent.core.kpi import kpis

TIME, COUNT = st.integers(0, 40_000_000_000_000), st.integers(0, 9)
CELLS = st.builds(
    Cell, **dict.fromkeys(("apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot"), TIME),
    **dict.fromkeys(("ct", "nst", "ttr_sum", "cmt", "pmt"), TIME),
    **dict.fromkeys(("pq", "gq", "sq", "rq", "fe", "n_ttr_closed"), COUNT),
    ipt=st.fractions(0, 9), igt=st.fractions(0, 9),
)  # fmt: skip


def computed(one: Definition, known: Mapping[str, Fraction | None]) -> Fraction | None:
    """What the formula gives, from nothing but its inputs."""
    try:
        return Fraction(eval(one.formula, {}, {name: known[name] for name in one.inputs}))  # the formulas are our own
    except (ZeroDivisionError, TypeError):
        return None


@given(cell=CELLS)
def test_every_formula_gives_the_value_from_its_inputs(cell: Cell) -> None:
    cell = replace(cell, unk=cell.micro // 2, credited=cell.micro // 4, unk_raw=cell.micro // 2)
    known, right = elements(cell), values(cell)
    for one in ALL:
        assert computed(one, known) == right[one.name], one.name


def test_every_ratio_of_the_record_is_in_the_catalogue_in_one_place() -> None:
    names = [one.name for one in ALL]
    assert sorted(names) == sorted(set(names)) == sorted(values(Cell()))
    assert {one.name for one in DEFINITIONS} == set(kpis(Cell()))


def test_formulas_name_nothing_but_what_a_cell_has() -> None:
    known = {*cells.NAMES, "pbt", "pot", "PRD", "SBY", "ENG", "SDT", "UDT", "NST", "mtbf_s", "mttr_s"}
    assert {name for one in ALL for name in one.inputs} <= known
