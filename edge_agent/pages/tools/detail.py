"""One tag, opened: its value, the chain of reasons behind it, and its past as a chart."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.chart import larger
from edge_agent.pages.client import place
from edge_agent.pages.parts import html, put
from edge_agent.pages.tools import chart, shown
from edge_agent.pages.visit import Visit

# Minutes that can be chosen, and the words for them.
STRETCHES: Final = {10: "10min", 60: "1h", 480: "8h", 1440: "24h", 10080: "7d"}
_POINTS: Final = 1000
# A chart of an hour shows nothing new within two seconds; one of a week is read from the disk.
_CHART_EVERY: Final = 2
_READ_FROM_DISK: Final = 480


class Detail:
    """A dialog; closed until `open`."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._tag = ""
        self._minutes = 60
        self._turn = 0
        words = visit.words
        with ui.dialog().classes("sheet") as self._dialog, ui.element("div").classes("card detail"):
            with ui.element("div").classes("detail-head"):
                self._title = html("").classes("grow")
                ui.button(icon="close", on_click=self._dialog.close).props(
                    f'flat round dense aria-label="{words("shell.close")}"'
                )
            self._now = html("")
            with ui.element("div").classes("detail-chart"):
                named = {minutes: words(f"tags.stretch.{name}") for minutes, name in STRETCHES.items()}
                ui.toggle(named, value=self._minutes, on_change=self._stretch).props(
                    'unelevated no-caps padding="3px 14px"'
                )
                self._chart = ui.echart({}).classes("chart")
                self._remark = html("").classes("soft")
            self._why = html("").classes("chain")
        self._dialog.on("hide", self._closed)

    async def open(self, tag: str) -> None:
        """Show this one."""
        self._tag, self._turn = tag, 0
        await self._ask()
        await self._draw()
        self._dialog.open()

    async def refresh(self) -> None:
        """What is new of the one that is open, if one is."""
        if not self._tag:
            return
        await self._ask()
        self._turn += 1
        if self._minutes < _READ_FROM_DISK and self._turn % _CHART_EVERY == 0:
            await self._draw()

    def _closed(self) -> None:
        self._tag = ""

    async def _stretch(self, event: Any) -> None:
        self._minutes = int(event.value)
        if self._tag:
            await self._visit.attempt(self._draw)

    async def _ask(self) -> None:
        tag, words = self._tag, self._visit.words
        one = await self._visit.get(place("tags", tag))
        device, _, name = tag.partition(".")
        put(self._title, Markup("<h2><small>{}</small>{}</h2>").format(device, name))
        put(self._now, Markup('<p class="now"><b>{}</b>{}<span class="soft">{} {}</span></p>').format(
            shown.value(one["value"], one["unit"]), shown.quality(one["quality"], words), words("tags.age"),
            shown.age(one["age_s"], words),
        ))  # fmt: skip
        said = Markup("")
        if one["reason"] and one["quality"] != "good":
            said = Markup('<p class="reason">{}</p><p>{}</p>').format(
                shown.why(one["reason"], words), words.of("tags.do.", one["reason"])
            )
        # What to do is said above, in the reader's language.
        told = [sentence for sentence in one["why"] if not (said and sentence.startswith("what to do:"))]
        chain = Markup("").join(Markup("<li>{}</li>").format(words.told(sentence)) for sentence in told)
        limits = Markup("")
        if one["writable"]:
            limits = Markup('<p class="soft">{}</p>').format(words("tags.writable", limits=_limits(one["limits"])))
        put(
            self._why, Markup("<h3>{}</h3>{}<ol>{}</ol>{}").format(words("tags.why_title"), said, chain, limits)
        )

    async def _draw(self) -> None:
        tag = self._tag
        now = datetime.now(ZoneInfo(self._visit.zone))
        answer = await self._visit.get(
            f"{place('tags', tag)}/history",
            start=(now - timedelta(minutes=self._minutes)).isoformat(),
            max_points=_POINTS,
        )
        if tag != self._tag:
            return  # another one was opened, or none, while this was asked for
        zone = ZoneInfo(self._visit.zone)
        begin, end = (round(one.timestamp() * 1000) for one in (now - timedelta(minutes=self._minutes), now))
        drawn = chart.options(answer, self._visit.zone, end, dark=self._visit.dark)
        drawn["xAxis"] |= {"min": chart.shifted(begin, zone), "max": chart.shifted(end, zone)}
        self._chart.options.clear()
        self._chart.options.update(larger(drawn, self._visit.scale))
        self._chart.update()
        words = self._visit.words
        told = [words(f"tags.source.{answer['source']}")] if answer["points"] else [words("tags.no_history")]
        told += [words("tags.reduced")] if answer["reduced"] else []
        told += [] if answer["complete"] else [words("tags.incomplete")]
        put(self._remark, Markup("{}").format(" ".join(told)))


def _limits(limits: Any) -> str:
    if not limits:
        return ""
    if limits["values"] is not None:
        return ", ".join(shown.value(one) for one in limits["values"])
    return f"{shown.value(limits['min'])} … {shown.value(limits['max'])}"
