"""KPI-ML: what it says is by its schema, and enough to compute every KPI again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction
from operator import add, mul, sub, truediv
from typing import Final
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core import catalog
from edge_agent.core.cell import Cell
from edge_agent.core.report import OPEN, Report, Window
from edge_agent.encode.kpi_ml import decimal, kpi_ml

NS: Final = "{http://www.mesa.org/xml/KPI-ML-V01}"
NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
HOUR: Final = 3_600_000_000_000
# The sequences of KPI-ML-V01.xsd, as far as they are used here.
ORDER: Final = {
    "ShowKPIValue": "ApplicationArea DataArea",
    "ApplicationArea": "Sender Receiver CreationDateTime Signature BODID UserArea",
    "Sender": "LogicalID ComponentID",
    "UserArea": "KPIDefinition KPIInstance",
    "DataArea": "Show KPIValue",
    "KPIDefinition": "ID Description Name Scope Formula UnitOfMeasure Range Trend Timing TimeRange Audience "
    "ProductionMethodology EffectModel Notes UsesKPIDefinitionID KPIInstanceID Property",
    "KPIInstance": "ID Description Name Scope Formula UnitOfMeasure Range ResourceReference Trend Timing TimeRange "
    "Audience ProductionMethodology EffectModel Notes UsesKPIInstanceID KPIDefinitionID Property",
    "ResourceReference": "ID Description ResourceType ResourceID",
    "KPIValue": "ID Description Name TimeRange Value UnitOfMeasure KPIInstanceID Property",
    "TimeRange": "StartTime EndTime Recurrence Duration",
    "Property": "ID Description Value Property",
}
DAY = Window("shift", "day", 0, 8 * HOUR, date(1970, 1, 1), "Asia/Shanghai")
CELL = Cell(
    ct=8 * HOUR, apt=5 * HOUR, micro=HOUR, adet_fault=2 * HOUR, pq=37, gq=31, sq=5, rq=1, fe=2, n_ttr_closed=1,
    ttr_sum=HOUR, ipt=Fraction(1000, 3), igt=Fraction(900, 7),
)  # fmt: skip
TIME, COUNT = st.integers(0, 40_000_000_000_000), st.integers(0, 9)
CELLS = st.builds(
    Cell, **dict.fromkeys(("apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "ct"), TIME),
    **dict.fromkeys(("nst", "ttr_sum", "cmt", "pmt"), TIME), ipt=st.fractions(0, 9), igt=st.fractions(0, 9),
    **dict.fromkeys(("pq", "gq", "sq", "rq", "fe", "n_ttr_closed"), COUNT), psq=st.fractions(0, 9),
)  # fmt: skip


def report(cell: Cell = CELL, window: Window = DAY) -> Report:
    return Report("press-1", window, 2, True, 9 * HOUR, "c0ffee", cell, ("LOW_CONFIDENCE",))


def document(*reports: Report) -> Element:
    return fromstring(kpi_ml(reports, 10 * HOUR))


def text(element: Element, path: str) -> str:
    found = element.find("/".join(NS + part for part in path.split("/")))
    assert found is not None
    return found.text or ""


def elements(document: Element, name: str) -> dict[str, Element]:
    return {text(one, "ID"): one for one in document.iter(NS + name)}


def properties(value: Element) -> dict[str, tuple[str, Fraction | None]]:
    """Description and number of each, by id."""
    found = {}
    for one in value.findall(f"{NS}Property"):
        number = one.find(f"{NS}Value")
        assert number is not None
        told = one.find(f"{NS}Description")
        known = None if number.get(NIL) == "true" else Fraction(number.text or "")
        found[text(one, "ID")] = (told.text or "" if told is not None else "", known)
    return found


def evaluate(formula: str, known: dict[str, Fraction | None]) -> Fraction | None:
    """A calculator of its own: names, whole numbers, + - * / and parentheses; nothing comes of nothing."""
    operations = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}

    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(int(number)):
                return Fraction(number)
            case ast.Name(name) if (number := known[name]) is not None:
                return number
            case ast.BinOp(left, operation, right):
                result: Fraction = operations[type(operation)](value(left), value(right))
                return result
        raise ArithmeticError

    try:
        return value(ast.parse(formula, mode="eval").body)
    except ArithmeticError:
        return None


def recomputed(document: Element) -> Iterator[tuple[str, Fraction | None, Fraction | None]]:
    """(KPI, what its value says, what its properties give) of every value."""
    for name, value in elements(document, "KPIValue").items():
        told = properties(value)
        formula = told.pop("Formula")[0]
        said = value.find(f"{NS}Value")
        stated = None if said is None else Fraction(said.text or "")
        yield name.split("/")[1], stated, evaluate(formula, {one: number for one, (_, number) in told.items()})


def is_close(one: Fraction | None, other: Fraction | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= abs(one) / 10**20


@given(cell=CELLS)
@settings(max_examples=30, deadline=None)
def test_every_kpi_can_be_computed_again_from_its_properties(cell: Cell) -> None:
    found = list(recomputed(document(report(replace(cell, unk=cell.micro, unk_raw=cell.micro, credited=cell.micro)))))
    assert [name for name, _, _ in found] == [one.name for one in catalog.ALL]
    for name, stated, again in found:
        assert is_close(stated, again), name


def test_a_job_has_the_kpis_of_an_order_and_no_end_yet() -> None:
    window = Window("job", "A100", 0, OPEN, date(1970, 1, 1), "UTC", "4711")
    made = document(report(window=window))
    found = {name: (stated, again) for name, stated, again in recomputed(made)}
    assert found["throughput_rate_per_h"][0] == Fraction(37, 8)
    assert all(is_close(*both) for both in found.values())
    assert not list(made.iter(f"{NS}EndTime"))


def test_values_point_to_instances_and_these_to_definitions() -> None:
    made = document(report(), report(window=replace(DAY, name="late", start=8 * HOUR, end=16 * HOUR)))
    instances, definitions = elements(made, "KPIInstance"), elements(made, "KPIDefinition")
    for value in made.iter(f"{NS}KPIValue"):
        instance = instances[text(value, "KPIInstanceID")]
        definition = definitions[text(instance, "KPIDefinitionID")]
        assert text(instance, "ResourceReference/ResourceID") == "press-1"
        assert text(definition, "Formula") == properties(value)["Formula"][0]
    assert text(definitions["mttr_s"], "Trend") == "Lower-is-better"
    assert len(elements(made, "KPIValue")) == 2 * len(definitions) == 2 * len(instances)


def test_a_value_says_when_how_sure_and_in_which_unit() -> None:
    value = elements(document(report()), "KPIValue")["press-1/oee/shift/1970-01-01T08:00:00+08:00"]
    assert text(value, "TimeRange/EndTime") == "1970-01-01T16:00:00+08:00"
    assert text(value, "Description") == "final as of 1970-01-01T17:00:00+08:00; revision 2; LOW_CONFIDENCE"
    assert properties(value)["pbt"][1] == 28800


def test_elements_stand_where_the_schema_wants_them() -> None:
    for element in document(report()).iter():
        name = element.tag.removeprefix(NS)
        inner = [child.tag.removeprefix(NS) for child in element]
        places = [ORDER[name].split().index(child) for child in inner] if inner else []
        assert places == sorted(places), name


@pytest.mark.parametrize(
    ("value", "written"),
    [(Fraction(1, 8), "0.125"), (Fraction(1, 10**9), "0.000000001"), (Fraction(3 * 10**30), "3" + "0" * 30),
     (Fraction(-1, 3), "-0.3333333333333333333333333"), (Fraction(0), "0")],
)  # fmt: skip
def test_numbers_have_no_exponent(value: Fraction, written: str) -> None:
    assert decimal(value) == written
    assert re.fullmatch(r"[+-]?\d+(\.\d+)?", written)       # xsd:decimal
