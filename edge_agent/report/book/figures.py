"""The sheets of figures, a row a window of a machine: elements, and what follows from them by formulas.

Elements that stretches of time add up to are sums over the sheet of stretches; KPIs, losses and SEMI E10 states are
formulas over the elements in the same row. So a reader may change a number and see what follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from edge_agent.core import catalog, losses
from edge_agent.core.catalog import Definition
from edge_agent.core.cell import Cell
from edge_agent.core.kpi import SECOND
from edge_agent.report import sections
from edge_agent.report.book.sheet import Book, Column, Formula, Look, Sheet, Value
from edge_agent.report.words import Words

SUMS: Final[Mapping[str, str]] = {
    "pbt": "apt + micro + aust + adet_fault + adet_other + maint + adot + unk - excluded",
    "pot": "ct - nst",
    "ct": "nst + pdot + pbt + excluded",
}
"""Elements that are sums of others (domain 2.1)."""

SEMI: Final[Mapping[str, str]] = {
    "PRD": "apt + credited",
    "SBY": "ct - PRD - ENG - SDT - UDT - NST - UNKNOWN",
    "ENG": "trial",
    "SDT": "aust - trial + pmt",
    "UDT": "cmt",
    "NST": "nst",
    "UNKNOWN": "unk - credited",
}
"""SEMI E10 states, see `core.semi`; standby is the rest."""

LOSSES: Final[Mapping[str, str]] = {
    "no_order": "adot", "maint": "maint", "other": "adet_other", "fault": "adet_fault", "setup": "aust",
    "micro": "micro", "unknown": "unk - excluded - credited", "speed": "apt + credited - ipt", "quality": "ipt - igt",
    "good": "igt",
}  # fmt: skip
"""The waterfall, see `core.kpi.waterfall`."""

SIX: Final[Mapping[str, str]] = {
    "breakdowns": "adet_fault", "setup_and_adjustment": "aust", "small_stops": "micro",
    "reduced_speed": "apt + credited - ipt", "defects": "ipt - igt - ist", "startup_rejects": "ist",
    "unclassified": "adet_other + maint + adot + unk - excluded - credited",
}  # fmt: skip
"""The Six Big Losses, see `core.losses`."""


class Figure(NamedTuple):
    """A row: which window of which machine, its vector, and the number of its stretches (None: not listed)."""

    key: tuple[str, str]
    cell: Cell
    stretches: int | None


class Stretches(NamedTuple):
    """Where stretches stand: their numbers, buckets and lengths as ranges of another sheet."""

    numbers: str
    buckets: str
    seconds: str


def excel(formula: str, places: Mapping[str, str]) -> str:
    """A formula of the catalogue over cells."""
    return "=" + re.sub(r"[A-Za-z]\w*", lambda match: places[match[0]], formula)


class Elements:
    """The first sheet of figures: the others are computed from it."""

    def __init__(self, book: Book, words: Words, places: Stretches, *, metered: bool) -> None:
        self._words = words
        self._stretches = places
        self._names = (*sections.ELEMENTS, *SEMI, *(sections.ENERGIES if metered else ()))
        columns = [Column(words("machine")), Column(words("record.window"), width=26)]
        columns += [Column(_label(words, name), _look(name), name, SUMS.get(name, SEMI.get(name, "")))
                    for name in self._names]  # fmt: skip
        self.sheet = Sheet(book, words("elements"), columns, [words("book.elements")])

    def places(self, row: int) -> dict[str, str]:
        """Element → the cell that has it, as other sheets name it."""
        return {name: self.sheet.place(row, 2 + at, of_sheet=True) for at, name in enumerate(self._names)}

    def add(self, figure: Figure) -> int:
        """Write a row; returns its number."""
        known = catalog.elements(figure.cell)
        here = {name: self.sheet.place(self.sheet.next, 2 + at) for at, name in enumerate(self._names)}
        values: list[Value] = [*figure.key]
        for name in self._names:
            value = known[name] if name in known else _semi(figure.cell, name)
            values.append(self._element(name, value, figure.stretches, here))
        return self.sheet.row(values)

    def add_sum(self, label: str, rows: Sequence[int], cell: Cell) -> int:
        """Write the sum of all rows."""
        known = catalog.elements(cell)
        values: list[Value] = [label, ""]
        for at, name in enumerate(self._names):
            low, high = (self.sheet.place(row, 2 + at) for row in (rows[0], rows[-1]))
            value = known[name] if name in known else _semi(cell, name)
            values.append(Formula(f"=SUM({low}:{high})", value))
        return self.sheet.row(values, is_sum=True)

    def _element(self, name: str, value: Fraction | None, stretches: int | None, here: Mapping[str, str]) -> Value:
        if formula := SUMS.get(name) or SEMI.get(name):
            return Formula(excel(formula, here), value)
        if stretches is None or name not in (*sections.BUCKETS,):
            return value
        buckets = ("unk", "excluded") if name == "unk" else (name,)
        s = self._stretches
        told = "+".join(f'SUMIFS({s.seconds},{s.numbers},{stretches},{s.buckets},"{one}")' for one in buckets)
        return Formula("=" + told, value)


def kpi_sheet(book: Book, words: Words, elements: Elements, rows: Sequence[tuple[int, Figure]], kind: str) -> Sheet:
    """Every KPI of the catalogue, its formula above it; what is not defined is empty."""
    metered = [bool(figure.cell.energy.metered) for _, figure in rows]
    definitions = catalog.definitions_of(kind, metered=any(metered))
    columns = [Column(words("machine")), Column(words("record.window"), width=26)]
    columns += [Column(words.of("kpi.", one.name), _kpi_look(one), one.name, one.formula) for one in definitions]
    sheet = Sheet(book, words("book.kpis"), columns, [words("book.kpis.note")])
    for row, figure in rows:
        values = catalog.kpi_values(figure.cell, kind)
        if not figure.key[1] and not all(metered):      # pieces of machines without a meter took energy, too
            values |= dict.fromkeys(sections.PER_PIECE)
        places = elements.places(row)
        places |= {one.name: sheet.place(sheet.next, 2 + at) for at, one in enumerate(definitions)}
        told: list[Value] = [*figure.key]
        for one in definitions:
            value = values.get(one.name)
            told.append(None if value is None else Formula(excel(one.formula, places), value))
        sheet.row(told, is_sum=not figure.key[1])
    return sheet


def losses_sheet(book: Book, words: Words, elements: Elements, rows: Sequence[tuple[int, Figure]]) -> Sheet:
    """The waterfall, which adds up to planned busy time, and the Six Big Losses."""
    columns = [Column(words("machine")), Column(words("record.window"), width=26)]
    columns.append(Column(words("loss.pbt"), "seconds", "pbt"))
    columns += [Column(words(f"loss.{name}"), "seconds", name, formula) for name, formula in LOSSES.items()]
    columns.append(Column(words("book.rest"), "seconds", "", words("book.rest.note")))
    columns += [Column(words(f"six.{name}"), "seconds", name, formula) for name, formula in SIX.items()]
    sheet = Sheet(book, words("book.losses"), columns, [words("book.losses.note")])
    for row, figure in rows:
        places, known = elements.places(row), catalog.elements(figure.cell)
        waterfall = {step.key: step.value for step in losses.steps(figure.cell)}
        pbt = sheet.place(sheet.next, 2)
        first, last = sheet.place(sheet.next, 3), sheet.place(sheet.next, 2 + len(LOSSES))
        told: list[Value] = [*figure.key, Formula(f"={places['pbt']}", known["pbt"])]
        told += [Formula(excel(formula, places), waterfall[name]) for name, formula in LOSSES.items()]
        told.append(Formula(f"=ROUND({pbt}-SUM({first}:{last}),6)", 0))
        six = dict(sections.six(figure.cell))
        told += [Formula(excel(formula, places), six[name]) for name, formula in SIX.items()]
        sheet.row(told, is_sum=not figure.key[1])
    return sheet


def _label(words: Words, name: str) -> str:
    return words.of("element.", name) if name not in SEMI else f"SEMI E10 {words(f'e10.{name}')}"


def _look(name: str) -> Look:
    return "whole" if name in sections.COUNTED else "number" if name in ("psq", "epc") else "seconds"


def _kpi_look(one: Definition) -> Look:
    return {"1": "ratio", "s": "seconds"}.get(one.unit, "number")  # type: ignore[return-value]


def _semi(cell: Cell, name: str) -> Fraction:
    return next(seconds for state, seconds, _ in sections.e10_rows(cell) if state == name)


def of_ns(ns: int) -> Fraction:
    """Seconds, exact."""
    return Fraction(ns, SECOND)
