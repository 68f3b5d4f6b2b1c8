"""The Andon board: a tile a machine, and above them what lines and the site add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, html, note, script
from edge_agent.pages.tile import lasting, rollup, tile
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import Words

# A change is on the screen within this and the time of one answer; asking more often costs a small gateway more than
# anybody sees of it.
EVERY_S: Final = 0.7
# Screens that ask within so short a time are given the same answer; the agent makes none more often than that.
FRESH_S: Final = 0.5


async def show(visit: Visit) -> None:
    """Put the page together."""
    board = _Board(visit)
    await board.refresh()
    visit.every(EVERY_S, board.refresh)


class _Board:
    """What is drawn; only what has changed is sent to the browser."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        script("andon.js")
        self._rollups = ui.element("section").classes("rollups")
        self._board = ui.element("section").classes("board")
        self._drawn: dict[str, ui.html] = {}
        self._names: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    async def refresh(self) -> None:
        """Ask, and draw what is new."""
        answer = await self._visit.shared("/overview", FRESH_S)
        rollups = [row for row in answer["groups"] if row["scope"] != "area"]
        machines = answer["machines"]
        names = tuple(_key(row) for row in rollups), tuple(str(row["id"]) for row in machines)
        markup = _markup(answer, self._visit.words)
        if names != self._names:
            self._lay_out(*names, markup)
            self._names = names
        for row in rollups:
            self._draw(_key(row), markup[_key(row)])
        for row in machines:
            self._draw(str(row["id"]), markup[str(row["id"])], str(row.get("line") or ""))

    def _lay_out(self, rollups: tuple[str, ...], machines: tuple[str, ...], markup: Mapping[str, Markup]) -> None:
        self._drawn.clear()
        self._rollups.clear()
        self._board.clear()
        with self._rollups:
            for name in rollups:
                self._drawn[name] = attributes(html(markup[name]).classes("place"), data_key=name)
        with self._board:
            self._drawn.update({name: html(markup[name]).classes("place") for name in machines})
            if not machines:
                note(self._visit.words("andon.none"))

    def _draw(self, name: str, markup: Markup, line: str = "") -> None:
        element = self._drawn[name]
        if element.content != markup:
            element.set_content(str(markup))
        if line and element.props.get("data-line") != line:
            attributes(element, data_line=line)


@dataclass(frozen=True, slots=True)
class _Last:
    """What was drawn last in a language: of which answer, and by name of which row, lasting how long."""

    answer: object
    rows: Mapping[str, tuple[object, str]]
    markup: dict[str, Markup]


_NOTHING: Final = _Last(None, {}, {})
# Ten screens that look at the same answer cost as much as one, and what has not changed since the last one nothing.
_last: Final[dict[str, _Last]] = {}


def _markup(answer: Mapping[str, Any], words: Words) -> dict[str, Markup]:
    """What is drawn of an answer, by the keys of roll-ups and the ids of machines."""
    last = _last.get(words.language, _NOTHING)
    if last.answer is answer:
        return last.markup
    rows: dict[str, tuple[object, str]] = {_key(row): (row, "") for row in answer["groups"]}
    rows |= {str(row["id"]): (row, lasting(row, answer["time"], words)) for row in answer["machines"]}
    drawn = {
        name: last.markup[name] if last.rows.get(name) == row else _drawn(*row, words) for name, row in rows.items()
    }
    _last[words.language] = _Last(answer, rows, drawn)
    return drawn


def _drawn(row: Any, lasts: str, words: Words) -> Markup:
    return rollup(row, words) if "scope" in row else tile(row, lasts, words)


def _key(row: Mapping[str, Any]) -> str:
    return f"{row['scope']}:{row['id']}"
