"""Puts the Machine page together and keeps it as the agent tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup
from nicegui import events, ui

from edge_agent.pages.chart import Chart
from edge_agent.pages.client import Refused, place
from edge_agent.pages.machine import figures, losses, pace, stops
from edge_agent.pages.machine.explain import OF_LOSS, Explainer
from edge_agent.pages.machine.timeline import timeline
from edge_agent.pages.parts import card, html, note, put, script
from edge_agent.pages.visit import Visit

Row = Mapping[str, Any]

# The state follows within a second. Figures and pictures are of one reading: drawn when the agent has published new
# figures, and every few seconds for the stretch that goes on, less often than anybody can look at them.
NOW_S: Final = 1.0
PICTURES_S: Final = 5.0
LEAST_S: Final = 2.0
FRESH_S: Final = 0.8
# The newest of so many stops are listed.
STOPS: Final = 200


async def show(visit: Visit) -> None:
    """Put the page together."""
    page = _MachinePage(visit)
    await page.refresh_now()
    await page.refresh_pictures()
    visit.every(NOW_S, page.refresh)


class _MachinePage:
    def __init__(self, visit: Visit) -> None:
        self.name = visit.params["id"]
        self.window = visit.params.get("window", "now")
        self.back = _number(visit.params.get("back", "0"))
        self._visit = visit
        self._words = visit.words
        self._steps: list[Row] = []
        self._reasons_drawn: list[Row] = []
        self._published: str | None = None
        self._drawn_s = 0.0
        self._product: str | None = None
        script("stops.js")
        self._explainer = Explainer(visit, self.name)
        with ui.element("div").classes("machine") as page:
            page.on(
                "click",
                self._explain,
                js_handler="(e) => { const f = e.target.closest('[data-figure]'); if (f) emit(f.dataset.figure) }",
            )
            self._make()

    def _make(self) -> None:
        words, scale = self._words, self._visit.scale
        with ui.element("section").classes("card top"):
            self._head = html("")
            self._window = html("").classes("window")
            self._summary = html("").classes("summary")
            self._flags = html("").classes("all")
        with card(words("machine.timeline")).classes("wide"):
            self._timeline = Chart("timeline", "12.5rem", scale)
        with card(words("machine.losses")):
            self._losses = Chart("losses", "19rem", scale)
            self._losses.element.on("chart:click", self._lost, ["dataIndex"])
            self._no_losses = note(words("machine.no_losses"))
        with card(words("machine.pareto")):
            self._pareto = Chart("pareto", "19rem", scale)
            self._pareto.element.on("chart:click", self._stopped, ["dataIndex"])
            self._no_pareto = note(words("machine.no_stops"))
        with card(words("machine.stops")).classes("stops-card"):
            self._unnamed = html("")
            self._stops = html("").classes("stops")
            self._reasons = html("")
            html(stops.dialog(words))
            html(stops.waiting(str(self._visit.me.get("user") or ""), words))
        with card(words("machine.production")):
            self._planned = html("").classes("soft planned")
            self._production = Chart("production", "16.6rem", scale)
            self._no_production = note(words("machine.no_production"))
        with card(words("machine.cycles")):
            self._paced = html("").classes("soft")
            self._paced.on(
                "click",
                self._choose,
                js_handler="(e) => { const b = e.target.closest('[data-product]'); if (b) emit(b.dataset.product) }",
            )
            self._cycles = Chart("cycles", "16.6rem", scale)
            self._no_cycles = note(words("machine.no_cycles"))
        with card(words("machine.energy")):
            self._energy = Chart("energy", "18rem", scale)
            self._no_energy = note(words("machine.not_metered"))
        with card(
            words("machine.kpis"), Markup('<small class="soft">{}</small>').format(words("machine.click"))
        ).classes("wide kpi-card"):
            self._kpis = html("")

    async def refresh(self) -> None:
        """The state, and the rest where it is to be drawn again."""
        before = self._published
        await self.refresh_now()
        age = time.monotonic() - self._drawn_s
        if not self.back and (age >= PICTURES_S or (self._published != before and age >= LEAST_S)):
            await self.refresh_pictures()

    async def refresh_now(self) -> None:
        """The state."""
        answer = await self._visit.shared("/overview", FRESH_S)
        row = next((one for one in answer["machines"] if one["id"] == self.name), None)
        if row is None:
            raise Refused(404, f"there is no machine {self.name}")
        since = ""
        if row.get("since"):
            begun = datetime.fromisoformat(row["since"])
            since = self._words.length((datetime.fromisoformat(answer["time"]) - begun).total_seconds())
        put(self._head, figures.head(row, since, self._words))
        self._published = row["as_of"]

    async def refresh_pictures(self) -> None:
        """Everything that is of the window."""
        self._drawn_s = time.monotonic()
        asked = {"window": self.window, "back": self.back}
        try:
            lost, stopped, made, used, cycled = await asyncio.gather(
                self._ask("losses", **asked),
                self._ask("stops", limit=STOPS, **asked),
                self._ask("production", **asked),
                self._ask("energy", **asked),
                self._ask("cycles"),
            )
        except Refused as refused:
            put(self._window, figures.window(None, self.window, self.back, self._words))
            put(self._summary, Markup(""))
            put(self._flags, Markup('<p class="note">{}</p>').format(self._words.told(refused)))
            return
        window, as_of = lost["window"], lost["as_of"]
        end = window["end"] or as_of
        states = await self._ask("spans", start=window["start"], end=end)
        self._timeline.draw(timeline(self._visit, states, window["start"], end))
        put(self._window, figures.window(lost, self.window, self.back, self._words))
        put(self._flags, figures.flags(lost["flags"], self._words))
        put(self._summary, figures.summary(_summed(lost, made), self._words))
        self._draw_losses(lost, stopped)
        self._draw_stops(stopped)
        self._draw_making(made, cycled, used)
        put(self._kpis, figures.table(lost, used if used["metered"] else None, self._words))

    async def _ask(self, what: str, **query: object) -> Any:
        """What others who look at the machine have been told just now will do."""
        return await self._visit.shared(place("machines", self.name, what), FRESH_S, **query)

    def _draw_losses(self, lost: Row, stopped: Row) -> None:
        self._steps = [step for step in lost["steps"] if step["seconds"] or step["name"] == "good"]
        _either(self._losses, self._no_losses, bool(lost["planned_s"]))
        if lost["planned_s"]:
            self._losses.draw(losses.waterfall(self._visit, lost["planned_s"], lost["steps"]))
        _either(self._pareto, self._no_pareto, bool(stopped["pareto"]))
        self._reasons_drawn = losses.longest_first(stopped["pareto"])
        if stopped["pareto"]:
            self._pareto.draw(losses.pareto(self._visit, stopped["pareto"]))

    def _draw_stops(self, stopped: Row) -> None:
        may_say = bool(stopped.get("may_say")) and self._visit.may("operator")
        logged_in = bool(self._visit.me.get("user"))
        put(self._unnamed, stops.headline(stopped, may_say, logged_in, self._words))
        put(self._stops, stops.stop_list(self.name, stopped, may_say, self._words))
        if may_say:
            put(self._reasons, stops.reasons(stopped["suggestions"], self._words))

    def _draw_making(self, made: Row, cycled: Row, used: Row) -> None:
        _either(self._production, self._no_production, bool(made["points"]))
        if made["points"]:
            put(self._planned, pace.targets(made, self._words))
            self._production.draw(pace.production(self._visit, made["points"]))
        measured = [product for product in cycled["products"] if product["histogram"]]
        _either(self._cycles, self._no_cycles, bool(measured))
        if measured:
            most = max(measured, key=lambda one: int(one["cycles"]))
            shown = next((one for one in measured if (one["product"] or "") == self._product), most)
            put(self._paced, pace.told(measured, shown, self._words))
            self._cycles.draw(pace.cycles(self._visit, shown))
        _either(self._energy, self._no_energy, bool(used["metered"]))
        if used["metered"]:
            self._energy.draw(pace.energy(self._visit, used["hours"]))

    async def _explain(self, event: events.GenericEventArguments) -> None:
        await self._visit.attempt(lambda: self._explainer.open(str(event.args), self.window, self.back))

    async def _choose(self, event: events.GenericEventArguments) -> None:
        """Another product's cycles."""
        self._product = str(event.args)
        await self._visit.attempt(self.refresh_pictures)

    async def _lost(self, event: events.GenericEventArguments) -> None:
        index = int(event.args.get("dataIndex", 0))
        if index > len(self._steps):
            return
        figure = "pbt" if not index else OF_LOSS.get(str(self._steps[index - 1]["name"]), "")
        if figure:
            await self._visit.attempt(lambda: self._explainer.open(figure, self.window, self.back))

    async def _stopped(self, event: events.GenericEventArguments) -> None:
        figure = str(self._reasons_drawn[int(event.args.get("dataIndex", 0))]["bucket"])
        await self._visit.attempt(lambda: self._explainer.open(figure, self.window, self.back))


def _summed(lost: Row, made: Row) -> dict[str, Any]:
    """What the overview says of the window that people mean, of whichever it is."""
    ratios = lost["kpi"]
    return {
        "oee": ratios.get("oee"),
        "availability": ratios.get("availability_classic"),
        "quality": ratios.get("quality_time"),
        "performance": ratios.get("performance_classic"),
        "data_coverage": ratios.get("data_coverage"),
        "total": made["total"],
        "good": made["good"],
        "scrap": made["scrap"],
        "rework": made["rework"],
        "target": made["target"],
        "target_end": made["target_end"],
    }


def _either(chart: Chart, instead: ui.html, drawn: bool) -> None:
    chart.element.set_visibility(drawn)
    instead.set_visibility(not drawn)


def _number(text: str) -> int:
    return min(int(text), figures.FARTHEST) if text.isascii() and text.isdigit() else 0
