"""The calendars of the draft: shifts with their days, times and breaks, and public holidays."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import attributes, html
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.sections import breaks_of, breaks_text, calendar, merged, slug, unique

DAYS: Final = ("daily", "mon-fri", "mon-sat", "sat,sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_KNOWN: Final = frozenset({"days", "start", "end", "breaks"})


class Calendars:
    """A card each, and one more."""

    def __init__(self, bench: Bench) -> None:
        words = bench.words
        with ui.element("div").classes("addrow"):
            ui.button(words("setup.add.calendar"), on_click=self._new).props("no-caps unelevated icon=add").mark(
                "add-calendar"
            )
        self._bench = bench
        self._box = ui.element("div")
        found = bench.draft.group("calendars")
        with self._box:
            for name, one in found.items():
                if isinstance(one, dict):
                    _Calendar(bench, name, one)
            self._none = html(Markup('<p class="note">{}</p>').format(words("setup.no_calendars")))
        self._none.set_visibility(not found)

    def _new(self) -> None:
        self._none.set_visibility(False)
        name = unique("two-shift", self._bench.draft.group("calendars"))
        with self._box:
            _Calendar(
                self._bench,
                name,
                {
                    "shifts": {
                        "day": {"days": "mon-fri", "start": "06:00", "end": "14:00"},
                        "late": {"days": "mon-fri", "start": "14:00", "end": "22:00"},
                    }
                },
                is_new=True,
            )


class _Calendar:
    """One of them."""

    def __init__(self, bench: Bench, name: str, old: dict[str, Any], *, is_new: bool = False) -> None:
        self._bench = bench
        self._name = name
        self._old = {} if is_new else old
        self._is_new = is_new
        words = bench.words
        shifts = {key: one for key, one in (old.get("shifts") or {}).items() if isinstance(one, dict)}
        self._rows: list[_Shift] = []
        with attributes(ui.element("section").classes("card"), data_calendar=name) as self._card:
            with ui.element("div").classes("form"):
                self._id = (
                    ui.input(words("setup.id"), value=name)
                    .props("outlined dense" + ("" if is_new else " readonly"))
                    .mark("id")
                )
                self._holidays = ui.input(
                    words("setup.holidays"), value=str(old.get("holidays") or ""), placeholder="CN"
                ).props("outlined dense")
                remove = ui.button(icon="delete", on_click=self._remove).props("flat round")
                attributes(remove, aria_label=f"{words('setup.remove')} {name}")
            self._box = ui.element("div").classes("shiftrows")
            for key, one in shifts.items():
                self._add(key, one)
            with ui.element("div").classes("addrow end"):
                ui.button(words("setup.shift.add"), on_click=lambda: self._add("", {})).props("no-caps flat icon=add")
                ui.button(words("setup.take"), on_click=self._take).props("no-caps outline icon=add_task").mark("take")

    def _add(self, name: str, shift: dict[str, Any]) -> None:
        with self._box:
            row: _Shift = _Shift(
                self._bench, name or unique("shift", [one.name for one in self._rows]), shift, lambda: self._drop(row)
            )
        self._rows.append(row)

    def _drop(self, row: _Shift) -> None:
        self._rows.remove(row)
        row.box.delete()

    async def _remove(self) -> None:
        if self._is_new:
            self._card.delete()
        elif await self._bench.change(lambda: self._bench.draft.take(("calendars", self._name))):
            await self._bench.go()

    async def _take(self) -> None:
        """Into the draft."""
        bench, name = self._bench, str(self._id.value or "").strip()
        if not bench.can_be_called(name, "calendars", "" if self._is_new else self._name):
            return
        made = calendar([row.values() for row in self._rows], str(self._holidays.value or "").strip())
        old = self._old.get("shifts") or {}
        for key, shift in made["shifts"].items():
            if isinstance(old.get(key), dict):
                made["shifts"][key] = merged(old[key], {**dict.fromkeys(_KNOWN), **shift}, _KNOWN)
        section = merged(self._old, {"holidays": None, **made}, ("shifts", "holidays"))
        if await bench.change(lambda: bench.draft.become(("calendars", name), section)):
            bench.say(bench.words("setup.taken", name=name), "positive")
            await bench.go()


class _Shift:
    """A row."""

    def __init__(self, bench: Bench, name: str, shift: dict[str, Any], remove: Any) -> None:
        words = bench.words
        days = shift.get("days") or "mon-fri"
        days = ",".join(map(str, days)) if isinstance(days, list) else str(days)
        with ui.element("div").classes("shiftrow") as self.box:
            self._name = ui.input(words("setup.shift.name"), value=name).props("outlined dense")
            self._days = ui.select(
                [*DAYS] if days in DAYS else [*DAYS, days],
                value=days,
                label=words("setup.shift.days"),
                with_input=True,
                new_value_mode="add-unique",
            ).props("outlined dense options-dense")
            self._start = ui.input(words("setup.shift.start"), value=str(shift.get("start") or "06:00")).props(
                "outlined dense mask=##:##"
            )
            self._end = ui.input(words("setup.shift.end"), value=str(shift.get("end") or "14:00")).props(
                "outlined dense mask=##:##"
            )
            breaks = shift.get("breaks") if isinstance(shift.get("breaks"), list) else []
            self._breaks = (
                ui.input(words("setup.shift.breaks"), value=breaks_text(breaks or []), placeholder="10:00 15min")
                .props("outlined dense")
                .classes("grow")
            )
            ui.button(icon="close", on_click=remove).props(f'flat round dense aria-label="{words("setup.remove")}"')

    @property
    def name(self) -> str:
        """What was typed."""
        return str(self._name.value or "")

    def values(self) -> dict[str, Any]:
        """As `sections.calendar` takes it."""
        return {
            "name": slug(self.name, "shift"),
            "days": str(self._days.value or "daily"),
            "start": str(self._start.value or ""),
            "end": str(self._end.value or ""),
            "breaks": breaks_of(str(self._breaks.value or "")),
        }
