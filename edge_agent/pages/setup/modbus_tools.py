"""Tools for a Modbus device: look for what can be read, and let the wizard say which type and byte order that is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, card, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.chosen import Chosen
from edge_agent.pages.setup.readings import Readings
from edge_agent.pages.setup.sections import modbus_tag
from edge_agent.pages.tools import shown

# A search of twenty seconds sees this many addresses of most devices.
RANGE: Final = "0-199"
# Values of one search that are shown; the wizard is for the rest.
_FOUND: Final = 200


class ModbusTools:
    """What was found, the wizard, the list of chosen tags; `take` is given them, by id."""

    def __init__(
        self,
        bench: Bench,
        url: str,
        keys: Mapping[str, Any],
        old: Mapping[str, Any],
        take: Callable[[dict[str, dict[str, Any]]], Awaitable[None]],
    ) -> None:
        """`keys` hold while the device is asked; `old`: tags that it has already."""
        self._bench = bench
        self._url = url
        self._keys = dict(keys)
        self._into_draft = take
        words = bench.words
        with ui.element("div").classes("side"):
            with card(words("setup.modbus.scan"), Markup("<code>{}</code>").format(self._url)):
                with ui.element("div").classes("form"):
                    self._range = ui.input(words("setup.modbus.range"), value=RANGE).props("outlined dense")
                    self._scan = (
                        ui.button(words("setup.modbus.look"), on_click=self._look)
                        .props("no-caps outline icon=travel_explore")
                        .mark("scan")
                    )
                self._found = ui.element("div").classes("foundrows")
            with card(
                words("setup.modbus.wizard"),
                Markup('<span class="soft">{}</span>').format(words("setup.modbus.wizard.note")),
            ):
                with ui.element("div").classes("form"):
                    self._where = (
                        ui.input(words("setup.modbus.addresses"), value="holding:0-9")
                        .props("outlined dense")
                        .classes("wide")
                        .mark("where")
                    )
                    self._reading = (
                        ui.button(words("setup.modbus.read"), on_click=self.read)
                        .props("no-caps unelevated icon=auto_fix_high")
                        .mark("read")
                    )
                self._readings = Readings(words, self._use)
        with ui.element("div").classes("side"):
            self._chosen = Chosen(bench, self._live, old)
            ui.button(words("setup.take"), on_click=self._take).props("no-caps unelevated icon=add_task").classes(
                "take"
            ).mark("take")
        self._where.on("keydown.enter", self.read)

    async def _look(self) -> None:
        """Twenty seconds of search."""
        bench, words = self._bench, self._bench.words
        self._scan.props("loading")
        try:
            found = await bench.ask(
                "/browse/scan",
                {
                    "url": self._url,
                    "range": str(self._range.value or RANGE),
                    "units": _unit(self._url),
                    "keys": self._keys,
                },
            )
        finally:
            self._scan.props(remove="loading")
        if found is None:
            return
        self._found.clear()
        with self._found:
            html(Markup('<p class="soft">{}</p>').format(words("setup.modbus.found", n=len(found["rows"]))))
            html(
                Markup('<details><summary>{}</summary><pre class="diff">{}</pre></details>').format(
                    words("setup.modbus.told"), "\n".join(found["told"])
                )
            )
            for row in found["rows"][:_FOUND]:
                self._offer(row)

    def _offer(self, row: Mapping[str, str]) -> None:
        async def read() -> None:
            self._where.set_value(row["address"])
            await self.read()

        with ui.element("div").classes("foundrow"):
            html(Markup("<code>{}</code>").format(row["address"])).classes("grow")
            html(Markup('<span class="live">{}</span>').format(row["value"]))
            button = ui.button(icon="auto_fix_high", on_click=read).props("flat dense round")
            attributes(button, aria_label=f"{self._bench.words('setup.modbus.read')} {row['address']}")

    async def read(self) -> None:
        """The wizard: a few reads, and every way to understand them."""
        addresses = [one for one in str(self._where.value or "").replace(",", " ").split() if one]
        if not addresses:
            return
        self._reading.props("loading")
        try:
            found = await self._bench.ask("/browse/probe", {
                "url": self._url, "addresses": addresses, "reads": 4, "every": "700ms", "keys": self._keys,
            })  # fmt: skip
        finally:
            self._reading.props(remove="loading")
        if found is not None:
            self._readings.show(found["readings"])

    def _use(self, reading: Mapping[str, Any]) -> None:
        tag = modbus_tag(reading)
        name = str(tag["address"]).replace(":", "-").replace(".", "-")
        self._chosen.add(
            str(reading["tag"]),
            name,
            tag,
            str(reading["tag"]),
            shown.value(reading["values"][-1]) if reading["values"] else "",
        )

    async def _live(self, tags: Mapping[str, dict[str, Any]]) -> Mapping[str, str]:
        """The live values of chosen tags, by the reading they were chosen from."""
        addresses = list(dict.fromkeys(str(tag["address"]).partition(".")[0] for tag in tags.values()))
        answer = await self._bench.visit.post(
            "/browse/probe",
            {"url": self._url, "addresses": addresses, "reads": 1, "every": "100ms", "keys": self._keys},
        )
        values = {one["tag"]: one["values"][-1] for one in answer["readings"] if one["values"]}
        return {key: shown.value(values[key]) for key in tags if key in values}

    async def _take(self) -> None:
        tags = self._chosen.tags()
        if tags is not None:
            await self._into_draft(tags)


def _unit(url: str) -> str | None:
    """Of the device alone: others behind the same gateway are devices of their own."""
    for part in url.partition("?")[2].split("&"):
        key, _, value = part.partition("=")
        if key == "unit" and value.isdecimal():
            return value
    return None
