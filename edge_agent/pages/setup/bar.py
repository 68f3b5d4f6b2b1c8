"""The bar at the foot of Set-up: what has changed, what is wrong with it, and its way into force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import html, put
from edge_agent.pages.setup.bench import Bench
from edge_agent.pages.setup.masked import is_secret, masked
from edge_agent.pages.words import Words

# A change of a calendar is one of all its machines.
_NAMED: Final = 6


class Bar:
    """The bar, and the dialog in which a change is looked at and applied."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        words = bench.words
        bench.show_bar = self.show
        with ui.element("section").classes("changebar") as self._bar:
            self._told = html("").classes("grow")
            self._discard = (
                ui.button(words("setup.discard"), on_click=self._throw_away).props("no-caps flat").mark("discard")
            )
            self._review = (
                ui.button(words("setup.review"), on_click=self.review).props("no-caps unelevated").mark("review")
            )
        with ui.dialog().classes("sheet") as self._dialog, ui.element("div").classes("card detail"):
            with ui.element("div").classes("detail-head"):
                html(Markup("<h2>{}</h2>").format(words("setup.review.title"))).classes("grow")
                ui.button(icon="close", on_click=self._dialog.close).props(
                    f'flat round dense aria-label="{words("shell.close")}"'
                )
            self._mistakes = html("")
            self._anew = html("")
            self._diff = html("").classes("diffbox")
            with ui.element("div").classes("applyrow"):
                self._note = ui.input(words("setup.note")).props("dense outlined maxlength=200").classes("grow")
                self._apply = (
                    ui.button(words("setup.apply"), on_click=self._put_in_force)
                    .props("no-caps unelevated icon=check")
                    .mark("apply")
                )

    def show(self) -> None:
        """Draw what is to be said of the draft."""
        draft, words = self._bench.draft, self._bench.words
        self._bar.set_visibility(draft.is_changed)
        verdict = draft.verdict
        if verdict is None:
            return
        put(self._told, summary(verdict, words))
        put(self._mistakes, findings(verdict, words))
        put(self._anew, begins(verdict, words))
        put(self._diff, diff(masked(verdict["diff"], draft.base, draft.text), words))
        self._apply.set_enabled(verdict["ok"])

    async def review(self) -> None:
        """Show the change; not while something is typed that would be gone once it is applied."""
        if self._bench.untaken:
            self._bench.say(self._bench.words("setup.untaken"), "warning")
            return
        if await self._bench.visit.attempt(self._bench.check):
            self._dialog.open()

    async def _throw_away(self) -> None:
        bench = self._bench

        async def begin() -> None:
            bench.draft.take_up(await bench.visit.get("/config"))
            await bench.check()
            await bench.go()

        await bench.visit.attempt(begin)

    async def _put_in_force(self) -> None:
        bench, words = self._bench, self._bench.words
        draft = bench.draft
        self._apply.props("loading")
        try:
            done = await bench.ask(
                "/config/apply", {"text": draft.text, "etag": draft.etag, "note": self._note.value or ""}
            )
        finally:
            self._apply.props(remove="loading")
        if done is None:
            return
        if not done["ok"]:
            bench.say(words.told(done["error"] or "") or words("setup.mistakes", n=len(done["mistakes"])), "negative")
            return
        self._dialog.close()
        self._note.set_value("")
        bench.say(words("setup.applied", n=done["version"]), "positive")
        await bench.visit.attempt(bench.begin_anew)


def summary(verdict: Mapping[str, Any], words: Words) -> Markup:
    """In a line: which parts have changed, and whether they are right."""
    differs = verdict["differs"]
    shown = ", ".join(differs[:4]) + (f" +{len(differs) - 4}" if len(differs) > 4 else "")
    if verdict["mistakes"]:
        state = Markup('<span class="q q-bad"><i aria-hidden="true">✕</i>{}</span>').format(
            words("setup.mistakes", n=len(verdict["mistakes"]))
        )
    else:
        state = Markup('<span class="q q-good"><i aria-hidden="true">●</i>{}</span>').format(words("setup.no_mistakes"))
    return Markup('<span class="soft">{}</span> <b>{}</b> {}').format(
        words("setup.changed"), shown or words("setup.only_text"), state
    )


def findings(verdict: Mapping[str, Any], words: Words) -> Markup:
    """Mistakes with their lines, then what should be known."""
    wrong = Markup("").join(
        Markup('<li><span class="lineno">{}</span><code>{}</code> {}{}</li>').format(
            words("setup.line", n=one["line"]),
            one["key"],
            f"{one['value']!r} {one['message']}" if one["value"] and not is_secret(one["key"]) else one["message"],
            Markup("<small>{}</small>").format(one["hint"]) if one["hint"] else "",
        )
        for one in verdict["mistakes"]
    )
    known = Markup("").join(Markup("<li>{}</li>").format(one) for one in verdict["warnings"])
    made = Markup('<ul class="findings wrong-ones" lang=en>{}</ul>').format(wrong) if wrong else Markup("")
    if known:
        made += Markup(
            '<details class="warnings"><summary>{}</summary><ul class="findings" lang=en>{}</ul></details>'
        ).format(words("setup.warnings", n=len(verdict["warnings"])), known)
    return made


def begins(verdict: Mapping[str, Any], words: Words) -> Markup:
    """What will connect or reckon anew, so that nobody wonders at a gap of a second; nothing where nothing does."""
    anew = verdict["anew"]
    if not anew:
        return Markup("")
    if anew == ["agent"]:
        told = words("setup.anew.all")
    else:
        told = words("setup.anew", what=", ".join(anew[:_NAMED]) + (f" +{len(anew) - _NAMED}" if anew[_NAMED:] else ""))
    return Markup('<p class="remark">{}</p>').format(told)


def diff(text: str, words: Words) -> Markup:
    """A unified diff, its lines coloured and marked."""
    if not text:
        return Markup('<p class="note">{}</p>').format(words("setup.no_change"))
    rows = Markup("").join(
        Markup('<span class="{}">{}</span>').format(_kind(line), line or " ")
        for line in text.splitlines()
        if not line.startswith(("---", "+++"))
    )
    return Markup('<pre class="diff">{}</pre>').format(rows)


def _kind(line: str) -> str:
    return {"+": "plus", "-": "minus", "@": "place"}.get(line[:1], "")
