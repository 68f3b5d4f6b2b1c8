"""A Modbus device: connect, look for what can be read, and let the wizard say which type and byte order that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import card, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.chosen import Chosen
from edge_agent.pages.setup.readings import Readings
from edge_agent.pages.setup.sections import ID, modbus_rtu, modbus_tag, modbus_tcp
from edge_agent.pages.tools import shown

BAUDS: Final = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
# A search of twenty seconds sees this many addresses of most devices.
RANGE: Final = "0-199"
# Values of one search that are shown; the wizard is for the rest.
_FOUND: Final = 200


class Modbus:
    """The form, what was found, the wizard, the list; `name` of a device that is there already."""

    def __init__(self, bench: Bench, name: str = "") -> None:
        self._bench = bench
        self._name = name
        self._old = bench.draft.entry("devices", name) if name else {}
        self._url = str(self._old.get("url") or "")
        self._keys = {key: value for key, value in self._old.items() if key in _ASKING}
        words = bench.words
        with card(words("setup.modbus.title") if not name else words("setup.more_tags", name=name)):
            self._form()
        self._work = ui.element("div").classes("browse")
        if self._old:
            self._open()

    def _form(self) -> None:
        words = self._bench.words
        with ui.element("div").classes("form"):
            if self._old:
                html(Markup("<p><code>{}</code></p>").format(self._url)).classes("wide")
                return
            self._way = (
                ui.toggle(
                    {"tcp": words("setup.modbus.tcp"), "rtu": words("setup.modbus.rtu")},
                    value="tcp",
                    on_change=self._switch,
                )
                .props('no-caps unelevated padding="4px 14px"')
                .classes("wide")
            )
            self._address = (
                ui.input(words("setup.address"), placeholder="10.0.0.5")
                .props("outlined dense")
                .classes("wide")
                .mark("address")
            )
            self._baud = ui.select(
                {one: f"{one} baud" for one in BAUDS}, value=19200, label=words("setup.modbus.baud")
            ).props("outlined dense")
            self._parity = ui.select(
                {"N": "8N1", "E": "8E1", "O": "8O1"}, value="E", label=words("setup.modbus.parity")
            ).props("outlined dense")
            self._unit = ui.number(words("setup.modbus.unit"), value=1, min=0, max=255, precision=0).props(
                "outlined dense"
            )
            self._id = ui.input(words("setup.id"), placeholder="press-1").props("outlined dense").mark("id")
            self._poll = ui.input(words("setup.poll"), value="1s").props("outlined dense")
            ui.button(words("setup.connect"), on_click=self._connect).props("no-caps unelevated icon=cable").mark(
                "connect"
            )
        self._address.on("keydown.enter", self._connect)
        self._switch()

    def _switch(self) -> None:
        serial = self._way.value == "rtu"
        self._baud.set_visibility(serial)
        self._parity.set_visibility(serial)
        self._address.props(f'placeholder="{"/dev/ttyUSB0" if serial else "10.0.0.5"}"')

    def _connect(self) -> None:
        address, unit = str(self._address.value or "").strip(), int(self._unit.value or 0)
        if not address:
            return
        self._url = (
            address
            if "://" in address and "?" in address
            else (
                modbus_rtu(address, int(self._baud.value), str(self._parity.value), unit)
                if self._way.value == "rtu"
                else modbus_tcp(address, unit)
            )
        )
        self._open()

    def _open(self) -> None:
        """The tools, for the device whose address is known now."""
        bench, words = self._bench, self._bench.words
        for timer in bench.timers:
            timer.cancel()
        bench.timers.clear()
        self._work.clear()
        with self._work:
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
                self._chosen = Chosen(bench, self._live, self._old.get("tags") or {})
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
            ui.button(icon="auto_fix_high", on_click=read).props(
                f'flat dense round aria-label="{self._bench.words("setup.modbus.read")} {row["address"]}"'
            )

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
        """Into the draft."""
        bench = self._bench
        name = self._name or str(self._id.value or "").strip()
        tags = self._chosen.tags()
        if tags is None:
            return
        if not tags:
            bench.say(bench.words("setup.missing", what=bench.words("setup.chosen")), "warning")
            return
        if not ID.fullmatch(name) or (not self._name and name in bench.draft.group("devices")):
            bench.say(bench.words("setup.bad_id", id=name), "warning")
            return

        def change() -> None:
            if self._name:
                for id_, tag in tags.items():
                    bench.draft.put(("devices", name, "tags", id_), tag)
            else:
                poll = str(self._poll.value or "").strip()
                section = {"driver": "modbus", "url": self._url, **({"poll": poll} if poll else {}), "tags": tags}
                bench.draft.put(("devices", name), section)

        if await bench.change(change):
            bench.say(bench.words("setup.taken", name=name), "positive")
            await bench.go("devices")


# Keys of a device section that hold while asking it, too.
_ASKING: Final = (
    "timeout",
    "retries",
    "pause_between_requests",
    "pause_after_connect",
    "max_registers",
    "max_bits",
    "base",
    "ca",
    "cert",
    "key",
)


def _unit(url: str) -> str | None:
    """Of the device alone: others behind the same gateway are devices of their own."""
    for part in url.partition("?")[2].split("&"):
        key, _, value = part.partition("=")
        if key == "unit" and value.isdecimal():
            return value
    return None
