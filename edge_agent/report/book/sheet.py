"""One sheet of a workbook: a heading, columns that know how their numbers look, rows one below the other.

Text is never taken for a formula or a link, whatever it begins with. Instants are the wall clock, for a workbook
knows no time zones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Final, Literal, NamedTuple

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range_abs, xl_rowcol_to_cell

Look = Literal["text", "whole", "seconds", "ratio", "number", "plain", "time"]

LOOKS: Final[Mapping[Look, str]] = {
    "whole": "#,##0", "seconds": "#,##0.0##", "ratio": "0.00%", "number": "#,##0.0###",
    "plain": "General", "time": "yyyy-mm-dd hh:mm:ss",
}  # fmt: skip
WIDTHS: Final[Mapping[Look, int]] = {
    "text": 16, "whole": 10, "seconds": 13, "ratio": 11, "number": 13, "plain": 13, "time": 20,
}  # fmt: skip
ON_ONE_PAGE: Final = 14
"""Columns that can be read when they are as wide as a page together."""

MOST_ROWS: Final = 1_000_000
"""Rows a sheet takes; a workbook ends at 1,048,576."""


class Formula(NamedTuple):
    """What the workbook computes, and what that gives: for those who only look."""

    text: str
    value: Fraction | float | None


Value = str | float | Fraction | datetime | Formula | None


class Column(NamedTuple):
    """`name`: what the record calls it; `label`: what people do."""

    label: str
    look: Look = "text"
    name: str = ""
    note: str = ""
    width: int = 0


class Book:
    """A workbook and the formats that its sheets share."""

    def __init__(self, workbook: Workbook) -> None:
        self.workbook = workbook
        add = workbook.add_format
        self.looks: dict[Look, Format] = {"text": add({"valign": "top"})}
        self.sums: dict[Look, Format] = {"text": add({"bold": True, "top": 1})}
        for look, how in LOOKS.items():
            self.looks[look] = add({"num_format": how, "align": "right"})
            self.sums[look] = add({"num_format": how, "align": "right", "bold": True, "top": 1})
        self.title = add({"bold": True, "font_size": 14})
        self.head = add({"bold": True, "text_wrap": True, "valign": "top", "bottom": 2, "bg_color": "#EEF0F2"})
        self.soft = add({"font_color": "#5C6470", "text_wrap": True, "valign": "top", "font_size": 9})


class Sheet:
    """Rows of one table; `notes` stand between the title and it."""

    def __init__(self, book: Book, title: str, columns: Sequence[Column], notes: Sequence[str] = ()) -> None:
        self._book = book
        self.columns = columns
        self._sheet = book.workbook.get_worksheet_by_name(title) or book.workbook.add_worksheet(title)
        self._sheet.write_string(0, 0, title, book.title)
        for at, note in enumerate(notes):
            self._sheet.write_string(1 + at, 0, note)
        self._head = 2 + len(notes)
        self._heads()
        self.next = self.first
        self._sheet.freeze_panes(self.first, 1)
        self._sheet.set_landscape()
        self._sheet.set_paper(9)        # A4
        self._sheet.repeat_rows(self._head, self.first - 1)
        if len(columns) <= ON_ONE_PAGE:
            self._sheet.fit_to_pages(1, 0)
        else:
            self._sheet.repeat_columns(0, 1)

    def _heads(self) -> None:
        """Labels, below them names and below those notes, where columns have such."""
        book = self._book
        lines = [
            (told, look, height)
            for told, look, height in (
                ([column.label for column in self.columns], book.head, 48),
                ([column.name for column in self.columns], book.soft, 26),
                ([column.note for column in self.columns], book.soft, 62),
            )
            if any(told)
        ]
        for below, (_, _, height) in enumerate(lines):
            self._sheet.set_row(self._head + below, height)
        for at, column in enumerate(self.columns):
            self._sheet.set_column(at, at, column.width or WIDTHS[column.look])
            for below, (told, look, _) in enumerate(lines):
                self._sheet.write_string(self._head + below, at, told[at], look)
        self.first = self._head + len(lines)
        """the first row below the headings, from 0"""

    @property
    def has_room(self) -> bool:
        """Whether another row fits."""
        return self.next < MOST_ROWS

    def row(self, values: Sequence[Value], *, is_sum: bool = False) -> int:
        """Write the next row; returns its number, from 0."""
        looks = self._book.sums if is_sum else self._book.looks
        for at, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            self._write(at, value, looks[column.look])
        self.next += 1
        return self.next - 1

    def _write(self, at: int, value: Value, look: Format) -> None:
        if value is None:
            self._sheet.write_blank(self.next, at, None, look)
        elif isinstance(value, Formula):
            known = "" if value.value is None else float(value.value)
            self._sheet.write_formula(self.next, at, value.text, look, known)
        elif isinstance(value, datetime):
            self._sheet.write_datetime(self.next, at, value.replace(tzinfo=None), look)
        elif isinstance(value, str):
            self._sheet.write_string(self.next, at, value, look)
        else:
            self._sheet.write_number(self.next, at, float(value), look)

    def place(self, row: int, column: int, *, of_sheet: bool = False) -> str:
        """`C5`, or from another sheet `'Name'!C5`."""
        cell = xl_rowcol_to_cell(row, column)
        return f"{self.name}!{cell}" if of_sheet else str(cell)

    def whole(self, column: int) -> str:
        """A column's rows up to now, from another sheet, fixed."""
        low, high = self.first, max(self.next - 1, self.first)
        return f"{self.name}!{xl_range_abs(low, column, high, column)}"

    @property
    def name(self) -> str:
        """Quoted for a formula."""
        return "'" + str(self._sheet.get_name()).replace("'", "''") + "'"

    def note(self, text: str) -> None:
        """A line below the rows."""
        self._sheet.write_string(self.next, 0, text)
        self.next += 1

    def filter(self) -> None:
        """Let people filter the rows written up to now."""
        if self.next > self.first:
            self._sheet.autofilter(self.first - 1, 0, self.next - 1, len(self.columns) - 1)
