"""How long a piece should take: one ideal cycle, or one for each product that a tag tells."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.client import UNKNOWN, Refused, place
from edge_agent.pages.parts import card, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.choice import TagChoice, Tags
from edge_agent.pages.setup.mapping import LOOK_BACK, spent

_POINTS: Final = 2000
# Programs that were on the machine lately; more are typed.
_MOST: Final = 20


class Products:
    """The card; `old` is the machine as it is."""

    def __init__(self, bench: Bench, tags: Tags, old: dict[str, Any]) -> None:
        self._bench = bench
        words = bench.words
        job = old.get("job") if isinstance(old.get("job"), dict) else {}
        self._job: dict[str, Any] = job or {}
        self._estimates = bool(old.get("estimate_cycle"))
        self._known: dict[str, dict[str, Any]] = {
            str(key): dict(one) for key, one in (self._job.get("products") or {}).items() if isinstance(one, dict)
        }
        self._way = "job" if self._job else "one"
        self._rows: dict[str, ui.input] = {}
        with card(words("setup.ideal"), Markup('<span class="soft">{}</span>').format(words("setup.ideal.note"))):
            ui.toggle(
                {"one": words("setup.ideal.one"), "job": words("setup.ideal.job")},
                value=self._way,
                on_change=self._switch,
            ).props('no-caps unelevated padding="4px 14px"')
            with ui.element("div").classes("form") as self._one:
                self._ideal = (
                    ui.input(words("setup.ideal.cycle"), value=str(old.get("ideal_cycle") or ""), placeholder="1.2s")
                    .props("outlined dense")
                    .mark("ideal")
                )
            with ui.element("div").classes("way") as self._many:
                self._tag = TagChoice(
                    bench, tags, words("setup.job.tag"), str(self._job.get("tag") or ""), self._look_back
                )
                self._box = ui.element("div").classes("maprows")
                with ui.element("div").classes("form"):
                    self._more = ui.input(words("setup.job.more")).props("outlined dense")
                    ui.button(words("setup.map.add"), on_click=self._add).props("no-caps outline icon=add")
        for product in self._known:
            self._row(product)
        self._show()

    def values(self) -> dict[str, Any] | None:
        """`ideal_cycle` or `job`, the other None; None and a word where something is missing."""
        words = self._bench.words
        if self._way == "one":
            ideal = str(self._ideal.value or "").strip()
            if not ideal and not self._estimates:
                self._bench.say(words("setup.missing", what=words("setup.ideal.cycle")), "warning")
                return None
            return {"ideal_cycle": ideal or None, "job": None}
        given = {product: str(row.value or "").strip() for product, row in self._rows.items()}
        products = {
            product: {**self._known.get(product, {}), "ideal_cycle": cycle} for product, cycle in given.items() if cycle
        }
        if not self._tag.value or not products:
            self._bench.say(words("setup.missing", what=words("setup.ideal.job")), "warning")
            return None
        return {"ideal_cycle": None, "job": {**self._job, "tag": self._tag.value, "products": products}}

    async def _look_back(self, tag: str) -> None:
        """Products that were made lately."""
        if not tag:
            return
        now = datetime.now(ZoneInfo(self._bench.visit.zone))
        try:
            answer = await self._bench.visit.get(
                f"{place('tags', tag)}/history", start=(now - LOOK_BACK).isoformat(), max_points=_POINTS
            )
        except Refused as refused:
            if refused.status != UNKNOWN:
                raise
            return      # not read yet
        held = spent(answer["points"], round(now.timestamp() * 1000))
        for product in sorted(held, key=lambda one: -held[one])[:_MOST]:
            self._row(product)

    def _add(self) -> None:
        product = str(self._more.value or "").strip()
        if product:
            self._row(product)
            self._more.set_value("")

    def _row(self, product: str) -> None:
        if product in self._rows:
            return
        with self._box, ui.element("div").classes("maprow product"):
            html(Markup("<b>{}</b>").format(product)).classes("value")
            self._rows[product] = ui.input(
                self._bench.words("setup.ideal.cycle"),
                value=str(self._known.get(product, {}).get("ideal_cycle") or ""),
                placeholder="1.2s",
            ).props("outlined dense")

    def _switch(self, event: Any) -> None:
        self._way = str(event.value)
        self._show()

    def _show(self) -> None:
        self._one.set_visibility(self._way == "one")
        self._many.set_visibility(self._way == "job")
