"""A Modbus device: its address, and then the tools that look for what can be read there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import card, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.modbus_tools import ModbusTools
from edge_agent.pages.setup.sections import modbus_rtu, modbus_tcp
from edge_agent.pages.setup.template import TemplateChoice

BAUDS: Final = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)


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


class Modbus:
    """The form, and below it the tools; `name` of a device that is there already."""

    def __init__(self, bench: Bench, name: str = "") -> None:
        self._bench = bench
        self._name = name
        self._old = bench.draft.entry("devices", name) if name else {}
        self._url = str(self._old.get("url") or "")
        self._keys = {key: value for key, value in self._old.items() if key in _ASKING}
        self._template: TemplateChoice | None = None

    async def begin(self) -> None:
        """Ask which models are known, and draw."""
        bench, words, name = self._bench, self._bench.words, self._name
        templates = [] if self._old else (await bench.visit.get("/templates", driver="modbus"))["templates"]
        with card(words("setup.modbus.title") if not name else words("setup.more_tags", name=name)):
            self._form(templates)
        self._work = ui.element("div").classes("browse")
        if self._old:
            self._open()

    def _form(self, templates: Sequence[Mapping[str, Any]]) -> None:
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
            self._template = TemplateChoice(words, templates, self._model_chosen)
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

    def _model_chosen(self) -> None:
        """A model says itself how often it is read."""
        assert self._template is not None
        self._poll.set_visibility(not self._template.name)

    def _connect(self) -> None:
        address, unit = str(self._address.value or "").strip(), int(self._unit.value or 0)
        if not address:
            self._bench.say(self._bench.words("setup.missing", what=self._bench.words("setup.address")), "warning")
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
        bench = self._bench
        for timer in bench.timers:
            timer.cancel()
        bench.timers.clear()
        self._work.clear()
        with self._work:
            ModbusTools(bench, self._url, self._keys, self._old.get("tags") or {}, self._take)

    async def _take(self, tags: dict[str, dict[str, Any]]) -> None:
        """Into the draft."""
        bench = self._bench
        name = self._name or str(self._id.value or "").strip()
        model = self._template.section() if self._template else {}
        if self._template and (missing := self._template.missing()):
            bench.say(bench.words("setup.missing", what=", ".join(missing)), "warning")
            return
        if not tags and not model:
            bench.say(bench.words("setup.missing", what=bench.words("setup.chosen")), "warning")
            return
        if not bench.can_be_called(name, "devices", self._name):
            return

        def change() -> None:
            if self._name:
                for id_, tag in tags.items():
                    bench.draft.put(("devices", name, "tags", id_), tag)
            else:
                poll = "" if model else str(self._poll.value or "").strip()
                more = {**model, **({"poll": poll} if poll else {}), **({"tags": tags} if tags else {})}
                bench.draft.put(("devices", name), {"driver": "modbus", "url": self._url, **more})

        if await bench.change(change):
            bench.say(bench.words("setup.taken", name=name), "positive")
            await bench.go("devices")
