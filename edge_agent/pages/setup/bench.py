"""What all parts of Set-up share: the visitor, their draft, and who is to know when it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from nicegui import ui

from edge_agent.config.edit import CannotEdit
from edge_agent.pages.client import Away, Refused
from edge_agent.pages.setup.draft import Draft
from edge_agent.pages.setup.sections import ID
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import Words

# What differs is exchanged within a second or two; where all begins anew, on a small gateway, within ten.
_ANEW_S: Final = 1.0
_PATIENCE: Final = 30
CHANGED: Final = 412
"""The site file is not the one that a change was made in."""


class Bench:
    """One visitor at work."""

    def __init__(self, visit: Visit, draft: Draft) -> None:
        self.visit = visit
        self.draft = draft
        self.words: Words = visit.words
        self.go: Callable[..., Awaitable[None]]
        """shows a part by its name, set by the page"""
        self.show_bar: Callable[[], None]
        """draws what has changed, set by the page"""
        self.untaken = False
        """something is typed in a form of the part that is shown, and not in the draft"""
        self.timers: list[ui.timer] = []
        """of the part that is shown; they end with it"""

    async def check(self) -> None:
        """Ask the agent what it thinks of the draft. Raises Away, Refused."""
        self.draft.verdict = await self.visit.post("/config/check", {"text": self.draft.text})
        self.show_bar()

    async def begin_anew(self) -> None:
        """After the file has changed: once the agent answers again, with what is in it now."""
        for left in reversed(range(_PATIENCE)):
            await asyncio.sleep(_ANEW_S)
            try:
                self.draft.take_up(await self.visit.get("/config"))
                await self.check()
            except Away:
                if not left:
                    raise
            else:
                break
        await self.go()

    async def change(self, change: Callable[[], None]) -> bool:
        """Do it to the draft and have it judged; False and a word where it cannot be done."""
        try:
            change()
        except CannotEdit as cannot:
            self.say(str(cannot), "warning")
            return False
        return await self.visit.attempt(self.check)

    async def ask(self, path: str, body: object) -> Any:
        """Post; None where the agent refuses or does not answer, which is then said beside the button."""
        try:
            return await self.visit.post(path, body)
        except Refused as refused:
            if refused.status == CHANGED:
                self.say(self.words("setup.changed_meanwhile"), "negative")
            else:
                self.visit.failed(refused)
        except Away as away:
            self.visit.failed(away)
        return None

    def can_be_called(self, name: str, group: str, before: str = "") -> bool:
        """Whether an entry of `group`, called `before` so far, can have this name; else a word says why not."""
        if not name:
            self.say(self.words("setup.missing", what=self.words("setup.id")), "warning")
        elif not ID.fullmatch(name) or (name != before and name in self.draft.group(group)):
            self.say(self.words("setup.bad_id", id=name), "warning")
        else:
            return True
        return False

    def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """As `Visit.every`, while this part is shown."""
        self.timers.append(self.visit.every(seconds, work))

    def say(self, text: str, kind: Any = "info") -> None:
        """A word that goes away by itself."""
        ui.notify(text, type=kind, multi_line=True, position="top", timeout=8000)
