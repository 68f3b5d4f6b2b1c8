"""Set-up: parts beside each other, one shown at a time; below them the bar that says what has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import html, note, put
from edge_agent.pages.setup.bar import Bar
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.calendars import Calendars
from edge_agent.pages.setup.devices import Devices
from edge_agent.pages.setup.draft import draft_of
from edge_agent.pages.setup.file import File
from edge_agent.pages.setup.machine import MachineForm
from edge_agent.pages.setup.machines import Machines
from edge_agent.pages.setup.modbus import Modbus
from edge_agent.pages.setup.opcua import OpcUa
from edge_agent.pages.setup.versions import Versions
from edge_agent.pages.tools.look import style
from edge_agent.pages.visit import Visit, login_url

# Parts whose forms are taken over into the draft; the text of the file is the draft.
_FORMS: Final = frozenset({"calendars", "machine", "modbus", "opcua"})
# What stands in the list of parts, with its icon; the others are reached from these.
PARTS: Final = {
    "devices": "cable", "machines": "precision_manufacturing", "calendars": "calendar_month", "file": "description",
    "versions": "history",
}  # fmt: skip
_WITHIN: Final = {"opcua": "devices", "modbus": "devices", "machine": "machines"}
_MAKERS: Final[Mapping[str, Callable[..., Any]]] = {
    "devices": Devices, "opcua": OpcUa, "modbus": Modbus, "machines": Machines, "machine": MachineForm,
    "calendars": Calendars, "file": File, "versions": Versions,
}  # fmt: skip


async def show(visit: Visit) -> None:
    """Put the page together."""
    style()
    if not visit.may("engineer"):
        note(visit.words("setup.engineers"))
        html(
            Markup('<p class="note"><a href="{}">{}</a></p>').format(login_url(visit.path), visit.words("shell.login"))
        )
        return
    page = _Setup(Bench(visit, await draft_of(visit)))
    await page.bench.check()
    part = visit.params.get("part", "devices")
    await page.go(part if part in PARTS else "devices")


class _Setup:
    """The list of parts, the part that is shown, the bar."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._part: tuple[str, tuple[str, ...]] = ("devices", ())
        bench.go = self.go
        with ui.element("div").classes("setup"):
            with ui.element("nav").classes("parts"):
                self._links = {name: self._link(name) for name in PARTS}
            self._box = ui.element("div").classes("part").on("input", self._typed, args=[])
        Bar(bench)

    def _link(self, name: str) -> ui.html:
        async def choose() -> None:
            await self.bench.visit.attempt(lambda: self.go(name))

        return (
            html("")
            .classes("partlink")
            .props(f"role=button tabindex=0 data-part={name}")
            .on("click", choose)
            .on("keydown.enter", choose)
        )

    def _typed(self) -> None:
        self.bench.untaken = self._part[0] in _FORMS

    async def go(self, part: str = "", *names: str) -> None:
        """Show this part; without a name the one that is shown, anew."""
        if part:
            self._part = part, names
        part, names = self._part
        for timer in self.bench.timers:
            timer.cancel()
        self.bench.timers.clear()
        here = _WITHIN.get(part, part)
        for name, link in self._links.items():
            put(
                link,
                Markup('<span class="{}"><i class="material-icons" aria-hidden="true">{}</i>{}</span>').format(
                    "here" if name == here else "", PARTS[name], self.bench.words(f"setup.part.{name}")
                ),
            )
        self._box.clear()
        with self._box:
            made = _MAKERS[part](self.bench, *names)
            if hasattr(made, "begin"):
                await made.begin()
        self.bench.untaken = False
        self.bench.show_bar()
