"""Reading pages and workbooks as another program would: the text of HTML, formulas computed again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from openpyxl import Workbook

VOID = {"meta", "br", "link", "img"}
REFERENCE = re.compile(r"(?:'([^']+)'!)?(\$?[A-Z]{1,3}\$?\d+(?::\$?[A-Z]{1,3}\$?\d+)?)")


class Sums:
    """Just enough of a spreadsheet: + − * /, SUM, SUMIFS and ROUND over numbers."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._known: dict[tuple[str, str], list[Any]] = {}

    def value(self, sheet: str, place: str) -> Any:
        told = self._book[sheet][place.replace("$", "")].value
        return self.compute(sheet, told[1:]) if isinstance(told, str) and told.startswith("=") else told

    def values(self, sheet: str, places: str) -> list[Any]:
        if (sheet, places) not in self._known:
            cells = [cell.coordinate for row in self._book[sheet][places.replace("$", "")] for cell in row]
            self._known[sheet, places] = [self.value(sheet, place) for place in cells]
        return self._known[sheet, places]

    def compute(self, sheet: str, formula: str) -> Any:
        def python(match: re.Match[str]) -> str:
            many = "values" if ":" in match[2] else "value"
            return f"book.{many}({match[1] or sheet!r}, {match[2]!r})"

        text = REFERENCE.sub(python, formula)
        return eval(text, {"book": self, "SUM": total, "ROUND": round, "SUMIFS": sumifs})


def total(numbers: list[float | None]) -> float:
    return sum(number for number in numbers if number is not None)


def sumifs(numbers: list[float], *conditions: Any) -> float:
    found = 0.0
    for at, number in enumerate(numbers):
        if all(conditions[n][at] == conditions[n + 1] for n in range(0, len(conditions), 2)):
            found += number
    return found


def rows(book: Workbook, sheet: str) -> Iterator[dict[str, Any]]:
    """The rows of a table by the names, else labels, of its columns."""
    told = [[cell.value for cell in row] for row in book[sheet].iter_rows()]
    firsts = ("Machine", "#", "Name", "Equipment", "Device")
    head = next(at for at, row in enumerate(told) if row[0] in firsts and row[1])
    has_names = any(name and name in ("oee", "ct", "pbt") for name in told[head + 1])
    names = [name or label for label, name in zip(told[head], told[head + 1] if has_names else told[head], strict=True)]
    for row in told[head + 1 :]:
        if row[0]:
            yield dict(zip(names, row, strict=True))


class Text(HTMLParser):
    """The text of a page, and whether every element that was opened was closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.parts: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.parts.append(data)

    def __str__(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.parts))
