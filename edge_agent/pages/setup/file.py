"""The site file as a text, for everything that has no form; judged while it is written."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import card, html, put
from edge_agent.pages.setup.bar import findings
from edge_agent.pages.setup.bench import Bench

# Judged once nobody has typed for so long.
_PAUSE_S: Final = 0.8


class File:
    """The editor."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._typed = 0
        words = bench.words
        with card(words("setup.part.file"), Markup("<code>{}</code>").format(bench.draft.file)):
            self._found = html("")
            theme: Any = "githubDark" if bench.visit.dark else "githubLight"
            self._editor = ui.codemirror(
                bench.draft.text, language="YAML", theme=theme, on_change=self._changed
            ).classes("editor")
        self._show()

    async def _changed(self, event: Any) -> None:
        self._bench.draft.text = event.value
        self._typed += 1
        typed = self._typed
        await asyncio.sleep(_PAUSE_S)
        if typed == self._typed and await self._bench.visit.attempt(self._bench.check):
            self._show()

    def _show(self) -> None:
        verdict = self._bench.draft.verdict
        if verdict is not None:
            put(self._found, findings(verdict, self._bench.words))
