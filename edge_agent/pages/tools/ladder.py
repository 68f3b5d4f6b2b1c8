"""Each piece of equipment on its step of the ladder, with what is missing for the next; and the plant's indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.look import bar
from edge_agent.pages.words import Words
from edge_agent.report.words.digital import INDICES, ITEMS

_TOP: Final = 5
_WHOLE: Final = "digital_maturity_index"
_MARKS: Final = {"fresh": "●", "mapped": "○", "missing": "✕"}

Said = Mapping[str, Any]


def indices(said: Said, words: Words) -> Markup:
    """Each with a bar, how it is computed, and what it would be if what is declared were true."""
    rows = []
    for name in INDICES:
        value, declared = said["indices"].get(name), said["declared"].get(name)
        whole = 100 if name == _WHOLE else 1
        more = Markup("")
        if value is None:
            more = Markup('<small class="soft">{}</small>').format(words("digital.no_rate"))
        if declared is not None and declared != value:
            more = Markup("<small>{} {}</small>").format(words("declared"), _index(name, declared, words))
        rows.append(
            Markup(
                '<div class="index"><span><b>{}</b><small class="soft">{}</small></span>{}<span class="n">'
                "<b>{}</b>{}</span></div>"
            ).format(
                words(f"index.{name}"),
                words(f"how.{name}"),
                bar(None if value is None else value / whole, "value"),
                _index(name, value, words),
                more,
            )
        )
    return Markup("").join(rows)


def _index(name: str, value: float | None, words: Words) -> str:
    return words.number(value, 1) if name == _WHOLE else words.percent(value)


def ladder(said: Said, words: Words) -> Markup:
    """Each piece of equipment on its step, and what stands between it and the next."""
    steps = Markup("").join(
        Markup("<span><b>L{}</b> {} <em>{}</em></span>").format(level, words(f"level.{level}"), said["levels"][level])
        for level in range(_TOP + 1)
    )
    ordered = sorted(said["devices"].items(), key=lambda one: (not one[1]["entry"]["counted"], one[1]["level"]))
    rows = Markup("").join(_asset(name, one, words) for name, one in ordered)
    return Markup('<div class="levels">{}</div><div class="assets">{}</div>').format(steps, rows)


def _asset(name: str, one: Said, words: Words) -> Markup:
    entry, level = one["entry"], int(one["level"])
    about = " · ".join(
        filter(
            None,
            (
                (words.language == "zh" and entry["class_zh"]) or entry["class_en"],
                entry["type"],
                entry["location"],
                entry["key_operation"],
            ),
        )
    )
    rungs = Markup("").join(
        Markup('<i class="{}" title="{}">{}</i>').format("on" if n <= level else "", words(f"level.{n}"), n)
        for n in range(_TOP + 1)
    )
    if not entry["counted"]:
        missing = Markup('<p class="soft">{}</p>').format(words("not_counted"))
    elif one["reasons"]:
        reasons = [words.told(reason[words.language]) for reason in one["reasons"]]
        lacks = Markup("").join(Markup("<li>{}</li>").format(reason) for reason in reasons)
        missing = Markup("<p><b>{}</b></p><ul>{}</ul>").format(
            words("digital.next", level=f"L{min(level + 1, _TOP)}"), lacks
        )
    else:
        missing = Markup("<p>{}</p>").format(words("why_not.top"))
    items = Markup("").join(
        Markup('<span class="item is-{0}" title="{1}"><i aria-hidden="true">{2}</i>{3}</span>').format(
            state, words(f"tag.{state}"), _MARKS.get(state, "?"), words(f"item.{item}")
        )
        for item in ITEMS
        if (state := one["tags"].get(item))
    )
    return Markup(
        '<article class="asset" data-asset="{}"><header><b>{}</b><small class="soft">{}</small></header>'
        '<div class="rungs" aria-label="L{}">{}<em>{}</em></div><div class="missing">{}</div>'
        '<div class="items">{}</div></article>'
    ).format(name, entry["title"], about, level, rungs, words(f"level.{level}"), missing, items)
