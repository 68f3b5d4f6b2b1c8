"""The account: one's own password; and, for an engineer, who may log in and as what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.client import place
from edge_agent.pages.parts import card, html
from edge_agent.pages.visit import ROLES, Visit


async def show(visit: Visit) -> None:
    """Put the page together."""
    with ui.element("div").classes("columns"):
        _own(visit)
        if visit.may("engineer"):
            await _People(visit).show()


def _own(visit: Visit) -> None:
    words = visit.words
    with card(str(visit.me["user"])):
        html(Markup('<p class="soft">{}</p>').format(words.of("role.", str(visit.me["role"]))))
        old, new, again = (_password(words(f"account.{name}")) for name in ("old", "new", "again"))

        async def change() -> None:
            if new.value != again.value:
                ui.notify(words("login.differ"), type="negative")
                return
            await visit.post("/me/password", {"old": old.value or "", "new": new.value or ""})
            for field in (old, new, again):
                field.set_value("")
            ui.notify(words("account.changed"), type="positive")

        _button(visit, words("account.change"), change)


class _People:
    """Who may log in."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._roles = {role: visit.words(f"role.{role}") for role in ROLES}

    async def show(self) -> None:
        """The list, and a line for somebody new."""
        words = self._visit.words
        with card(words("account.people")):
            self._list = ui.element("div").classes("people")
            html(Markup("<h3>{}</h3>").format(words("account.add")))
            name = ui.input(words("login.user")).props("outlined dense")
            password = _password(words("login.password"))
            role = ui.select(self._roles, value=ROLES[0], label=words("account.role")).props("outlined dense")

            async def add() -> None:
                await self._put(name.value or "", role.value, password.value or "")
                name.set_value("")
                password.set_value("")

            _button(self._visit, words("account.add"), add)
        await self._refresh()

    async def _put(self, user: str, role: str, password: str | None = None) -> None:
        body: dict[str, Any] = {"user": user, "role": role} | ({"password": password} if password is not None else {})
        await self._visit.post("/users", body)
        await self._refresh()

    async def _refresh(self) -> None:
        people = (await self._visit.get("/users"))["users"]
        self._list.clear()
        with self._list:
            for person in people:
                self._row(str(person["user"]), str(person["role"]))

    def _row(self, user: str, role: str) -> None:
        words, own = self._visit.words, user == self._visit.me["user"]
        with ui.element("div").classes("person"):
            ui.label(user)
            chosen = ui.select(self._roles, value=role).props("outlined dense")
            chosen.set_enabled(not own)
            chosen.on_value_change(lambda event: self._visit.attempt(lambda: self._put(user, event.value)))
            if not own:
                remove = ui.button(icon="person_remove").props("flat round dense")
                remove.tooltip(words("account.remove"))
                remove.on_click(lambda: self._visit.attempt(lambda: self._remove(user)))

    async def _remove(self, user: str) -> None:
        await self._visit.delete(place("users", user))
        await self._refresh()


def _password(label: str) -> ui.input:
    return ui.input(label, password=True, password_toggle_button=True).props("outlined dense autocomplete=new-password")


def _button(visit: Visit, text: str, work: Callable[[], Awaitable[None]]) -> None:
    ui.button(text, on_click=lambda: visit.attempt(work)).props("unelevated no-caps color=primary")
