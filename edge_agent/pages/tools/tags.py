"""All tags: searched, with live value, quality, age and the last minutes; and why one is not good."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, html, note, put
from edge_agent.pages.tools import shown
from edge_agent.pages.tools.detail import Detail
from edge_agent.pages.tools.look import style
from edge_agent.pages.visit import Visit

EVERY_S: Final = 1.0
FRESH_S: Final = 0.8
# Curves of ten minutes in forty points move by one every fifteen seconds.
SPARK_EVERY_S: Final = 10.0
SPARK_POINTS: Final = 40
PAGE: Final = 50
QUALITIES: Final = ("good", "uncertain", "bad")


async def show(visit: Visit) -> None:
    """Put the page together."""
    style()
    page = _Tags(visit)
    await page.begin()
    visit.every(EVERY_S, page.refresh)
    if tag := visit.params.get("tag"):
        await page.detail.open(tag)


class _Tags:
    """What is asked for, and what is drawn of it."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._search = visit.params.get("search", "")
        self._device = visit.params.get("device") or None
        self._quality = visit.params.get("quality") if visit.params.get("quality") in QUALITIES else None
        self._offset = 0
        self._sparks: dict[str, Markup] = {}
        self._sparked = -SPARK_EVERY_S
        self._rows: list[tuple[ui.html, str]] = []
        self.detail = Detail(visit)

    async def begin(self) -> None:
        """The tools above the table, and the table."""
        words = self._visit.words
        devices = (await self._visit.shared("/devices", FRESH_S))["devices"]
        with ui.element("section").classes("filters"):
            ui.input(placeholder=words("tags.search"), value=self._search, on_change=self._searched).props(
                "dense outlined clearable debounce=250 type=search"
            ).classes("search").mark("search")
            named: dict[str, str] = {"": words("tags.all_devices"), **{one["id"]: one["id"] for one in devices}}
            ui.select(named, value=self._device or "", on_change=self._of_device).props(
                "dense outlined options-dense"
            ).classes("device")
            self._chips = {name: self._chip(name) for name in ("", *QUALITIES)}
            self._about = html("").classes("about")
            with ui.element("span").classes("turn"):
                self._back = ui.button(icon="chevron_left", on_click=lambda: self._turn(-PAGE)).props(
                    f'flat dense round aria-label="{words("tags.back")}"'
                )
                self._on = ui.button(icon="chevron_right", on_click=lambda: self._turn(PAGE)).props(
                    f'flat dense round aria-label="{words("tags.on")}"'
                )
        with ui.element("section").classes("card tagtable"):
            html(_head(self._visit)).classes("taghead")
            self._table = ui.element("div").classes("tagrows")
        await self.refresh()

    def _chip(self, name: str) -> ui.html:
        async def choose() -> None:
            self._quality = name or None
            await self._again()

        return html("").classes("chip").props("role=button tabindex=0").on("click", choose).on("keydown.enter", choose)

    async def _searched(self, event: Any) -> None:
        self._search = event.value or ""
        await self._again()

    async def _of_device(self, event: Any) -> None:
        self._device = event.value or None
        await self._again()

    async def _turn(self, by: int) -> None:
        self._offset = max(0, self._offset + by)
        await self._again(keep=True)

    async def _again(self, *, keep: bool = False) -> None:
        if not keep:
            self._offset = 0
        self._sparked = -SPARK_EVERY_S
        await self._visit.attempt(self.refresh)

    async def refresh(self) -> None:
        """Ask, and draw what is new."""
        asked = {"search": self._search or None, "device": self._device}
        sparks = time.monotonic() - self._sparked >= SPARK_EVERY_S
        answer = await self._visit.shared(
            "/tags", FRESH_S, **asked, quality=self._quality, offset=self._offset, limit=PAGE,
            spark=SPARK_POINTS if sparks else None,
        )  # fmt: skip
        if sparks:
            self._sparked = time.monotonic()
            self._sparks = {one["tag"]: shown.spark(one["spark"]) for one in answer["tags"] if one["kind"] != "text"}
            await self._count(asked)
        self._draw(answer)
        await self.detail.refresh()

    async def _count(self, asked: Mapping[str, Any]) -> None:
        totals = {
            name: (await self._visit.shared("/tags", SPARK_EVERY_S / 2, **asked, quality=name or None, limit=1))[
                "total"
            ]
            for name in ("", *QUALITIES)
        }
        words = self._visit.words
        for name, chip in self._chips.items():
            mark = shown.quality(name, words) if name else Markup("<b>{}</b>").format(words("tags.all"))
            put(
                chip,
                Markup('<span class="{}">{}<em>{}</em></span>').format(
                    "on" if name == (self._quality or "") else "", mark, f"{totals[name]:,}"
                ),
            )

    def _draw(self, answer: Mapping[str, Any]) -> None:
        tags, words = answer["tags"], self._visit.words
        names = [one["tag"] for one in tags]
        if names != [name for _, name in self._rows]:
            self._lay_out(names)
        for (row, _), one in zip(self._rows, tags, strict=True):
            put(row, _row(one, self._sparks.get(one["tag"], Markup("")), self._visit))
        first, last = (self._offset + 1, self._offset + len(tags)) if tags else (0, 0)
        put(self._about, Markup("{}").format(words("tags.shown", first=first, last=last, total=f"{answer['total']:,}")))
        self._back.set_enabled(self._offset > 0)
        self._on.set_enabled(last < answer["total"])

    def _lay_out(self, names: list[str]) -> None:
        self._table.clear()
        with self._table:
            self._rows = [(self._place(name), name) for name in names]
            if not names:
                note(self._visit.words("tags.none"))

    def _place(self, name: str) -> ui.html:
        async def open_() -> None:
            await self._visit.attempt(lambda: self.detail.open(name))

        row = attributes(html("").classes("tagplace").props("role=button tabindex=0"), data_tag=name)
        return row.on("click", open_).on("keydown.enter", open_)


def _head(visit: Visit) -> Markup:
    columns = ("name", "value", "curve", "quality", "age", "why")
    return Markup('<div class="tagrow">{}</div>').format(
        Markup("").join(
            Markup('<span class="c-{}">{}</span>').format(one, visit.words(f"tags.{one}")) for one in columns
        )
    )


def _row(one: Mapping[str, Any], curve: Markup, visit: Visit) -> Markup:
    device, _, name = str(one["tag"]).partition(".")
    reason = shown.why(one["reason"], visit.words)
    if one["time"] is None and not reason:
        reason = visit.words("tags.never")
    return Markup(
        '<div class="tagrow is-{quality}"><span class="c-name"><small>{device}</small><b>{name}</b></span>'
        '<span class="c-value">{value}</span><span class="c-curve">{curve}</span><span class="c-quality">{mark}</span>'
        '<span class="c-age">{age}</span><span class="c-why">{why}</span></div>'
    ).format(
        quality=one["quality"], device=device, name=name, value=shown.value(one["value"], one["unit"]), curve=curve,
        mark=shown.quality(one["quality"], visit.words), age=shown.age(one["age_s"], visit.words), why=reason,
    )  # fmt: skip
