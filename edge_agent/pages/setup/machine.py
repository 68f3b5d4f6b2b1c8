"""A machine: what tells its state, what counts its pieces, how long one should take, when it is planned to work."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import card, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.choice import TagChoice, Tags
from edge_agent.pages.setup.products import Products
from edge_agent.pages.setup.sections import merged
from edge_agent.pages.setup.telling import Telling

COUNTS: Final = ("total", "good", "scrap")
# The keys that the form knows; all others of a machine stay as they are.
OURS: Final = (
    "line", "state", "packml", "machinery", "machinetool", "counts", "ideal_cycle", "job", "calendar", "micro_stop",
    "operator",
)  # fmt: skip


class MachineForm:
    """The form; `name` of a machine that is there already."""

    def __init__(self, bench: Bench, name: str = "") -> None:
        self._bench = bench
        self._name = name
        self._old = bench.draft.entry("machines", name) if name else {}

    async def begin(self) -> None:
        """Ask which tags there are, and draw."""
        bench, words, old = self._bench, self._bench.words, self._old
        tags = Tags(bench)
        await tags.load()
        with card(words("setup.machine.title")), ui.element("div").classes("form"):
            self._id = (
                ui.input(words("setup.id"), value=self._name, placeholder="press-1")
                .props("outlined dense" + (" readonly" if self._name else ""))
                .mark("id")
            )
            self._line = ui.input(words("setup.line_of"), value=str(old.get("line") or ""), placeholder="line-a").props(
                "outlined dense"
            )
            calendars = {"": words("setup.calendar.none"), **{one: one for one in bench.draft.group("calendars")}}
            self._kept_calendar = old.get("calendar") if not isinstance(old.get("calendar"), str) else None
            now = str(old.get("calendar") or "") if self._kept_calendar is None else ""
            self._calendar = ui.select(
                calendars if now in calendars else {**calendars, now: now}, value=now, label=words("setup.calendar")
            ).props("outlined dense options-dense")
            self._micro = ui.input(
                words("setup.micro_stop"), value=str(old.get("micro_stop") or ""), placeholder="5min"
            ).props("outlined dense")
            # Who makes a machine here wants its stops explained here; one that the file has without is left so.
            self._operator = ui.checkbox(words("setup.operator"), value=not self._name or "operator" in old)
        self._telling = Telling(bench, tags, old)
        counts = old.get("counts") if isinstance(old.get("counts"), dict) else {}
        self._kept_counts = {
            key: one for key, one in (counts or {}).items() if key not in COUNTS or not isinstance(one, str)
        }
        with (
            card(words("setup.counts"), Markup('<span class="soft">{}</span>').format(words("setup.counts.note"))),
            ui.element("div").classes("form choices"),
        ):
            self._counts = {
                one: TagChoice(bench, tags, words(f"setup.counts.{one}"), str((counts or {}).get(one) or ""))
                for one in COUNTS
                if one not in self._kept_counts
            }
            if self._kept_counts:
                html(
                    Markup('<p class="remark wide">{}</p>').format(
                        words("setup.kept", keys=", ".join(self._kept_counts))
                    )
                )
        self._products = Products(bench, tags, old)
        with ui.element("div").classes("addrow end"):
            ui.button(words("setup.back"), on_click=lambda: bench.go("machines")).props("no-caps flat")
            ui.button(words("setup.take"), on_click=self._take).props("no-caps unelevated icon=add_task").mark("take")
        await self._telling.begin()

    def _values(self) -> dict[str, Any] | None:
        """What the form says; None and a word where something is missing."""
        bench, words = self._bench, self._bench.words
        state = self._telling.values()
        ideal = self._products.values()
        if state is None or ideal is None:
            return None
        counts = {one: choice.value for one, choice in self._counts.items() if choice.value} | self._kept_counts
        if not counts and "packml" not in state:
            bench.say(words("setup.counts.missing"), "warning")
            return None
        return {
            **dict.fromkeys(OURS),
            "line": str(self._line.value or "").strip() or None,
            **state,
            "counts": counts or None,
            **ideal,
            "calendar": self._kept_calendar or str(self._calendar.value or "") or None,
            "micro_stop": str(self._micro.value or "").strip() or None,
            "operator": (self._old.get("operator") or {}) if self._operator.value else None,
        }

    async def _take(self) -> None:
        """Into the draft."""
        bench, name = self._bench, str(self._id.value or "").strip()
        if not bench.can_be_called(name, "machines", self._name):
            return
        values = self._values()
        if values is None:
            return
        section = merged(self._old, values, OURS)
        if await bench.change(lambda: bench.draft.become(("machines", name), section)):
            bench.say(bench.words("setup.taken", name=name), "positive")
            await bench.go("machines")
