"""The sheets of lists: stretches, reasons of stops, hours, jobs, products, revisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge_agent.core import kpi
from edge_agent.core.cell import Cell
from edge_agent.core.rollup import Rollup
from edge_agent.report import sections
from edge_agent.report.book.figures import Stretches, of_ns
from edge_agent.report.book.sheet import Book, Column, Formula, Sheet, Value
from edge_agent.report.draw.timeline import reason_text
from edge_agent.report.model import MachinePage
from edge_agent.report.words import Words, window_name

Page = tuple[int, tuple[str, str], MachinePage]
"""Its number, from 1; machine and window as they are written; itself."""

MADE: Final = ("pq", "gq", "sq", "rq")


def stretches(book: Book, words: Words, pages: Sequence[Page]) -> tuple[Stretches, set[int]]:
    """Every stretch of time behind the sums: where they stand, and the pages that have all of theirs there."""
    columns = [
        Column("#", "whole", width=5), Column(words("machine")), Column(words("record.window"), width=26),
        Column(words("from"), "time"), Column(words("until"), "time"), Column("UTC", width=29),
        Column(words("name"), width=12), Column(words("bucket"), width=24), Column(words("timeline.state")),
        Column(words("pareto.reason"), width=26), Column(words("book.begins"), "whole"),
        Column(words("book.seconds"), "seconds"),
    ]  # fmt: skip
    sheet = Sheet(book, words("book.stretches"), columns, [words("book.stretches.note")])
    whole: set[int] = set()
    for number, key, page in pages:
        for one in page.slices:
            if not sheet.has_room:
                break
            reason = reason_text(one.reason, words) if one.reason else ""
            sheet.row([
                number, *key, words.local(one.start), words.local(one.end), words.utc(one.start), one.bucket,
                words(f"bucket.{one.bucket}"), words(f"state.{one.state.name}"), reason, int(one.begins),
                of_ns(one.length),
            ])  # fmt: skip
        else:
            if page.slices:
                whole.add(number)
    sheet.filter()
    if not sheet.has_room:
        sheet.note(words("book.cut"))
    return Stretches(sheet.whole(0), sheet.whole(6), sheet.whole(11)), whole


def reasons(book: Book, words: Words, pages: Sequence[Page]) -> None:
    """Why the machines stopped."""
    columns = [
        Column(words("machine")), Column(words("record.window"), width=26), Column(words("bucket"), width=24),
        Column(words("timeline.state")), Column(words("pareto.reason"), width=30),
        Column(words("pareto.count"), "whole"), Column(words("book.seconds"), "seconds"),
        Column(words("share_of_pbt"), "ratio"),
    ]  # fmt: skip
    sheet = Sheet(book, words("pareto"), columns, [words("pareto.note")])
    for _, key, page in pages:
        for one in page.reasons:
            if sheet.has_room:
                reason = reason_text(one.reason, words) if one.reason else ""
                share = kpi.ratio(one.time, page.cell.pbt)
                sheet.row([
                    *key, words(f"bucket.{one.bucket}"), words(f"state.{one.state.name}"), reason, one.count,
                    of_ns(one.time), share,
                ])  # fmt: skip
    sheet.filter()


def hours(book: Book, words: Words, pages: Sequence[Page]) -> None:
    """What was made hour by hour."""
    told = [(key, (words.local(one.start),), one.cell) for _, key, page in pages for one in page.hours]
    _cells(book, words, words("hours"), [Column(words("from"), "time")], told)


def jobs(book: Book, words: Words, pages: Sequence[Page]) -> None:
    """What was made of what, and when."""
    told = [
        (key, (words.local(one.start), words.local(one.end), one.product, one.order), one.cell)
        for _, key, page in pages
        for one in page.jobs
    ]
    columns = [Column(words("from"), "time"), Column(words("until"), "time"), Column(words("product")),
               Column(words("order"))]  # fmt: skip
    _cells(book, words, words("jobs"), columns, told)


def products(book: Book, words: Words, pages: Sequence[Page]) -> None:
    """What was made of each product."""
    told = [(key, (name,), cell) for _, key, page in pages for name, cell in page.record.products.items()]
    _cells(book, words, words("products"), [Column(words("product"))], told)


def _cells(
    book: Book,
    words: Words,
    title: str,
    columns: Sequence[Column],
    rows: Sequence[tuple[tuple[str, str], Sequence[Value], Cell]],
) -> None:
    """Cells with what OEE is made of, and OEE as a formula; no sheet if there are none."""
    if not rows:
        return
    parts = ("pbt", "apt", "credited", "micro", "ipt", "igt")
    heads = [Column(words("machine")), Column(words("record.window"), width=26), *columns]
    at = len(heads)
    heads += [Column(words(f"element.{name}"), "whole", name) for name in MADE]
    heads += [Column(words(f"element.{name}"), "seconds", name) for name in parts]
    heads += [Column(words(f"kpi.{name}"), "ratio", name) for name in RATIOS]
    sheet = Sheet(book, title, heads)
    for key, first, cell in rows:
        if not sheet.has_room:
            break
        places = {name: sheet.place(sheet.next, at + n) for n, name in enumerate((*MADE, *parts))}
        values: list[Value] = [*key, *first, *(getattr(cell, name) for name in MADE)]
        values += [getattr(cell, name) if name in ("ipt", "igt") else of_ns(getattr(cell, name)) for name in parts]
        known = kpi.kpis(cell)
        values += [
            None if known[name] is None else Formula("=" + how.format(**places), known[name])
            for name, how in RATIOS.items()
        ]
        sheet.row(values)
    sheet.filter()


RATIOS: Final = {
    "oee": "{igt}/{pbt}",
    "availability_classic": "({apt}+{credited}+{micro})/{pbt}",
    "performance_classic": "{ipt}/({apt}+{credited}+{micro})",
    "quality_count": "{gq}/{pq}",
}


def measured(book: Book, words: Words, pages: Sequence[Page]) -> None:
    """What was measured of the pieces; no sheet if nothing was."""
    rows = [(key, name, one) for _, key, page in pages for name, one in sections.measured_rows(page.cell)]
    if not rows:
        return
    numbers = ("mean", "s", "min", "max", "lsl", "usl", "s_bar", *sections.INDICES)
    columns = [
        Column(words("machine")), Column(words("record.window"), width=26),
        Column(words("spc.characteristic"), width=20), Column("n", "whole"),
        *(Column(name, "plain") for name in numbers), Column(words("flags"), width=24),
    ]  # fmt: skip
    sheet = Sheet(book, words("spc"), columns, [words("spc.note")])
    for key, name, one in rows:
        sheet.row([*key, name, one["n"], *(one[number] for number in numbers), " ".join(one["flags"])])


def groups(book: Book, words: Words, rollups: Sequence[Rollup]) -> None:
    """Lines, areas, the site; no sheet if there are none."""
    if not rollups:
        return
    columns = [
        Column(words("groups"), width=24), Column(words("record.window"), width=26), Column(words("record.state")),
        Column(words("kpi.oee"), "ratio"), Column("A", "ratio"), Column("P", "ratio"), Column("Q", "ratio"),
        Column(words("total"), "whole"), Column(words("good"), "whole"), Column(words("coverage"), "ratio"),
        Column(words("group.paced"), width=20), Column(words("record.config_hash")),
        Column(words("machines"), width=40), Column(words("flags"), width=60),
    ]  # fmt: skip
    sheet = Sheet(book, words("groups"), columns, [words("groups.note"), words("groups.line")])
    for one in rollups:
        sheet.row([
            words(f"group.{one.kind}", name=one.id), window_name(one.window, words),
            words("record.final" if one.final else "record.provisional"), *sections.group(one), one.config_hash,
            ", ".join(member.machine for member in one.members),
            " ".join(f"{flag}: {words.of('flag.', flag)}" for flag in one.flags),
        ])  # fmt: skip


def revisions(book: Book, words: Words, pages: Sequence[Page]) -> None:
    """The agent's own records of each window."""
    columns = [
        Column(words("machine")), Column(words("record.window"), width=26), Column(words("record.revision"), "whole"),
        Column(words("record.state")), Column(words("record.as_of"), width=28), Column(words("record.config_hash")),
        Column(words("kpi.oee"), "ratio"), Column(words("total"), "whole"), Column(words("good"), "whole"),
    ]  # fmt: skip
    sheet = Sheet(book, words("revisions"), columns)
    for _, key, page in pages:
        for one in page.revisions:
            sheet.row([
                *key, one.revision, words("record.final" if one.final else "record.provisional"),
                words.moment_with_offset(one.as_of), one.config_hash, kpi.kpis(one.cell)["oee"],
                one.cell.pq, one.cell.gq,
            ])  # fmt: skip
