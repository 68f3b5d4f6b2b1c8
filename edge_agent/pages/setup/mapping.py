"""What the values of a tag mean: those it had, for how long, and the one it has now; a state is chosen for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.client import UNKNOWN, Refused, place
from edge_agent.pages.look import shape
from edge_agent.pages.parts import attributes, html, put
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.sections import STATES, guess, key_of

EVERY_S: Final = 1.0
# A shift shows most of what a machine does.
LOOK_BACK: Final = timedelta(hours=8)
_POINTS: Final = 5000
# A tag with more values is no state; the most frequent are shown.
_MOST: Final = 40


class StateMap:
    """Rows of a tag's values; `old` is what the site file says of them."""

    def __init__(self, bench: Bench, old: Mapping[str, Any]) -> None:
        self._bench = bench
        self._tag = ""
        self._rows: dict[str, _Row] = {}
        self._old = {str(key): str(value) for key, value in old.items()}
        self._spent: dict[str, float] = {}
        self._running = False
        words = bench.words
        self._now = html("").classes("watching")
        self._box = ui.element("div").classes("maprows")
        with ui.element("div").classes("form"):
            self._more = ui.input(words("setup.map.more")).props("outlined dense")
            ui.button(words("setup.map.add"), on_click=self._add).props("no-caps outline icon=add")
        bench.every(EVERY_S, self._watch)
        for value in self._old:
            self._row(value)

    async def of(self, tag: str) -> None:
        """Watch this tag, from when the agent reads it."""
        if tag != self._tag:
            for value in [one for one in self._rows if one not in self._old]:
                self._rows.pop(value).box.delete()
            self._spent = {}
        self._tag, self._running = tag, False
        put(self._now, Markup(""))
        await self._watch()

    def map(self) -> dict[str, str]:
        """Value → state, and its reason behind it; values without a state are left out."""
        given = {value: row.meaning for value, row in self._rows.items() if row.meaning}
        return dict(sorted(given.items(), key=_in_order))

    def _add(self) -> None:
        value = str(self._more.value or "").strip()
        if value:
            self._row(value)
            self._more.set_value("")

    def _row(self, value: str) -> None:
        if value in self._rows or len(self._rows) >= _MOST:
            return
        with self._box:
            self._rows[value] = _Row(self._bench, value, self._old.get(value, guess(value)))

    async def _look_back(self) -> None:
        now = datetime.now(ZoneInfo(self._bench.visit.zone))
        answer = await self._bench.visit.get(
            f"{place('tags', self._tag)}/history", start=(now - LOOK_BACK).isoformat(), max_points=_POINTS
        )
        self._spent = spent(answer["points"], round(now.timestamp() * 1000))
        for value in sorted(self._spent, key=lambda one: -self._spent[one])[:_MOST]:
            self._row(value)
        self._draw("")

    async def _watch(self) -> None:
        if not self._tag:
            return
        words = self._bench.words
        try:
            one = await self._bench.visit.shared(place("tags", self._tag), EVERY_S * 0.8)
        except Refused as refused:
            if refused.status != UNKNOWN:
                raise
            # Its device may have been applied this very second, or is not yet.
            self._running = False
            put(self._now, Markup('<p class="remark">{}</p>').format(words("setup.map.not_yet")))
            return
        if not self._running:
            self._running = True
            await self._look_back()
        if one["value"] is None:
            put(
                self._now,
                Markup('<p class="now">{} <b class="trouble">{}</b></p>').format(
                    words("setup.map.now"), one["reason"] or "–"
                ),
            )
            return
        value = key_of(one["value"])
        self._row(value)
        self._spent[value] = self._spent.get(value, 0.0) + EVERY_S
        put(self._now, Markup('<p class="now">{} <b>{}</b></p>').format(words("setup.map.now"), value))
        self._draw(value)

    def _draw(self, now: str) -> None:
        total = sum(self._spent.values()) or 1.0
        for value, row in self._rows.items():
            row.show(self._spent.get(value), total, value == now)


class _Row:
    """A value and what it means."""

    def __init__(self, bench: Bench, value: str, meaning: str) -> None:
        words = bench.words
        state, _, reason = meaning.partition(" ")
        self._words = words
        named = {"": words("setup.map.nothing"), **{one: words(f"state.{one}") for one in STATES}}
        with attributes(ui.element("div").classes("maprow"), data_value=value) as self.box:
            self._mark = html("").classes("mark")
            html(Markup("<b>{}</b>").format(value)).classes("value")
            self._share = html("").classes("share-of")
            self._state = (
                ui.select(named, value=state if state in STATES else "", on_change=self._turn)
                .props("outlined dense options-dense")
                .classes("state")
            )
            self._reason = (
                ui.input(placeholder=words("setup.map.reason"), value=reason).props("outlined dense").classes("reason")
            )
        self._turn()

    @property
    def meaning(self) -> str:
        """`IDLE STARVED`, as the site file has it; "" where nothing was chosen."""
        state, reason = str(self._state.value or ""), str(self._reason.value or "").strip()
        return f"{state} {reason}" if state and reason else state

    def show(self, seconds: float | None, total: float, is_now: bool) -> None:
        """For how long it was so."""
        share = 0.0 if seconds is None else seconds / total
        put(
            self._share,
            Markup('<span class="bar"><i class="value" style="width:{:.1f}%"></i></span><small>{}</small>').format(
                share * 100, self._words.length(seconds) if seconds else ""
            ),
        )
        (self.box.classes("is-now") if is_now else self.box.classes(remove="is-now"))

    def _turn(self) -> None:
        state = str(self._state.value or "")
        put(
            self._mark,
            Markup('<span class="pill s-{0}">{1}</span>').format(state, shape(state))
            if state
            else Markup('<span class="pill none">–</span>'),
        )


def _in_order(entry: tuple[str, str]) -> tuple[int, int, str]:
    """Numbers by size, then texts."""
    value = entry[0]
    number = value.removeprefix("-").isdecimal()
    return (0, int(value), "") if number else (1, 0, value)


def spent(points: Iterable[Any], until_ms: int) -> dict[str, float]:
    """Value → seconds that it held, from samples in the order of time; a bad one ends the one before it."""
    found: dict[str, float] = defaultdict(float)
    before: tuple[int, object] | None = None
    for ms, value, _ in points:
        if before is not None and before[1] is not None:
            found[key_of(before[1])] += max(0, int(ms) - before[0]) / 1000
        before = int(ms), value
    if before is not None and before[1] is not None:
        found[key_of(before[1])] += max(0, until_ms - before[0]) / 1000
    return dict(found)
