"""Every text of the pages is there in both languages, with the same blanks, and every key that is asked for exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from edge_agent.pages import words
from edge_agent.pages.tools import shown
from edge_agent.pages.words import LANGUAGES, OWN, TEXTS, Words, milliseconds
from edge_agent.report.words import Words as OfReports

PAGES = Path(words.__file__).parents[1]
CHINESE = re.compile("[\u4e00-\u9fff]")
# What is said to those who read the other language.
NO_WORDS = {"shell.language", "shell.language.title"}


def blanks_of(text: str) -> set[str]:
    """The names of what is to be filled in."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("key", [key for table in OWN for key in table])
def test_a_text_is_there_in_both_languages_and_has_the_same_blanks(key: str) -> None:
    english, chinese = TEXTS[key]
    assert english
    assert chinese
    assert key in NO_WORDS or not CHINESE.search(english)
    assert blanks_of(english) == blanks_of(chinese)


def test_no_table_takes_a_key_of_another() -> None:
    keys = [key for table in OWN for key in table]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("path", sorted(PAGES.rglob("*.py")), ids=lambda path: str(path.relative_to(PAGES)))
def test_every_text_that_a_page_asks_for_exists_and_is_filled_in(path: Path) -> None:
    asked = [
        (str(node.args[0].value), {one.arg for one in node.keywords})
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        if isinstance(node.func, ast.Name | ast.Attribute)
        if (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in ("words", "_words")
    ]
    assert [key for key, _ in asked if key not in TEXTS] == []
    for key, given in asked:
        assert blanks_of(TEXTS[key][0]) <= given, key


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [(0.4, "0 s", "0 秒"), (59.9, "59 s", "59 秒"), (754, "12 min", "12 分"), (3900, "1 h 05 min", "1 时 05 分"),
     (100_000, "1 d 3 h", "1 天 3 时"), (None, "–", "–")],
)  # fmt: skip
def test_a_length_of_time_has_two_units_at_most(seconds: float | None, english: str, chinese: str) -> None:
    told = [Words(language).length(seconds).replace("\u202f", " ") for language in LANGUAGES]
    assert told == [english, chinese]


def test_what_is_not_known_is_a_dash_and_never_nought() -> None:
    english = Words("en")
    assert {english.percent(None), english.number(None), english.hour(None), english.moment(None)} == {"–"}
    assert english.percent(0.75678) == "75.7\u202f%"
    assert english.number(-1234.5, 1, "kWh") == "−1,234.5\u202fkWh"


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [(0.9996, 1, ">99.9"), (0.9994, 1, "99.9"), (1.0, 1, "100.0"), (1.0004, 1, "100.0"), (0.9999, 0, ">99"),
     (0.0004, 1, "<0.1"), (0.0, 1, "0.0"), (0.001, 0, "<1"), (0.756, 0, "76"), (-0.5, 1, "−50.0")],
)  # fmt: skip
def test_what_is_not_quite_all_or_nothing_is_not_shown_as_if_it_were(value: float, digits: int, told: str) -> None:
    assert Words("en").percent(value, digits) == f"{told}\u202f%"
    assert OfReports("en", "UTC").percent(value, digits) == f"{told}\u202f%"


def test_a_small_amount_is_not_shown_as_nought() -> None:
    english = Words("en")
    told = [english.number(one, 3) for one in (0.0, 0.00042, -0.00042, 0.42)]
    assert told == ["0.000", "0.00042", "−0.00042", "0.420"]


def test_the_last_digits_of_a_large_counter_are_seen_to_move() -> None:
    told = [shown.value(one) for one in (1234567.5, 12345678.0, 0.10000000149, 1e-9, 1e20, 7, True, None)]
    assert told == ["1,234,567.5", "12,345,678", "0.1", "1e-09", "1e+20", "7", "true", "–"]


def test_a_reason_of_the_site_is_shown_as_it_is_and_one_of_the_agent_in_words() -> None:
    assert (Words("en").reason("die change"), Words("zh").reason("STARVED"), Words("en").reason(None)) == (
        "die change", "缺料", "",
    )  # fmt: skip


def test_an_instant_keeps_its_offset() -> None:
    assert milliseconds("1970-01-01T08:00:01.250+08:00") == 1250
    assert Words("en").hour("2026-11-25T14:03:07.123+08:00", seconds=True) == "14:03:07"
