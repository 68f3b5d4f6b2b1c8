"""The OEE report as a workbook: read again with another library, its formulas computed again by other means."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from openpyxl import Workbook, load_workbook

from edge_agent.core import kpi
from edge_agent.core.cell import Cell
from edge_agent.core.report import Report
from edge_agent.report import sections
from edge_agent.report.book.oee import oee_book
from edge_agent.report.model import OeeDocument, Trace
from tests.report.reading import Sums, rows


@pytest.fixture(scope="session")
def content(shifts: OeeDocument) -> bytes:
    return oee_book(shifts, "en")


def opened(content: bytes, *, computed: bool = False) -> Workbook:
    return load_workbook(BytesIO(content), data_only=computed)


def test_every_formula_gives_what_is_shown(content: bytes) -> None:
    formulas, shown = opened(content), opened(content, computed=True)
    sums = Sums(formulas)
    n = 0
    for sheet in formulas.sheetnames:
        for row in formulas[sheet].iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    n += 1
                    known = shown[sheet][cell.coordinate].value
                    assert sums.value(sheet, cell.coordinate) == pytest.approx(known, rel=1e-12, abs=1e-6), cell.value
    assert n > 500


def test_figures_are_numbers_and_those_of_the_records(content: bytes, shifts: OeeDocument) -> None:
    found = list(rows(opened(content, computed=True), "KPIs"))
    assert [row["Machine"] for row in found[:-1]] == [page.id for page in shifts.machines]
    for row, page in zip(found, shifts.machines, strict=False):
        for name, value in kpi.kpis(page.cell).items():
            assert row[name] == (None if value is None else pytest.approx(float(value)))


def test_energy_stands_where_there_is_a_meter_and_capability_has_a_sheet(content: bytes) -> None:
    book = opened(content, computed=True)
    by_machine = {row["Machine"]: row for row in rows(book, "KPIs")}
    assert by_machine["cnc-7"]["total_kwh"] > 50
    assert by_machine["press-1"]["total_kwh"] is None
    assert by_machine["Sum of all rows"]["total_kwh"] > by_machine["cnc-7"]["total_kwh"]
    assert by_machine["Sum of all rows"]["kwh_per_piece"] is None       # the presses' pieces took energy, too
    measured = [row for row in book["Measured characteristics"].iter_rows(values_only=True) if row[0] == "cnc-7"]
    assert measured[0][2] == "bore"


def test_the_last_row_is_the_sum_and_no_mean_of_ratios(content: bytes, shifts: OeeDocument) -> None:
    *_, last = rows(opened(content, computed=True), "KPIs")
    whole = sum(page.cell for page in shifts.machines)
    assert last["Machine"] == "Sum of all rows"
    assert last["oee"] == pytest.approx(float(kpi.kpis(whole)["oee"] or 0))


def test_every_stretch_is_listed_and_the_waterfall_leaves_nothing(content: bytes, shifts: OeeDocument) -> None:
    book = opened(content, computed=True)
    stretches = list(rows(book, "Stretches"))
    assert len(stretches) == sum(len(page.slices) for page in shifts.machines)
    assert stretches[0]["UTC"] == "2026-11-22T22:00:00.000000000Z"
    assert f"{stretches[0]['From']}" == "2026-11-23 06:00:00"
    for row in rows(book, "Losses"):
        assert row["Not accounted for"] == 0


def test_figures_that_the_stretches_do_not_give_stand_as_the_record_has_them(shifts: OeeDocument) -> None:
    [page, *_] = shifts.machines
    record: Report = replace(page.record, cell=replace(page.cell, apt=page.cell.apt - 60 * 10**9))
    differs = replace(page, record=record, trace=Trace.DIFFERS)
    book = opened(oee_book(replace(shifts, machines=(differs,)), "en"))
    [row] = rows(book, "Time elements and counts")
    assert row["apt"] == float(sections.seconds(record.cell.apt))
    [row] = rows(book, "Summary")
    assert "others than in the record" in row["Journal"]


def test_what_is_not_defined_is_empty_and_never_zero(shifts: OeeDocument) -> None:
    [page, *_] = shifts.machines
    holiday = replace(page, record=replace(page.record, cell=Cell(ct=3600 * kpi.SECOND, nst=3600 * kpi.SECOND)))
    content = oee_book(replace(shifts, machines=(holiday,)), "en")
    for row in rows(opened(content, computed=True), "KPIs"):
        assert row["oee"] is None
        assert row["teep"] == 0


def test_the_chinese_workbook_has_chinese_sheets_and_the_same_numbers(content: bytes, shifts: OeeDocument) -> None:
    chinese = opened(oee_book(shifts, "zh"), computed=True)
    assert chinese.sheetnames[:4] == ["概览", "指标", "损失", "时间要素与计数"]
    english = opened(content, computed=True)
    for ours, theirs in zip(english["KPIs"].iter_rows(), chinese["指标"].iter_rows(), strict=True):
        numbers = [(a.value, b.value) for a, b in zip(ours, theirs, strict=True) if isinstance(a.value, float)]
        assert all(a == b for a, b in numbers)
    text = " ".join(str(cell.value) for sheet in chinese for row in sheet.iter_rows() for cell in row)
    assert "普及率" not in text


def test_text_from_the_plant_is_never_a_formula_or_a_link(shifts: OeeDocument) -> None:
    [page, *_] = shifts.machines
    jobs = tuple(replace(job, product="=1+1", order="http://evil.example") for job in page.jobs)
    book = opened(oee_book(replace(shifts, machines=(replace(page, jobs=jobs),)), "en"))
    found = [cell for row in book["Jobs"].iter_rows() for cell in row if cell.value in ("=1+1", "http://evil.example")]
    assert len(found) == 2 * len(jobs)
    assert {cell.data_type for cell in found} == {"s"}
    assert all(cell.hyperlink is None for cell in found)
