"""The OEE report as a workbook."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from xlsxwriter import Workbook

from edge_agent.core import catalog, kpi
from edge_agent.core.cell import Cell
from edge_agent.core.report import OPEN
from edge_agent.report.book import lists
from edge_agent.report.book.figures import Elements, Figure, kpi_sheet, losses_sheet
from edge_agent.report.book.lists import Page
from edge_agent.report.book.sheet import Book, Column, Formula, Sheet, Value
from edge_agent.report.model import MachinePage, OeeDocument, Trace
from edge_agent.report.words import Language, Words, window_name

SHOWN: Final = (
    "oee", "availability_classic", "performance_classic", "quality_count", "availability_iso", "effectiveness_iso",
    "data_coverage",
)  # fmt: skip


def oee_book(document: OeeDocument, language: Language) -> bytes:
    """The file's content."""
    words = Words(language, document.head.zone)
    pages: list[Page] = [
        (number, (page.id, window_name(page.record.window, words)), page)
        for number, page in enumerate(document.machines, 1)
    ]
    content = BytesIO()
    with Workbook(content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as workbook:
        workbook.set_properties({"title": words("title.oee"), "comments": f"edge-agent {document.head.version}"})
        book = Book(workbook)
        # Stretches are written first, for the others are computed from them; what is read first stands first.
        for title in ("summary", "book.kpis", "book.losses", "elements", "book.stretches"):
            workbook.add_worksheet(words(title))
        _fill(book, words, document, pages)
    return content.getvalue()


def _fill(book: Book, words: Words, document: OeeDocument, pages: Sequence[Page]) -> None:
    places, whole = lists.stretches(book, words, pages)
    figures = [_figure(number, key, page, whole) for number, key, page in pages]
    elements = Elements(book, words, places, metered=any(figure.cell.energy.metered for figure in figures))
    rows = [(elements.add(figure), figure) for figure in figures]
    if len(rows) > 1:
        total = Figure((words("book.sum"), ""), sum((figure.cell for figure in figures), Cell()), None)
        rows.append((elements.add_sum(total.key[0], [row for row, _ in rows], total.cell), total))
    kpis = kpi_sheet(book, words, elements, rows, document.machines[0].record.window.kind)
    losses_sheet(book, words, elements, rows)
    _summary(book, words, document, kpis)
    for fill in (lists.reasons, lists.hours, lists.jobs, lists.products, lists.measured, lists.revisions):
        fill(book, words, pages)
    lists.groups(book, words, document.groups)
    _formulas(book, words)


def _figure(number: int, key: tuple[str, str], page: MachinePage, whole: set[int]) -> Figure:
    """The stretches stand behind its figures only if they are all there and give what the record says."""
    is_behind = number in whole and page.trace in (Trace.SAME, Trace.FRESH)
    return Figure(key, page.cell, number if is_behind else None)


def _summary(book: Book, words: Words, document: OeeDocument, kpis: Sheet) -> None:
    columns = [
        Column(words("machine")), Column(words("record.window"), width=26), Column(words("line")),
        Column(words("from"), width=27), Column(words("until"), width=27),
        *(Column(words(f"kpi.{name}"), "ratio", name) for name in SHOWN),
        Column(words("total"), "whole", "pq"), Column(words("good"), "whole", "gq"),
        Column(words("scrap"), "whole", "sq"), Column(words("rework"), "whole", "rq"),
        Column(words("record.state")), Column(words("record.revision"), "whole"),
        Column(words("record.as_of"), width=27), Column(words("record.config_hash")),
        Column(words("trace"), width=40), Column(words("flags"), width=60),
    ]  # fmt: skip
    head = document.head
    notes = [
        " · ".join((words("title.oee"), *head.place, head.agent)),
        f"{words('head.until')} {words.moment(head.until, seconds=True)} · {words('head.made')} "
        f"{words.moment(head.made)} · {words('head.zone')} {head.zone} · edge-agent {head.version}",
    ]
    if head.passed_over:
        notes.append(words("head.passed_over", n=head.passed_over))
    sheet = Sheet(book, words("summary"), columns, notes)
    for at, page in enumerate(document.machines):
        sheet.row(_summary_row(words, page, kpis, kpis.first + at))
    sheet.filter()


def _summary_row(words: Words, page: MachinePage, kpis: Sheet, row: int) -> list[Value]:
    record, cell, known = page.record, page.cell, kpi.kpis(page.cell)
    places = {column.name: kpis.place(row, at, of_sheet=True) for at, column in enumerate(kpis.columns)}
    until = words.moment_with_offset(record.window.end) if record.window.end < OPEN else "…"
    return [
        page.id, window_name(record.window, words), page.line, words.moment_with_offset(record.window.start), until,
        *(None if known[name] is None else Formula(f"={places[name]}", known[name]) for name in SHOWN),
        cell.pq, cell.gq, cell.sq, cell.rq, words("record.final" if record.final else "record.provisional"),
        record.revision, words.moment_with_offset(record.as_of), record.config_hash, words(f"trace.{page.trace}"),
        " ".join(f"{flag}: {words.of('flag.', flag)}" for flag in record.flags),
    ]  # fmt: skip


def _formulas(book: Book, words: Words) -> None:
    columns = [
        Column(words("name"), width=30), Column(words("kpi"), width=44), Column(words("formula"), width=70),
        Column(words("unit")), Column(words("source")),
    ]  # fmt: skip
    sheet = Sheet(book, words("book.formulas"), columns, [words("kpis.note")])
    for one in (*catalog.ALL, *catalog.ORDER, *catalog.ENERGY):
        sheet.row([one.name, words.of("kpi.", one.name), one.formula, one.unit, one.source])
