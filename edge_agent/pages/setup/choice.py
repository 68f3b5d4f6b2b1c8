"""Choosing a tag: found by typing, with the value it has now beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.client import UNKNOWN, Refused, place
from edge_agent.pages.parts import html, put
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.tools import shown

_EVERY_S: Final = 1.0
# More names than a list can be looked through; typing finds the others.
MOST: Final = 1000


class Tags:
    """The tags there are: those of the draft, and those that only the agent knows."""

    def __init__(self, bench: Bench) -> None:
        self.names: list[str] = []
        self._bench = bench

    async def load(self) -> None:
        """Ask which the agent reads."""
        draft = self._bench.draft
        answer = await self._bench.visit.get("/tags", limit=MOST)
        running = sorted(one["tag"] for one in answer["tags"])
        devices = {name: device for name, device in draft.group("devices").items() if isinstance(device, dict)}
        written = [f"{name}.{tag}" for name, device in devices.items() for tag in device.get("tags") or {}]
        # What a template or an array brings, only the agent knows.
        brought = [one for one in running if one.partition(".")[0] in devices]
        self.names = list(dict.fromkeys([*written, *brought]))


class TagChoice:
    """A select with a live value behind it."""

    def __init__(
        self,
        bench: Bench,
        tags: Tags,
        label: str,
        value: str = "",
        on_change: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._bench = bench
        self._on_change = on_change
        named = {"": "–", **{name: name for name in tags.names}}
        if value and value not in named:
            named[value] = value
        with ui.element("div").classes("tagchoice"):
            self._select = ui.select(named, value=value, label=label, with_input=True, on_change=self._changed).props(
                "outlined dense options-dense"
            )
            self._live = html("").classes("live")
        bench.every(_EVERY_S, self._refresh)

    @property
    def value(self) -> str:
        """device.tag, or ""."""
        return str(self._select.value or "")

    async def _changed(self, _: Any) -> None:
        put(self._live, Markup(""))
        if self._on_change is not None:
            await self._bench.visit.attempt(lambda: self._on_change(self.value))  # type: ignore[misc]

    async def _refresh(self) -> None:
        if not self.value:
            return
        try:
            one = await self._bench.visit.shared(place("tags", self.value), _EVERY_S * 0.8)
        except Refused as refused:
            if refused.status != UNKNOWN:
                raise
            return      # not read yet
        mark = shown.quality(one["quality"], self._bench.words) if one["quality"] != "good" else Markup("")
        put(self._live, Markup("<b>{}</b>{}").format(shown.value(one["value"], one["unit"]), mark))
