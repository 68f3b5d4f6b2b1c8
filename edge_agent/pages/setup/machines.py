"""The machines of the draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, card, html
from edge_agent.pages.setup.bench import Bench


class Machines:
    """The list."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        words = bench.words
        with ui.element("div").classes("addrow"):
            ui.button(words("setup.add.machine"), on_click=lambda: bench.go("machine")).props(
                "no-caps unelevated icon=add"
            ).mark("add-machine")
        found = bench.draft.group("machines")
        with card(words("setup.part.machines")):
            for name, machine in found.items():
                if isinstance(machine, dict):
                    self._machine(name, machine)
            if not found:
                html(Markup('<p class="note">{}</p>').format(words("setup.no_machines")))

    def _machine(self, name: str, machine: Mapping[str, Any]) -> None:
        bench, words = self._bench, self._bench.words
        with attributes(ui.element("div").classes("entry"), data_machine=name):
            html(
                Markup('<div><b>{}</b>{}<small class="soft">{}</small></div>').format(
                    name,
                    Markup(' <span class="badge">{}</span>').format(machine["line"]) if machine.get("line") else "",
                    _about(machine, words),
                )
            ).classes("grow")
            ui.button(words("setup.edit"), on_click=lambda: bench.go("machine", name)).props(
                "no-caps outline icon=edit"
            )
            remove = ui.button(icon="delete", on_click=lambda: self._remove(name)).props("flat round")
            attributes(remove, aria_label=f"{words('setup.remove')} {name}")

    async def _remove(self, name: str) -> None:
        if await self._bench.change(lambda: self._bench.draft.take(("machines", name))):
            await self._bench.go()


def _about(machine: Mapping[str, Any], words: Any) -> str:
    state = machine.get("state")
    told = next((key for key in ("packml", "machinery", "machinetool") if machine.get(key)), "")
    if isinstance(state, dict):
        told = str(state.get("tag") or next(iter(state), ""))
    counts = machine.get("counts") if isinstance(machine.get("counts"), dict) else {}
    ideal = machine.get("ideal_cycle") or ", ".join((machine.get("job") or {}).get("products") or {})
    parts = (
        f"{words('setup.state')}: {told}" if told else "",
        f"{words('setup.counts')}: {', '.join(counts or {})}" if counts else "",
        f"{words('setup.ideal')}: {ideal}" if ideal else "",
    )
    return " · ".join(filter(None, parts))
