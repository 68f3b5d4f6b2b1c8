"""Digitalisation: indices, a ladder for each piece of equipment, data quality, the questionnaire, downloads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.chart import larger
from edge_agent.pages.parts import card, html, put
from edge_agent.pages.tools.ladder import indices, ladder
from edge_agent.pages.tools.look import style
from edge_agent.pages.tools.radar import radar, six
from edge_agent.pages.tools.sme import sme
from edge_agent.pages.visit import Visit

# The agent itself says the same for two seconds, and little of it changes within a minute.
EVERY_S: Final = 5.0
FRESH_S: Final = 4.0

Said = Mapping[str, Any]


async def show(visit: Visit) -> None:
    """Put the page together."""
    style()
    page = _Digital(visit)
    await page.refresh()
    visit.every(EVERY_S, page.refresh)


class _Digital:
    """What is drawn."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._chosen = ""
        self._drawn = ""
        self._said: Said = {}
        words = visit.words
        self._head = html("").classes("spaced")
        with ui.element("div").classes("two"):
            with card(words("indices")):
                self._indices = html("")
            with card(words("digital.radar")):
                self._choice = ui.select({"": words("digital.plant")}, value="", on_change=self._choose).props(
                    "dense outlined options-dense"
                )
                self._radar = ui.echart({}).classes("chart radar")
                self._six = html("")
        with card(words("digital.ladder")):
            self._ladder = html("")
        with card(words("digital.sme")):
            self._sme = html("")

    async def refresh(self) -> None:
        """Ask, and draw what is new."""
        said = await self._visit.shared("/digital", FRESH_S)
        visit, words = self._visit, self._visit.words
        put(self._head, head(said, visit))
        put(self._indices, indices(said, words))
        put(
            self._ladder,
            ladder(said, words)
            if said["devices"]
            else Markup('<p class="note">{}</p>').format(words("digital.no_assets")),
        )
        put(self._sme, sme(said, words))
        names = {"": words("digital.plant"), **{name: one["entry"]["title"] for name, one in said["devices"].items()}}
        if names != self._choice.options:
            self._choice.set_options(names, value=self._chosen if self._chosen in names else "")
        self._said = said
        self._draw()

    def _choose(self, event: Any) -> None:
        self._chosen = event.value or ""
        if self._said:
            self._draw()

    def _draw(self) -> None:
        quality = self._said["quality"] if not self._chosen else self._said["devices"][self._chosen]["quality"]
        put(self._six, six(quality, self._visit.words))
        drawn = larger(radar(quality, self._visit.words, dark=self._visit.dark), self._visit.scale)
        if str(drawn) != self._drawn:
            self._drawn = str(drawn)
            self._radar.options.clear()
            self._radar.options.update(drawn)
            self._radar.update()


def head(said: Said, visit: Visit) -> Markup:
    """Since when it was looked, what that is, and the downloads."""
    words = visit.words
    note_ = words(
        "digital.note", since=moment(said["since"], visit.zone), until=moment(said["until"], visit.zone),
        observed=words.length(said["observed_s"]),
    )  # fmt: skip
    files = (("report.html", "report", "description"), ("report.xlsx", "workbook", "table_view"),
             ("sme.html", "sme_report", "fact_check"), ("catalogue.csv", "catalogue", "list_alt"))  # fmt: skip
    links = Markup("").join(
        Markup(
            '<a class="file" href="/digital/{0}?lang={1}" download>'
            '<i class="material-icons" aria-hidden="true">{2}</i>{3}</a>'
        ).format(name, words.language, icon, words(f"digital.{text}"))
        for name, text, icon in files
    )
    register = (
        Markup("") if said["register"]["kept"] else Markup('<p class="remark">{}</p>').format(words("register.none"))
    )
    return Markup(
        '<section class="card lead"><div><p class="soft">{}</p>{}</div><div class="files">{}</div></section>'
    ).format(note_, register, links)


def moment(ms: int, zone: str) -> str:
    """Date and wall clock of the site."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
