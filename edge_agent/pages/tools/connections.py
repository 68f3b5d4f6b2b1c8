"""Connections: devices with their scans, destinations with what waits for them, the journal, certificates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.client import place
from edge_agent.pages.parts import attributes, card, html, note, put
from edge_agent.pages.tools.lines import certificate, destination, device, journal
from edge_agent.pages.tools.look import style
from edge_agent.pages.visit import Visit

EVERY_S: Final = 1.0
FRESH_S: Final = 0.8
# Certificates come and go when somebody does something about them.
CERTIFICATES_EVERY_S: Final = 10.0

Row = Mapping[str, Any]


async def show(visit: Visit) -> None:
    """Put the page together."""
    style()
    page = _Connections(visit)
    await page.refresh()
    visit.every(EVERY_S, page.refresh)


class _Connections:
    """What is drawn."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        words = visit.words
        self._most: dict[str, int] = {}
        self._looked = -CERTIFICATES_EVERY_S
        self._held: dict[str, str] = {}
        with card(words("connections.devices")):
            self._devices = ui.element("div").classes("linerows")
        with card(words("connections.destinations")):
            self._destinations = ui.element("div").classes("linerows")
        self._journal = html("").classes("spaced")
        with card(
            words("connections.certificates"),
            Markup('<span class="soft">{}</span>').format(words("connections.certificates.note")),
        ):
            self._certificates = ui.element("div").classes("certs")
        self._rows: dict[str, ui.html] = {}

    async def refresh(self) -> None:
        """Ask, and draw what is new."""
        visit = self._visit
        devices = (await visit.shared("/devices", FRESH_S))["devices"]
        told = await visit.shared("/destinations", FRESH_S)
        self._lay_out(self._devices, "device", devices, visit.words("connections.no_devices"))
        self._lay_out(
            self._destinations, "destination", told["destinations"], visit.words("connections.no_destinations")
        )
        for row in devices:
            put(self._rows[f"device:{row['id']}"], device(row, visit.words))
        for row in told["destinations"]:
            put(self._rows[f"destination:{row['id']}"], destination(row, self._share_done(row), visit.words))
        put(self._journal, journal(told["journal"], visit.words))
        if time.monotonic() - self._looked >= CERTIFICATES_EVERY_S:
            await self._look()

    def _lay_out(self, box: ui.element, kind: str, rows: list[Row], nothing: str) -> None:
        names = ",".join(row["id"] for row in rows)
        if self._held.get(kind) == names:
            return
        self._held[kind] = names
        box.clear()
        with box:
            for row in rows:
                place_ = html("").classes("lineplace")
                self._rows[f"{kind}:{row['id']}"] = attributes(place_, **{f"data_{kind}": row["id"]})
            if not rows:
                note(nothing)

    def _share_done(self, row: Row) -> float | None:
        """How much of a backlog has gone out since it was seen first; None while nothing is draining."""
        if row["draining"] is None:
            self._most.pop(row["id"], None)
            return None
        left = int(row["draining"]["records"])
        most = self._most[row["id"]] = max(left, self._most.get(row["id"], 0))
        return 1 - left / most if most else None

    async def _look(self) -> None:
        self._looked = time.monotonic()
        found = (await self._visit.get("/certificates"))["certificates"]
        self._certificates.clear()
        with self._certificates:
            for one in found:
                self._certificate(one)
            if not found:
                note(self._visit.words("connections.no_certificates"))

    def _certificate(self, one: Row) -> None:
        words = self._visit.words
        box = ui.element("div").classes(f"cert place-{one['place']}")
        with attributes(box, data_fingerprint=one["fingerprint"]):
            html(certificate(one, words)).classes("grow certline")
            if self._visit.may("engineer") and one["place"] in ("trusted", "rejected"):
                trust = one["place"] == "rejected"

                async def decide() -> None:
                    await self._visit.attempt(lambda: self._decide(one, trust))

                text = words("connections.trust" if trust else "connections.distrust")
                ui.button(text, on_click=decide).props("no-caps unelevated" if trust else "no-caps outline")

    async def _decide(self, one: Row, trust: bool) -> None:
        done = await self._visit.post(place("certificates", one["fingerprint"]), {"trust": trust})
        for advice in done["advice"]:
            ui.notify(self._visit.words.told(advice))
        await self._look()
