"""Puts the Machine page together and keeps it as the agent tells."""

from __future__ import annotations

import asyncio
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
from edge_agent.pages.words import milliseconds

Row = Mapping[str, Any]

# The state and the figures follow within a second; the pictures are redrawn less often than anybody can look at them.
NOW_S: Final = 1.0
PICTURES_S: Final = 5.0
FRESH_S: Final = 0.8
PICTURES_FRESH_S: Final = 3.0
# The newest of so many stops are listed.
STOPS: Final = 200
# Windows one may go back to by click.
FARTHEST: Final = 99


async def show(visit: Visit) -> None:
    """Put the page together."""
    page = _MachinePage(visit)
    await page.refresh_now()
    await page.refresh_pictures()
    visit.every(NOW_S, page.refresh_now)
    if not page.back:
        visit.every(PICTURES_S, page.refresh_pictures)


class _MachinePage:
    def __init__(self, visit: Visit) -> None:
        self.name = visit.params["id"]
        self.window = visit.params.get("window", "now")
        self.back = _number(visit.params.get("back", "0"))
        self._visit = visit
        self._words = visit.words
        self._steps: list[Row] = []
        self._may_say = False
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
        words = self._words
        with ui.element("section").classes("card top"):
            self._head = html("")
            self._window = html("").classes("window")
            self._summary = html("").classes("summary")
            self._flags = html("").classes("all")
        with card(words("machine.timeline")).classes("wide"):
            self._timeline = Chart("timeline", "12.5rem")
            self._timeline.element.on("chart:click", self._clicked, ["data"])
        with card(words("machine.losses")):
            self._losses = Chart("losses", "19rem")
            self._losses.element.on("chart:click", self._lost, ["dataIndex"])
            self._no_losses = note(words("machine.no_losses"))
        with card(words("machine.pareto")):
            self._pareto = Chart("pareto", "19rem")
            self._no_pareto = note(words("machine.no_stops"))
        with card(words("machine.stops")).classes("stops-card"):
            self._unnamed = html("")
            self._stops = html("")
            self._dialog = html("")
        with card(words("machine.production")):
            self._planned = html("").classes("soft")
            self._production = Chart("production", "16.6rem")
            self._no_production = note(words("machine.no_production"))
        with card(words("machine.cycles")):
            self._paced = html("").classes("soft")
            self._cycles = Chart("cycles", "16.6rem")
            self._no_cycles = note(words("machine.no_cycles"))
        with card(words("machine.energy")):
            self._energy = Chart("energy", "18rem")
            self._no_energy = note(words("machine.not_metered"))
        with card(
            words("machine.kpis"), Markup('<small class="soft">{}</small>').format(words("machine.click"))
        ).classes("wide kpi-card"):
            self._kpis = html("")

    async def refresh_now(self) -> None:
        """State, figures and pieces."""
        answer = await self._visit.shared("/overview", FRESH_S)
        self._visit.heard(answer["time"])
        row = next((one for one in answer["machines"] if one["id"] == self.name), None)
        if row is None:
            raise Refused(404, f"there is no machine {self.name}")
        since = ""
        if row.get("since"):
            begun = datetime.fromisoformat(row["since"])
            since = self._words.length((datetime.fromisoformat(answer["time"]) - begun).total_seconds())
        put(self._head, figures.head(row, since, self._words))
        if not self.back:
            put(self._summary, figures.summary(row, self._words))

    async def refresh_pictures(self) -> None:
        """Everything that is of the window."""
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
            put(self._window, self._windows(None))
            put(self._flags, Markup('<p class="note">{}</p>').format(refused))
            return
        window, as_of = lost["window"], lost["as_of"]
        end = window["end"] or as_of
        spans = await self._visit.get(place("machines", self.name, "spans"), start=window["start"], end=end)
        start_ms, end_ms, now_ms = milliseconds(window["start"]), milliseconds(end), milliseconds(spans["end"])
        self._timeline.draw(timeline(self._visit, spans["spans"], spans.get("plan") or (), start_ms, end_ms, now_ms))
        put(self._window, self._windows(lost))
        put(self._flags, figures.flags(lost["flags"], self._words))
        if self.back:
            put(self._summary, figures.summary(_past(lost, made), self._words))
        self._draw_losses(lost, stopped)
        self._draw_stops(stopped)
        self._draw_making(made, cycled, used)
        put(self._kpis, figures.table(lost, used if used["metered"] else None, self._words))

    async def _ask(self, what: str, **query: object) -> Any:
        """What others who look at the machine have been told just now will do."""
        return await self._visit.shared(place("machines", self.name, what), PICTURES_FRESH_S, **query)

    def _draw_losses(self, lost: Row, stopped: Row) -> None:
        self._steps = [step for step in lost["steps"] if step["seconds"] or step["name"] == "good"]
        _either(self._losses, self._no_losses, bool(lost["planned_s"]))
        if lost["planned_s"]:
            self._losses.draw(losses.waterfall(self._visit, lost["planned_s"], lost["steps"]))
        _either(self._pareto, self._no_pareto, bool(stopped["pareto"]))
        if stopped["pareto"]:
            self._pareto.draw(losses.pareto(self._visit, stopped["pareto"]))

    def _draw_stops(self, stopped: Row) -> None:
        self._may_say = bool(stopped.get("may_say")) and self._visit.may("operator")
        logged_in = bool(self._visit.me.get("user"))
        put(self._unnamed, stops.headline(stopped, self._may_say, logged_in, self._words))
        put(self._stops, stops.stop_list(self.name, stopped, self._may_say, self._words))
        if self._may_say:
            put(self._dialog, stops.dialog(stopped["suggestions"], str(self._visit.me["user"]), self._words))

    def _draw_making(self, made: Row, cycled: Row, used: Row) -> None:
        _either(self._production, self._no_production, bool(made["points"]))
        if made["points"]:
            put(self._planned, pace.targets(made, self._words))
            self._production.draw(pace.production(self._visit, made["points"]))
        measured = [product for product in cycled["products"] if product["histogram"]]
        _either(self._cycles, self._no_cycles, bool(measured))
        if measured:
            most = max(measured, key=lambda product: int(product["cycles"]))
            put(self._paced, pace.told(most, self._words))
            self._cycles.draw(pace.cycles(self._visit, most))
        _either(self._energy, self._no_energy, bool(used["metered"]))
        if used["metered"]:
            self._energy.draw(pace.energy(self._visit, used["hours"]))

    def _windows(self, lost: Row | None) -> Markup:
        """Which window it is, and the ways to those before and after."""
        words, name = self._words, ""
        if lost is not None:
            window = lost["window"]
            own = "" if window["name"] == window["kind"] else f" {window['name']}"
            hours = f"{words.hour(window['start'])}–{words.hour(window['end'])}"
            name = f"{words.of('window.', window['kind'])}{own} {window['production_date']} {hours}"
        kind = "shift" if self.window == "now" else self.window
        before = Markup(
            '<a href="?window={}&back={}" title="{}"><i class="material-icons">chevron_left</i></a>'
        ).format(kind, min(self.back + 1, FARTHEST), words("machine.previous"))
        after = Markup("")
        if self.back:
            after = Markup(
                '<a href="?window={}&back={}" title="{}"><i class="material-icons">chevron_right</i></a>'
            ).format(kind, self.back - 1, words("machine.next"))
        final = bool(lost and lost["final"])
        badge = words("machine.final" if final else "machine.provisional") if lost else ""
        return Markup("{}<b>{}</b>{}<span class='badge'>{}</span>").format(before, name, after, badge)

    async def _explain(self, event: events.GenericEventArguments) -> None:
        await self._visit.attempt(lambda: self._explainer.open(str(event.args), self.window, self.back))

    async def _lost(self, event: events.GenericEventArguments) -> None:
        index = int(event.args.get("dataIndex", 0))
        if index > len(self._steps):
            return
        figure = "pbt" if not index else OF_LOSS.get(str(self._steps[index - 1]["name"]), "")
        if figure:
            await self._visit.attempt(lambda: self._explainer.open(figure, self.window, self.back))

    def _clicked(self, event: events.GenericEventArguments) -> None:
        """A stop on the timeline is asked about as one in the list is."""
        start = (event.args.get("data") or {}).get("start")
        if start and self._may_say:
            ui.run_javascript(f"stops.askAt({milliseconds(start)})")


def _past(lost: Row, made: Row) -> dict[str, Any]:
    """What the overview says of a machine now, of a window of the past."""
    ratios = lost["kpi"]
    return {
        "oee": ratios.get("oee"),
        "availability": ratios.get("availability_classic"),
        "quality": ratios.get("quality_time"),
        "performance": ratios.get("performance_classic"),
        "data_coverage": ratios.get("data_coverage"),
        "total": made["total"],
        "good": made["good"],
        "target": made["target"],
        "target_end": made["target_end"],
    }


def _either(chart: Chart, instead: ui.html, drawn: bool) -> None:
    chart.element.set_visibility(drawn)
    instead.set_visibility(not drawn)


def _number(text: str) -> int:
    return min(int(text), FARTHEST) if text.isascii() and text.isdigit() else 0
