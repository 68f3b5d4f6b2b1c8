"""What a run leaves behind: the table, JUnit XML that parses, an HTML page that is whole in one file, progress."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from edge_agent_hil.runner.judge import judge
from edge_agent_hil.runner.junit import junit
from edge_agent_hil.runner.page import page
from edge_agent_hil.runner.progress import Progress
from edge_agent_hil.runner.svg import Picture
from edge_agent_hil.runner.table import summary, table
from tests.hil.played_runs import BEGIN, SECOND, played

EXPECT: dict[str, Any] = {"live within": "2s", "lost": 0, "log": ["<never> & nowhere"]}
FAULT = {"at": "8s", "wire": "broker", "fault": "black-hole", "for": "3s"}


class Whole(HTMLParser):
    """Counts what is open, and what comes from elsewhere."""

    VOID = ("meta", "br", "rect", "line", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elsewhere: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "svg"
        self.elsewhere += [
            str(value) for key, value in attrs if key in ("src", "href") and not str(value).startswith("#")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed at once."""

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_in_one_file_with_pictures_and_whatever_a_log_says_in_it(tmp_path: Path) -> None:
    run = played(tmp_path, EXPECT, [FAULT])
    run.log = "<script>alert(1)</script> & so on\n"
    document = page([(run, judge(run))])
    whole = Whole()
    whole.feed(document)
    assert whole.open == []
    assert whole.elsewhere == []
    assert whole.pictures == 4
    assert "<script>" not in document
    assert "1 failed" in document
    assert "&lt;never&gt; &amp; nowhere" in document
    assert document.count('class="fault"') == 4, "every picture shows the fault"
    assert not re.search(r"https?://(?!www\.w3\.org)", document)


def test_junit_xml_has_a_suite_a_scenario_and_a_case_a_verdict(tmp_path: Path) -> None:
    run = played(tmp_path, {**EXPECT, "log": ["never", "nowhere"]})
    run.log = "odd \x00 \x1b[31m bytes"
    root = ElementTree.fromstring(junit([(run, judge(run))]))
    (suite,) = root
    cases = suite.findall("testcase")
    assert suite.attrib["name"] == "made"
    assert int(root.attrib["tests"]) == len(cases) == len(judge(run))
    assert root.attrib["failures"] == "2"
    assert [case.attrib["name"] for case in cases if case.find("failure") is not None] == ["log", "log 2"]
    assert len({case.attrib["name"] for case in cases}) == len(cases)


def test_the_table_says_what_failed_and_why_within_a_hundred_columns(tmp_path: Path) -> None:
    run = played(tmp_path, EXPECT)
    del run.heard.samples["cnc-7", "total"][30:36]
    lines = table(run, judge(run))
    assert lines[0] == "made: made"
    (lost,) = [place for place, line in enumerate(lines) if line.startswith("  FAIL lost")]
    assert lines[lost].split() == ["FAIL", "lost", "<=", "0", "6"]
    assert "and 1 more" in " ".join(lines[lost:])
    assert max(map(len, lines)) <= 100
    assert "FAILED: made" in summary([(run, judge(run))])[0]


def test_without_a_terminal_progress_is_a_line_a_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2) as progress:
        progress.begin("one")
        progress.tell("runs", 0.5)
        progress.end(["one: fine"])
    said = capsys.readouterr()
    assert said.err == "1/2 one …\n"
    assert said.out == "one: fine\n"


def test_a_picture_keeps_what_lies_outside_within_its_frame() -> None:
    picture = Picture(BEGIN, BEGIN + 10 * SECOND, 100, BEGIN)
    picture.steps([(BEGIN - SECOND, -1.0), (BEGIN + 20 * SECOND, 3.0)], 0.0, 1.0, "true")
    drawn = re.search(r'points="([^"]*)"', picture.svg("a curve"))
    assert drawn
    points = [tuple(map(float, pair.split(","))) for pair in drawn[1].split()]
    assert all(80 <= x <= 944 and 0 <= y <= 100 for x, y in points)
