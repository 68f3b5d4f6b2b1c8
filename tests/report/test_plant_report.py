"""The reports `digital` and `sme`: from evidence in the journal, in both languages, as pages and workbooks."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from edge_agent.cli import main
from edge_agent.report.book.digital import digital_book, sme_book
from edge_agent.report.html import digital_page, sme_page
from edge_agent.report.plant import PlantDocument, plant_document
from edge_agent.report.recall import NothingRecorded
from edge_agent.report.words import TEXTS
from edge_agent.report.words.digital import INDICES
from tests.report import plant
from tests.report.reading import Sums, Text, rows

NOON = plant.ns("2026-11-23T12:00")


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plant looked at for ten minutes."""
    path = plant.site_file(tmp_path_factory.mktemp("watched"))
    asyncio.run(plant.watch(plant.read_site(path), NOON, 600))
    return path


@pytest.fixture(scope="session")
def found(watched: Path) -> PlantDocument:
    return plant_document(plant.read_site(watched), NOON + 3600 * plant.SECOND)


def text_of(page: str) -> str:
    return str(Text(page))


def test_indices_are_those_of_the_evidence_and_declared_ones_stand_apart(found: PlantDocument) -> None:
    said = found.said
    assert said["register"]["counted"] == 5
    assert said["indices"]["device_digital_rate"] == 2 / 5
    assert said["declared"]["device_digital_rate"] == 3 / 5
    assert set(INDICES) == set(said["indices"])
    text = text_of(digital_page(found, "en"))
    assert "40.0 % 60.0 %" in text
    assert "Measured by the agent from 2026-11-23 12:00 to 2026-11-23 12:10" in text


def test_every_piece_of_equipment_has_its_level_and_the_reasons_in_the_readers_language(found: PlantDocument) -> None:
    english, chinese = text_of(digital_page(found, "en")), text_of(digital_page(found, "zh"))
    for name, asset in found.said["devices"].items():
        for reason in asset["reasons"] if asset["entry"]["counted"] else ():
            assert reason["en"] in english, name
            assert reason["zh"] in chinese, name
            assert reason["en"] not in chinese
    assert "not counted: spare" in english
    assert "Declared: L2" in english
    assert "申报: L2" in chinese


@pytest.mark.parametrize("page", [digital_page, sme_page])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_is_whole_needs_nothing_else_and_claims_no_statistic(
    found: PlantDocument, page: Any, language: str
) -> None:
    told = page(found, language)
    Text(told)
    assert "普及率" not in told
    assert "http" not in told
    assert "<script" not in told


def test_the_questionnaire_is_an_estimate_with_its_evidence(found: PlantDocument) -> None:
    text = text_of(sme_page(found, "zh"))
    assert "并非企业自评，也不是评价结果" in text
    assert "生产设备数字化率" in text
    assert "press-1." in text       # the tag that proves it
    assert found.said["sme"]["q2"]["evidence"] == ["press-1", "press-2"]
    assert {"press-1", "press-2"} <= {name for name, _ in found.proofs}
    english = text_of(sme_page(found, "en"))
    assert "equipment management (设备管理)" in english
    assert "2026-11-23 12:10:00+08:00" in english


def test_the_indices_of_the_workbook_are_formulas_over_its_equipment(found: PlantDocument) -> None:
    content = digital_book(found, "en")
    formulas, shown = load_workbook(BytesIO(content)), load_workbook(BytesIO(content), data_only=True)
    sums = Sums(formulas)
    n = 0
    for row in formulas["Indices"].iter_rows():
        for cell in row:
            if isinstance(cell.value, str) and cell.value.startswith("="):
                n += 1
                known = shown["Indices"][cell.coordinate].value
                assert sums.value("Indices", cell.coordinate) == pytest.approx(known)
    assert n == 9
    assert [row["Equipment"] for row in rows(shown, "Equipment")][:2] == ["冲床 1", "冲床 2"]
    [quality, *_] = rows(shown, "Data quality")
    assert quality["Completeness"] == pytest.approx(1, abs=0.01)


def test_the_workbook_of_the_questionnaire_has_points_as_numbers(found: PlantDocument) -> None:
    book = load_workbook(BytesIO(sme_book(found, "zh")), data_only=True)
    assert book.sheetnames == ["题目", "应用场景", "证据清单"]
    points = [row[1].value for row in book["题目"].iter_rows() if str(row[0].value).startswith("2. ")]
    assert points == [found.said["sme"]["q2"]["points"]]


def test_nobody_has_called_anything_a_penetration_rate() -> None:
    assert not [key for key, texts in TEXTS.items() if "普及率" in "".join(texts)]


@pytest.mark.parametrize("kind", ["digital", "sme"])
@pytest.mark.parametrize("form", ["html", "xlsx"])
def test_the_command_writes_each_kind_in_each_form(watched: Path, tmp_path: Path, kind: str, form: str) -> None:
    out = tmp_path / f"plant.{form}"
    assert main(["report", str(watched), "--kind", kind, "--lang", "zh", "--out", str(out)]) == 0
    assert out.stat().st_size > 5000


def test_windows_and_machines_belong_to_the_oee_report_only(
    watched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "a.html")
    assert main(["report", str(watched), "--kind", "digital", "--window", "day", "--out", out]) == 2
    assert "do not belong to --kind digital" in capsys.readouterr().err


def test_a_plant_that_nobody_has_looked_at_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(NothingRecorded):
        plant_document(plant.read_site(plant.site_file(tmp_path)), NOON)
