"""The audit log: what was changed or refused, when and by whom; the newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.parts import card, html, note
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import Words

Entry = Mapping[str, Any]

# As many lines as one looks through at a time.
SHOWN: Final = 100
# What has a column of its own, and what only a program wants to know.
_APART: Final = frozenset({"n", "time", "step", "who", "through", "prev", "id"})


async def show(visit: Visit) -> None:
    """One page of the log, and the ways to those before and after."""
    words = visit.words
    text = visit.params.get("offset", "0")
    offset = int(text) if text.isascii() and text.isdigit() else 0
    answer = await visit.get("/audit", limit=SHOWN, offset=offset)
    with card(words("nav.audit"), _ways(answer, offset, words)):
        if answer["entries"]:
            html(_table(answer["entries"], visit.zone, words))
        else:
            note(words("shell.nothing"))


def _ways(answer: Mapping[str, Any], offset: int, words: Words) -> Markup:
    total, ways = answer["total"], Markup("")
    link = Markup('<a href="?offset={}">{}</a>')
    if offset:
        ways += link.format(max(0, offset - SHOWN), words("audit.newer"))
    if offset + SHOWN < total:
        ways += link.format(offset + SHOWN, words("audit.older"))
    return Markup('<span class="ways soft">{}{}</span>').format(words("audit.total", n=words.number(total)), ways)


def _table(entries: list[Entry], zone: str, words: Words) -> Markup:
    heads = Markup("").join(Markup("<th>{}</th>").format(words(f"audit.{name}")) for name in _COLUMNS)
    rows = Markup("").join(_row(entry, zone, words) for entry in entries)
    return Markup(
        '<div class="scroll"><table class="plain audit"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(heads, rows)


_COLUMNS: Final = ("time", "who", "step", "what", "through")


def _row(entry: Entry, zone: str, words: Words) -> Markup:
    step = str(entry.get("step", ""))
    return Markup(
        '<tr class="step-{}"><td class="t">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>'
    ).format(
        step,
        words.moment(entry.get("time"), zone),
        entry.get("who") or "",
        words.of("step.", step),
        _details(entry, words),
        entry.get("through") or "",
    )


def _details(entry: Entry, words: Words) -> str:
    """Everything else that the line says: `what` in words, or the names with their values."""
    rest = {name: value for name, value in entry.items() if name not in _APART and value not in (None, "", {})}
    said = [words.told(rest.pop("what"))] if "what" in rest else []
    if "error" in rest:
        rest["error"] = words.told(rest["error"])
    return " · ".join(said + [f"{words.of('audit.of.', name)} {_flat(value)}" for name, value in rest.items()])


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)
