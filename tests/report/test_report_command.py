"""`edge-agent report` as it is typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.cli import main
from tests.report import plant


def test_a_report_is_written_where_asked_and_its_place_is_the_result(
    site_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "shift.html"
    assert main(["report", str(site_file), "--date", "2026-11-23", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert "Production report" in out.read_text()


def test_the_language_is_that_of_the_site_file_unless_asked_otherwise(site_file: Path, tmp_path: Path) -> None:
    chinese = tmp_path / "site.yaml"
    chinese.write_text(site_file.read_text().replace("agent: {", "agent: {language: zh, "))
    out = tmp_path / "day.html"
    assert main(["report", str(chinese), "--window", "day", "--out", str(out)]) == 0
    assert '<html lang="zh-CN">' in out.read_text()
    assert main(["report", str(chinese), "--window", "day", "--lang", "en", "--out", str(out)]) == 0
    assert '<html lang="en">' in out.read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--window", "week", "--out", "a.html"], "'week' is no window; write hour, shift, day, production_day, job"),
        (["--window", "2026-11-23T06:00/2026-11-23T05:00", "--out", "a.html"], "ends before it begins"),
        (["--window", "yesterday/now", "--out", "a.html"], "'yesterday' is no instant"),
        (["--window", "2026-11-23/2026-11-24", "--date", "2026-11-23", "--out", "a.html"], "not to START/END"),
        (["--date", "23.11.2026", "--out", "a.html"], "'23.11.2026' is no date"),
        (["--machine", "press-9", "--out", "a.html"], "--machine press-9: there are press-1, press-2, cnc-7"),
        (["--out", "a.pdf"], "must end in .html or .xlsx"),
    ],
)
def test_a_wrong_question_is_answered_with_what_would_be_right(
    site_file: Path, options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(site_file), *options]) == 2
    assert says in capsys.readouterr().err


def test_without_anything_recorded_the_answer_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = plant.site_file(tmp_path)
    assert main(["report", str(path), "--out", str(tmp_path / "a.html")]) == 1
    assert f"{tmp_path}/data/journal does not exist" in capsys.readouterr().err


def test_a_date_before_the_journal_began_is_answered_with_what_it_covers(
    site_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(site_file), "--date", "2026-11-20", "--out", str(tmp_path / "a.html")]) == 1
    assert re.search(r"covers 2026-11-23 05:\d\d to 2026-11-24 07:30", capsys.readouterr().err)


def test_a_place_that_cannot_be_written_is_a_failure_in_one_line(
    site_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(site_file), "--out", str(tmp_path / "nowhere" / "a.html")]) == 1
    assert "nowhere" in capsys.readouterr().err
