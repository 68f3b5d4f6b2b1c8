"""Lines, areas and the site in the OEE report."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from edge_agent.core import kpi
from edge_agent.report import sections
from edge_agent.report.book.oee import oee_book
from edge_agent.report.html import oee_page
from edge_agent.report.model import OeeDocument
from tests.report.plant import document


def test_a_line_and_the_site_are_the_sums_of_their_machines_in_the_same_window(shifts: OeeDocument) -> None:
    cells = {(page.id, page.record.window.name): page.cell for page in shifts.machines}
    found = {(one.kind, one.id, one.window.name): one for one in shifts.groups}
    assert set(found) == {(*scope, shift) for scope in (("line", "line-a"), ("site", "suzhou"))
                          for shift in ("day", "night")}  # fmt: skip
    assert found["line", "line-a", "day"].cell == cells["press-1", "day"] + cells["press-2", "day"]
    whole = sum(cell for (_, shift), cell in cells.items() if shift == "night")
    assert found["site", "suzhou", "night"].cell == whole
    assert sections.group(found["site", "suzhou", "night"]).oee == kpi.kpis(whole)["oee"]
    assert all(one.final for one in shifts.groups)


def test_a_serial_line_is_measured_by_what_leaves_it(tmp_path: Path, site_file: Path) -> None:
    path = tmp_path / "site.yaml"
    lines = "lines: {line-a: {stations: [press-1, press-2], constraint: press-2, calendar: two-shift}}\nmachines:"
    path.write_text(site_file.read_text().replace("machines:", lines, 1).replace("    line: line-a\n", ""))
    found = document(path)
    [line, *_] = found.groups
    assert line.line is not None
    told = sections.group(line)
    pages = {page.id: page for page in found.machines if page.record.window.name == "day"}
    assert told.good == pages["press-2"].cell.gq
    assert told.total == pages["press-1"].cell.pq
    assert told.availability == kpi.kpis(pages["press-2"].cell)["availability_classic"]
    text = oee_page(found, "en")
    assert "constraint press-2" in text
    assert "measured by what leaves it" in text


def test_where_only_some_machines_are_asked_for_nothing_is_added_up(site_file: Path) -> None:
    assert not document(site_file, "shift", "2026-11-23", "press-1").groups


@pytest.mark.parametrize(("language", "words"), [("en", "Line line-a"), ("zh", "产线 line-a")])
def test_groups_stand_on_the_page_and_in_the_workbook(shifts: OeeDocument, language: str, words: str) -> None:
    assert words in oee_page(shifts, language)  # type: ignore[arg-type]
    book = load_workbook(BytesIO(oee_book(shifts, language)))  # type: ignore[arg-type]
    found = [str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row]
    assert found.count(words) == 2
