"""The Andon board: a tile a machine, and above them what lines and the site add up to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, html, note, script
from edge_agent.pages.tile import rollup, tile
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import Words

# A change is on the screen within a second and the time of one answer, half of that on average.
EVERY_S: Final = 1.0
# Screens that ask within so short a time are given the same answer.
FRESH_S: Final = 0.8


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
        if names != self._names:
            self._lay_out(*names)
            self._names = names
        markup = _markup(answer, self._visit.words)
        for row in rollups:
            self._draw(_key(row), markup[_key(row)])
        for row in machines:
            self._draw(str(row["id"]), markup[str(row["id"])], str(row.get("line") or ""))

    def _lay_out(self, rollups: tuple[str, ...], machines: tuple[str, ...]) -> None:
        self._drawn.clear()
        self._rollups.clear()
        self._board.clear()
        with self._rollups:
            self._drawn.update({name: attributes(html("").classes("place"), data_key=name) for name in rollups})
        with self._board:
            self._drawn.update({name: html("").classes("place") for name in machines})
            if not machines:
                note(self._visit.words("andon.none"))

    def _draw(self, name: str, markup: Markup, line: str = "") -> None:
        element = self._drawn[name]
        if element.content != markup:
            element.set_content(str(markup))
        if line and element.props.get("data-line") != line:
            attributes(element, data_line=line)


# What was drawn last in each language: ten screens that look at the same answer cost as much as one.
_kept: Final[dict[str, tuple[object, dict[str, Markup]]]] = {}


def _markup(answer: Mapping[str, Any], words: Words) -> dict[str, Markup]:
    """What is drawn of an answer, by the keys of roll-ups and the ids of machines."""
    kept = _kept.get(words.language)
    if kept is not None and kept[0] is answer:
        return kept[1]
    drawn = {_key(row): rollup(row, words) for row in answer["groups"]}
    drawn |= {str(row["id"]): tile(row, answer["time"], words) for row in answer["machines"]}
    _kept[words.language] = answer, drawn
    return drawn


def _key(row: Mapping[str, Any]) -> str:
    return f"{row['scope']}:{row['id']}"
