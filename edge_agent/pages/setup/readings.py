"""What the byte-order wizard says: for each address every plausible reading, the best first; one is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, html
from edge_agent.pages.tools import shown
from edge_agent.pages.words import Words

# The best is nearly always among the first; a click shows the rest.
_FIRST: Final = 3
_VALUES: Final = 4


class Readings:
    """A table an address; `use` is told which reading was chosen."""

    def __init__(self, words: Words, use: Callable[[Mapping[str, Any]], None]) -> None:
        self._words = words
        self._use = use
        self._box = ui.element("div").classes("readings")

    def show(self, readings: Sequence[Mapping[str, Any]]) -> None:
        """These, and no others."""
        self._box.clear()
        with self._box:
            for address, group in groupby(readings, key=lambda one: one["address"]):
                self._address(str(address), list(group))
            if not readings:
                html(Markup('<p class="soft">{}</p>').format(self._words("setup.modbus.nothing")))

    def _address(self, address: str, readings: list[Mapping[str, Any]]) -> None:
        about = str(readings[0]["about"]).partition("; ")
        with attributes(ui.element("article").classes("address"), data_address=address):
            html(
                Markup('<header><b>{}</b><small class="soft">{}<br>{}</small></header>').format(
                    address, self._words.told(about[0].partition(" is ")[2]), self._words.told(about[2])
                )
            )
            for reading in readings[:_FIRST]:
                self._row(reading)
            if len(readings) > _FIRST:
                with ui.expansion(self._words("setup.modbus.more", n=len(readings) - _FIRST)).props("dense"):
                    for reading in readings[_FIRST:]:
                        self._row(reading)

    def _row(self, reading: Mapping[str, Any]) -> None:
        with ui.element("div").classes("reading"):
            html(_reading(reading, self._words)).classes("grow")
            ui.button(self._words("setup.modbus.use"), on_click=lambda: self._use(reading)).props(
                "no-caps dense outline"
            ).mark("use")


def _reading(reading: Mapping[str, Any], words: Words) -> Markup:
    values = [shown.value(one) for one in reading["values"]]
    told = values[0] if len(set(values)) == 1 else " → ".join(values[-_VALUES:])
    return Markup(
        '<div class="reading-main"><span class="score" title="{score}"><i style="width:{score}%"></i></span>'
        '<span class="how"><b>{type}</b> {order}</span>'
        '<span class="live">{values}</span><small class="soft">{why}</small></div>'
    ).format(
        score=reading["score"],
        type=reading["type"],
        order=reading["order"],
        values=told,
        why="; ".join(map(words.told, str(reading["why"]).split("; "))),
    )
