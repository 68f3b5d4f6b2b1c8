"""Earlier texts of the site file: when, by whom, what for; looked at, and put in force again by a click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, card, html, put
from edge_agent.pages.setup.bar import diff
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.masked import masked


class Versions:
    """The list, and the difference of one of them to what is in force."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._n = 0
        self._etag = ""     # of the file that the difference is to

    async def begin(self) -> None:
        """Ask which there are, and draw."""
        bench, words = self._bench, self._bench.words
        found = (await bench.visit.get("/config/versions"))["versions"]
        with card(
            words("setup.part.versions"), Markup('<span class="soft">{}</span>').format(words("setup.versions.note"))
        ):
            for one in found:
                self._version(one)
            if not found:
                html(Markup('<p class="note">{}</p>').format(words("setup.no_versions")))
        with ui.dialog().classes("sheet") as self._dialog, ui.element("div").classes("card detail"):
            with ui.element("div").classes("detail-head"):
                self._title = html("").classes("grow")
                ui.button(icon="close", on_click=self._dialog.close).props(
                    f'flat round dense aria-label="{words("shell.close")}"'
                )
            self._diff = html("").classes("diffbox")
            with ui.element("div").classes("applyrow"):
                html("").classes("grow")
                self._back = (
                    ui.button(words("setup.rollback"), on_click=self._roll_back)
                    .props("no-caps unelevated icon=restore")
                    .mark("rollback")
                )

    def _version(self, one: Mapping[str, Any]) -> None:
        words = self._bench.words
        note = words.told(one["note"]) or words("setup.versions.without_note")
        note = note if one["who"] else words("setup.versions.found")
        current = (
            Markup('<span class="badge place-own">{}</span>').format(words("setup.versions.current"))
            if one["current"]
            else Markup("")
        )
        with attributes(ui.element("div").classes("entry"), data_version=one["n"]):
            html(
                Markup('<div><b>{}</b> {} {}<small class="soft">{} · {}</small></div>').format(
                    one["n"], note, current, words.moment(one["at"], self._bench.visit.zone), one["who"] or "–"
                )
            ).classes("grow")
            if not one["current"]:
                ui.button(words("setup.versions.look"), on_click=lambda: self._look(one["n"])).props(
                    "no-caps outline icon=difference"
                )

    async def _look(self, n: int) -> None:
        async def ask() -> None:
            # Before the difference is made: what comes between the two is then found when it is put in force.
            self._etag = (await self._bench.visit.get("/config"))["etag"]
            found = await self._bench.visit.get(f"/config/versions/{n}")
            self._n = n
            put(self._title, Markup("<h2>{}</h2>").format(self._bench.words("setup.versions.title", n=n)))
            shown = masked(found["diff"], found["text"], self._bench.draft.base)
            put(self._diff, diff(shown, self._bench.words))
            self._dialog.open()

        await self._bench.visit.attempt(ask)

    async def _roll_back(self) -> None:
        """Put it in force; the draft begins anew."""
        bench, words = self._bench, self._bench.words
        self._back.props("loading")
        try:
            done = await bench.ask("/config/rollback", {"n": self._n, "etag": self._etag})
        finally:
            self._back.props(remove="loading")
        if done is None:
            return
        if not done["ok"]:
            bench.say(words.told(done["error"] or "") or words("setup.mistakes", n=len(done["mistakes"])), "negative")
            return
        self._dialog.close()
        bench.say(words("setup.applied", n=done["version"]), "positive")
        await bench.visit.attempt(bench.begin_anew)
