"""What is behind a number: formula, inputs, stretches of time and tags, in a dialog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.client import Refused, place
from edge_agent.pages.look import shape
from edge_agent.pages.parts import html
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import Words

Row = Mapping[str, Any]

# Elements that stand behind the steps of the waterfall.
OF_LOSS: Final = {
    "good": "igt",
    "quality": "quality_time",
    "speed": "performance_classic",
    "micro": "micro",
    "setup": "aust",
    "fault": "adet_fault",
    "other": "adet_other",
    "maint": "maint",
    "no_order": "adot",
    "unknown": "unk",
}
# Stretches shown at once; the longest of them are.
SHOWN: Final = 100


class Explainer:
    """A dialog that any number of the page may open."""

    def __init__(self, visit: Visit, machine: str) -> None:
        self._visit = visit
        self._machine = machine
        self._dialog = ui.dialog()
        with self._dialog, ui.element("div").classes("card explain"):
            self._inside = html("")

    async def open(self, figure: str, window: str, back: int) -> None:
        """Show what is behind `figure` in that window."""
        path = f"{place('machines', self._machine)}/explain"
        try:
            answer = await self._visit.get(path, kpi=figure, window=window, back=back)
            shown = explained(answer, self._visit.words)
        except Refused as refused:
            shown = Markup('<p class="note">{}</p>').format(self._visit.words.refused(refused))
        self._inside.set_content(str(shown))
        self._dialog.open()


def explained(answer: Row, words: Words) -> Markup:
    """The content of the dialog."""
    name = str(answer["name"])
    bounds = answer.get("bounds")
    could = ""
    if bounds and bounds["low"] != bounds["high"]:
        low, high = (measured(bounds[end], answer["unit"], words) for end in ("low", "high"))
        could = f"{words('machine.bounds')}: {low} … {high}"
    return Markup(
        '<h2>{name}</h2><p class="value">{value} <small>{could}</small></p>{formula}{inputs}{stretches}{tags}'
    ).format(
        name=called(name, words),
        value=measured(answer["value"], answer["unit"], words),
        could=could,
        formula=_formula(answer, words),
        inputs=_inputs(answer, words),
        stretches=_stretches(answer, words),
        tags=_tags(answer, words),
    )


def _formula(answer: Row, words: Words) -> Markup:
    if not answer.get("formula"):
        return Markup("")
    source = Markup(' <small class="soft">{}</small>').format(answer["source"]) if answer.get("source") else ""
    return Markup("<h3>{}</h3><p><code>{} = {}</code>{}</p>").format(
        words("machine.formula"), answer["name"], answer["formula"], source
    )


def _inputs(answer: Row, words: Words) -> Markup:
    if not answer["inputs"]:
        return Markup("")
    rows = Markup("").join(
        Markup("<tr><td><code>{}</code></td><td>{}</td><td class='n'>{}</td></tr>").format(
            one["name"], called(str(one["name"]), words), measured(one["value"], one["unit"], words)
        )
        for one in answer["inputs"]
    )
    return Markup('<h3>{}</h3><table class="plain">{}</table>').format(words("machine.inputs"), rows)


def _stretches(answer: Row, words: Words) -> Markup:
    if not answer["stretches"]:
        return Markup("")
    longest = sorted(
        sorted(answer["stretches"], key=lambda one: -one["seconds"])[:SHOWN], key=lambda one: str(one["start"])
    )
    rows = Markup("").join(
        Markup(
            '<tr><td class="t">{}–{}</td><td class="n">{}</td><td class="s-{}"><span class="pill">{}{}</span>'
            '</td><td>{}</td><td>{}</td></tr>'
        ).format(
            words.hour(one["start"], seconds=True),
            words.hour(one["end"], seconds=True),
            words.length(one["seconds"]),
            one["state"],
            shape(str(one["state"])),
            words.of("state.", str(one["state"])),
            words.reason(one.get("reason")),
            words.of("bucket.", str(one["bucket"])),
        )
        for one in longest
    )
    number = f"{len(longest)} / {answer['total']}" if answer["total"] > len(longest) else str(answer["total"])
    heads = ("machine.time", "machine.length", "machine.state", "machine.reason", "machine.bucket")
    head = Markup("").join(Markup("<th>{}</th>").format(words(key)) for key in heads)
    return Markup(
        '<h3>{} <small class="soft">{}</small></h3><div class="scroll"><table class="plain"><thead><tr>{}</tr>'
        '</thead><tbody>{}</tbody></table></div>'
    ).format(words("machine.spans"), number, head, rows)


def _tags(answer: Row, words: Words) -> Markup:
    if not answer["tags"]:
        return Markup("")
    rows = Markup("").join(
        Markup(
            '<tr><td>{}</td><td><a href="/tags?tag={}">{}</a></td><td class="n">{} {}</td>'
            '<td class="q-{}">{}</td></tr>'
        ).format(
            words.of("role.of.", str(tag["role"])),
            quote(str(tag["tag"])),
            tag["tag"],
            "–" if tag["value"] is None else tag["value"],
            tag["unit"],
            tag["quality"],
            words.of("quality.of.", str(tag["quality"])),
        )
        for tag in answer["tags"]
    )
    return Markup('<h3>{}</h3><table class="plain">{}</table>').format(words("machine.tags"), rows)


def called(name: str, words: Words) -> str:
    """The name of a KPI or of an element in words; as it is where there are none."""
    for prefix in ("kpi.", "element."):
        found = words.of(prefix, name)
        if found != name:
            return found
    return name


def measured(value: float | None, unit: str, words: Words) -> str:
    """A value in its unit; ratios as percent, times in a way one can read, and exact beside it."""
    if value is None:
        return words("shell.no_data")
    if unit == "1" and isinstance(value, float) and abs(value) <= _RATIO:
        return words.percent(value, 2)
    if unit == "s":
        return f"{words.length(value)} ({words.number(value, 0 if float(value).is_integer() else 3, 's')})"
    return words.number(value, 0 if float(value).is_integer() else 3, "" if unit == "1" else unit)


# Counts are whole numbers, and ratios are seldom larger.
_RATIO: Final = 10.0
