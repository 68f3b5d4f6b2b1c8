"""The devices of the draft; more of them, and more tags of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, card, html
from edge_agent.pages.setup.bench import Bench

# Drivers whose tags can be chosen by looking at the device.
_BROWSED = {"opcua": "opcua", "modbus": "modbus"}


class Devices:
    """The list."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        words = bench.words
        with ui.element("div").classes("addrow"):
            for part, icon in (("opcua", "account_tree"), ("modbus", "memory")):
                ui.button(words(f"setup.add.{part}"), on_click=lambda part=part: bench.go(part)).props(
                    f"no-caps unelevated icon={icon}"
                ).mark(f"add-{part}")
        found = bench.draft.group("devices")
        with card(words("setup.part.devices")):
            for name, device in found.items():
                if isinstance(device, dict):
                    self._device(name, device)
            if not found:
                html(Markup('<p class="note">{}</p>').format(words("setup.no_devices")))

    def _device(self, name: str, device: Mapping[str, Any]) -> None:
        bench, words = self._bench, self._bench.words
        tags = device.get("tags") if isinstance(device.get("tags"), dict) else {}
        with attributes(ui.element("div").classes("entry"), data_device=name):
            html(
                Markup(
                    '<div><b>{}</b> <span class="badge">{}</span><br><code>{}</code>'
                    '<small class="soft">{}</small></div>'
                ).format(
                    name,
                    device.get("driver", ""),
                    device.get("url", ""),
                    words("setup.tags", n=len(tags or {}))
                    if not device.get("template")
                    else f"template: {device['template']}",
                )
            ).classes("grow")
            if (part := _BROWSED.get(str(device.get("driver")))) is not None:
                ui.button(words("setup.more"), on_click=lambda: bench.go(part, name)).props("no-caps outline icon=add")
            remove = ui.button(icon="delete", on_click=lambda: self._remove(name)).props("flat round")
            attributes(remove, aria_label=f"{words('setup.remove')} {name}")

    async def _remove(self, name: str) -> None:
        if await self._bench.change(lambda: self._bench.draft.take(("devices", name))):
            await self._bench.go()
