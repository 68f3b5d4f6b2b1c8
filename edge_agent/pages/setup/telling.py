"""What tells a machine's state: a tag and what its values mean, a stack light, its power, or a specification."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import card, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.choice import TagChoice, Tags
from edge_agent.pages.setup.mapping import StateMap
from edge_agent.pages.setup.sections import state_of

LAMPS: Final = ("red", "yellow", "green", "blue")
FORMS: Final = ("packml", "machinery", "machinetool")
WAYS: Final = ("map", "stacklight", "power", "instance")


class Telling:
    """The card; `old` is the machine as it is."""

    def __init__(self, bench: Bench, tags: Tags, old: dict[str, Any]) -> None:
        self._bench = bench
        self._tags = tags
        self._old = old
        self._state: dict[str, Any] = old["state"] if isinstance(old.get("state"), dict) else {}
        words = bench.words
        self._way = way_of(old)
        known = self._way in WAYS
        with card(words("setup.state.title")):
            if not known:
                told = next(iter(self._state), "")
                html(Markup('<p class="remark">{}</p>').format(words("setup.state.kept", way=told)))
                return
            ways = {one: words(f"setup.state.{one}") for one in WAYS}
            ui.toggle(ways, value=self._way, on_change=self._switch).props(
                'no-caps unelevated padding="4px 14px"'
            ).mark("way")
            self._boxes = {one: ui.element("div").classes("way") for one in WAYS}
            self._map_box()
            self._lamp_box()
            self._power_box()
            self._instance_box()

    async def begin(self) -> None:
        """Look at the tag that was chosen before."""
        if self._way in WAYS:
            self._show()
            await self._watch(self._tag.value)

    def values(self) -> dict[str, Any] | None:
        """Keys of the machine; None and a word where something is missing."""
        words = self._bench.words
        if self._way not in WAYS:
            return {"state": self._old["state"]}
        if self._way == "instance":
            if not (self._device.value and self._node.value):
                return self._missing(words("setup.state.node"))
            return {str(self._form.value): {"device": self._device.value, "node": str(self._node.value).strip()}}
        if self._way == "stacklight":
            lamps = {lamp: choice.value for lamp, choice in self._lamps.items()}
            return (
                {"state": state_of("stacklight", {"lamps": lamps})}
                if any(lamps.values())
                else self._missing(words("setup.state.stacklight"))
            )
        if self._way == "power":
            values = {"tag": self._meter.value, "off": self._off.value, "run": self._run.value}
            return (
                {"state": state_of("power", values)}
                if all(one is not None and one != "" for one in values.values())
                else self._missing(words("setup.state.power"))
            )
        mapped = self._map.map()
        if not self._tag.value or not mapped:
            return self._missing(words("setup.state.map"))
        more = {key: one for key, one in self._state.items() if key not in ("tag", "map") and self._state.get("tag")}
        return {"state": {**state_of("map", {"tag": self._tag.value, "map": mapped}), **more}}

    def _missing(self, what: str) -> dict[str, Any] | None:
        self._bench.say(self._bench.words("setup.missing", what=what), "warning")
        return None

    def _map_box(self) -> None:
        words, state = self._bench.words, self._state
        old = state.get("map") if isinstance(state.get("map"), dict) else {}
        with self._boxes["map"]:
            html(Markup('<p class="soft">{}</p>').format(words("setup.map.note")))
            self._tag = TagChoice(
                self._bench, self._tags, words("setup.state.tag"), str(state.get("tag") or ""), self._watch
            )
            self._map = StateMap(self._bench, old or {})

    async def _watch(self, tag: str) -> None:
        await self._map.of(tag)

    def _lamp_box(self) -> None:
        words = self._bench.words
        lamps = self._state.get("stacklight") if isinstance(self._state.get("stacklight"), dict) else {}
        with self._boxes["stacklight"]:
            html(Markup('<p class="soft">{}</p>').format(words("setup.stacklight.note")))
            with ui.element("div").classes("form choices"):
                self._lamps = {
                    lamp: TagChoice(
                        self._bench, self._tags, words(f"setup.lamp.{lamp}"), str((lamps or {}).get(lamp) or "")
                    )
                    for lamp in LAMPS
                }

    def _power_box(self) -> None:
        words = self._bench.words
        power = self._state.get("power") if isinstance(self._state.get("power"), dict) else {}
        power = power or {}
        with self._boxes["power"]:
            html(Markup('<p class="soft">{}</p>').format(words("setup.power.note")))
            with ui.element("div").classes("form choices"):
                self._meter = TagChoice(self._bench, self._tags, words("setup.power.tag"), str(power.get("tag") or ""))
                self._off = ui.number(words("setup.power.off"), value=_number(power.get("off"))).props("outlined dense")
                self._run = ui.number(words("setup.power.run"), value=_number(power.get("run"))).props("outlined dense")

    def _instance_box(self) -> None:
        words = self._bench.words
        form = next((one for one in FORMS if isinstance(self._old.get(one), dict)), FORMS[0])
        old = self._old.get(form) or {}
        servers = [
            name
            for name, one in self._bench.draft.group("devices").items()
            if isinstance(one, dict) and one.get("driver") == "opcua"
        ]
        with self._boxes["instance"]:
            html(Markup('<p class="soft">{}</p>').format(words("setup.instance.note")))
            with ui.element("div").classes("form"):
                named = {
                    "packml": "PackML (OPC 30050)",
                    "machinery": "OPC UA for Machinery (OPC 40001-1)",
                    "machinetool": "Machine Tools (OPC 40501-1)",
                }
                self._form = ui.select(named, value=form, label=words("setup.instance.form")).props(
                    "outlined dense options-dense"
                )
                self._device = ui.select(
                    servers, value=old.get("device") if old.get("device") in servers else None, label=words("device")
                ).props("outlined dense options-dense")
                self._node = (
                    ui.input(
                        words("setup.state.node"), value=str(old.get("node") or ""), placeholder="/Objects/2:Filler1"
                    )
                    .props("outlined dense")
                    .classes("wide")
                )

    def _switch(self, event: Any) -> None:
        self._way = str(event.value)
        self._show()

    def _show(self) -> None:
        for way, box in self._boxes.items():
            box.set_visibility(way == self._way)


def way_of(machine: dict[str, Any]) -> str:
    """Which of the ways a machine's section has; another name where the form does not know it."""
    state = machine.get("state")
    if any(isinstance(machine.get(form), dict) for form in FORMS):
        return "instance"
    if not isinstance(state, dict) or "map" in state:
        return "map"
    power = state.get("power")
    if isinstance(state.get("stacklight"), dict) and set(state["stacklight"]) <= set(LAMPS):
        return "stacklight"
    if isinstance(power, dict) and all(_number(power.get(key)) is not None for key in ("off", "run")):
        return "power"
    return "other"


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
