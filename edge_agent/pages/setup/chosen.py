"""The tags that somebody has chosen for a device: their ids, their live values, and out with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import html, put
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.sections import ID, slug, unique

# So many are read again and again while they are looked at; a device has better things to do.
WATCHED: Final = 40
EVERY_S: Final = 2.0


class Chosen:
    """A list of tags that grows; `read` gives live values of some of them, by id, as text."""

    def __init__(
        self,
        bench: Bench,
        read: Callable[[Mapping[str, dict[str, Any]]], Awaitable[Mapping[str, str]]],
        old: Mapping[str, Any],
    ) -> None:
        """`old`: tags the device has already; they stay as they are."""
        self._bench = bench
        self._read = read
        self._old = dict(old)
        self._rows: dict[str, _Row] = {}
        self._reading = False
        words = bench.words
        with ui.element("section").classes("card chosen"):
            self._head = html("").classes("card-head")
            self._list = ui.element("div").classes("chosenrows")
            self._none = html(Markup('<p class="soft">{}</p>').format(words("setup.chosen.none")))
        bench.every(EVERY_S, self._refresh)
        self._count()

    @property
    def taken(self) -> set[str]:
        """Ids that are in use."""
        return {*self._old, *(row.id for row in self._rows.values())}

    def has(self, key: str) -> bool:
        """Whether what has this key was chosen."""
        return key in self._rows

    def add(self, key: str, name: str, tag: Mapping[str, Any], about: str = "", value: str = "") -> None:
        """One more; `key` tells it from others, `name` becomes its id."""
        if key not in self._rows:
            with self._list:
                self._rows[key] = _Row(
                    self._bench, unique(slug(name), self.taken), dict(tag), about, value, lambda: self.remove(key)
                )
        self._count()

    def remove(self, key: str) -> None:
        """No longer."""
        row = self._rows.pop(key, None)
        if row is not None:
            row.box.delete()
        self._count()

    def tags(self) -> dict[str, dict[str, Any]] | None:
        """Id → keys of a tag; None and a word where an id is none, or is there twice."""
        found: dict[str, dict[str, Any]] = {}
        for row in self._rows.values():
            if not ID.fullmatch(row.id) or row.id in found or row.id in self._old:
                self._bench.say(self._bench.words("setup.bad_id", id=row.id), "warning")
                return None
            found[row.id] = row.tag
        return found

    def _count(self) -> None:
        words = self._bench.words
        put(
            self._head,
            Markup("<h2>{}</h2><span class=soft>{}</span>").format(words("setup.chosen"), len(self._rows) or ""),
        )
        self._none.set_visibility(not self._rows)

    async def _refresh(self) -> None:
        """Live values; one question at a time, and none where nothing is chosen."""
        if self._reading or not self._rows:
            return
        self._reading = True
        try:
            some = {key: row.tag for key, row in list(self._rows.items())[:WATCHED]}
            for key, value in (await self._read(some)).items():
                if key in self._rows:
                    self._rows[key].show(value)
        finally:
            self._reading = False


class _Row:
    """One of them."""

    def __init__(
        self, bench: Bench, id_: str, tag: dict[str, Any], about: str, value: str, remove: Callable[[], None]
    ) -> None:
        words = bench.words
        self.tag = tag
        with ui.element("div").classes("chosenrow") as self.box:
            self._id = ui.input(value=id_).props("dense outlined").classes("id")
            html(Markup("<code>{}</code>").format(about)).classes("grow")
            self._unit = ui.input(
                placeholder=words("setup.unit"), value=str(tag.get("unit", "")), on_change=self._set_unit
            )
            self._unit.props("dense outlined").classes("unit")
            self._value = html("").classes("live")
            ui.button(icon="close", on_click=remove).props(f'flat round dense aria-label="{words("setup.remove")}"')
        self.show(value)

    @property
    def id(self) -> str:
        """What was typed."""
        return str(self._id.value or "").strip()

    def show(self, value: str) -> None:
        """What it is now."""
        put(self._value, Markup("<b>{}</b>").format(value))

    def _set_unit(self, event: Any) -> None:
        self.tag.pop("unit", None)
        if event.value:
            self.tag["unit"] = str(event.value).strip()
