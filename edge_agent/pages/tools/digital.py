"""Digitalisation: indices, a ladder for each piece of equipment, data quality, the questionnaire, downloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.look import bar
from edge_agent.pages.parts import card, html
from edge_agent.pages.tools.look import put, style
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import NOTHING, Words
from edge_agent.report.words.digital import INDICATORS, INDICES, ITEMS

# The agent itself says the same for two seconds, and little of it changes within a minute.
EVERY_S: Final = 5.0
FRESH_S: Final = 4.0
_TOP: Final = 5
_WHOLE: Final = "digital_maturity_index"
_SIX: Final = tuple(name for name in INDICATORS if name != "score")
_MARKS: Final = {"fresh": "●", "mapped": "○", "missing": "✕"}

Said = Mapping[str, Any]


async def show(visit: Visit) -> None:
    """Put the page together."""
    style(visit)
    page = _Digital(visit)
    await page.refresh()
    visit.every(EVERY_S, page.refresh)


class _Digital:
    """What is drawn."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._chosen = ""
        self._drawn = ""
        self._said: Said = {}
        words = visit.words
        self._head = html("").classes("spaced")
        with ui.element("div").classes("two"):
            with card(words("indices")):
                self._indices = html("")
            with card(words("digital.radar")):
                self._choice = ui.select({"": words("digital.plant")}, value="", on_change=self._choose).props(
                    "dense outlined options-dense"
                )
                self._radar = ui.echart({}).classes("chart radar")
                self._six = html("")
        with card(words("digital.ladder")):
            self._ladder = html("")
        with card(words("digital.sme")):
            self._sme = html("")

    async def refresh(self) -> None:
        """Ask, and draw what is new."""
        said = await self._visit.shared("/digital", FRESH_S)
        visit, words = self._visit, self._visit.words
        put(self._head, head(said, visit))
        put(self._indices, indices(said, words))
        put(
            self._ladder,
            ladder(said, words)
            if said["devices"]
            else Markup('<p class="note">{}</p>').format(words("digital.no_assets")),
        )
        put(self._sme, sme(said, visit))
        names = {"": words("digital.plant"), **{name: one["entry"]["title"] for name, one in said["devices"].items()}}
        if names != self._choice.options:
            self._choice.set_options(names, value=self._chosen if self._chosen in names else "")
        self._said = said
        self._draw()

    def _choose(self, event: Any) -> None:
        self._chosen = event.value or ""
        if self._said:
            self._draw()

    def _draw(self) -> None:
        quality = mean(self._said) if not self._chosen else self._said["devices"][self._chosen]["quality"]
        put(self._six, six(quality, self._visit.words))
        drawn = radar(quality, self._visit.words, dark=self._visit.dark)
        if str(drawn) != self._drawn:
            self._drawn = str(drawn)
            self._radar.options.clear()
            self._radar.options.update(drawn)
            self._radar.update()


def mean(said: Said) -> dict[str, float | None]:
    """Of the equipment that counts and could be judged, indicator by indicator."""
    counted = [one["quality"] for one in said["devices"].values() if one["entry"]["counted"]]
    found: dict[str, float | None] = {}
    for name in INDICATORS:
        known = [one[name] for one in counted if one[name] is not None]
        found[name] = sum(known) / len(known) if known else None
    return found


# -- markup --------------------------------------------------------------------------------------


def head(said: Said, visit: Visit) -> Markup:
    """Since when it was looked, what that is, and the downloads."""
    words = visit.words
    note_ = words(
        "digital.note", since=moment(said["since"], visit.zone), until=moment(said["until"], visit.zone),
        observed=words.length(said["observed_s"]),
    )  # fmt: skip
    files = (("report.html", "report", "description"), ("report.xlsx", "workbook", "table_view"),
             ("sme.html", "sme_report", "fact_check"), ("catalogue.csv", "catalogue", "list_alt"))  # fmt: skip
    links = Markup("").join(
        Markup(
            '<a class="file" href="/digital/{0}?lang={1}" download>'
            '<i class="material-icons" aria-hidden="true">{2}</i>{3}</a>'
        ).format(name, words.language, icon, words(f"digital.{text}"))
        for name, text, icon in files
    )
    register = (
        Markup("") if said["register"]["kept"] else Markup('<p class="remark">{}</p>').format(words("register.none"))
    )
    return Markup(
        '<section class="card lead"><div><p class="soft">{}</p>{}</div><div class="files">{}</div></section>'
    ).format(note_, register, links)


def indices(said: Said, words: Words) -> Markup:
    """Each with a bar, how it is computed, and what it would be if what is declared were true."""
    rows = []
    for name in INDICES:
        value, declared = said["indices"].get(name), said["declared"].get(name)
        whole = 100 if name == _WHOLE else 1
        more = Markup("")
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
        lacks = Markup("").join(Markup("<li>{}</li>").format(reason[words.language]) for reason in one["reasons"])
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


def six(quality: Said, words: Words) -> Markup:
    """The numbers of the radar, for those who cannot see it, and the score."""
    parts = Markup("").join(
        Markup("<span><small>{}</small><b>{}</b></span>").format(words(f"quality.{name}"), words.percent(quality[name]))
        for name in INDICATORS
    )
    return Markup('<div class="figures6">{}</div>').format(parts)


def radar(quality: Said, words: Words, *, dark: bool) -> dict[str, Any]:
    """What ECharts draws; an indicator that could not be judged stands at the centre and says so in the numbers."""
    ink, line, curve = ("#9aa7b5", "#2a333d", "#56b4e9") if dark else ("#59636f", "#d9dee4", "#0072b2")
    return {
        "backgroundColor": "transparent",
        "animation": False,
        "radar": {
            "indicator": [{"name": words(f"quality.{name}"), "max": 1} for name in _SIX],
            "radius": "66%",
            "axisName": {"color": ink},
            "splitArea": {"show": False},
            "splitLine": {"lineStyle": {"color": line}},
            "axisLine": {"lineStyle": {"color": line}},
        },
        "series": [
            {
                "type": "radar",
                "symbolSize": 6,
                "itemStyle": {"color": curve},
                "areaStyle": {"color": curve, "opacity": 0.22},
                "data": [{"value": [quality[name] or 0 for name in _SIX]}],
            }
        ],
    }


def sme(said: Said, visit: Visit) -> Markup:
    """The answers that the evidence supports, and what each rests on."""
    words, told = visit.words, said["sme"]
    note = "note_zh" if words.language == "zh" else "note"
    rows = [_answer(words(f"sme.{key}"), told[key], told[key]["evidence"], said, words) for key in ("q2", "q3")]
    rows.append(_answer(words("sme.q4"), told["q4"], (), said, words))
    links = [
        Markup("<tr><td>{}</td><td>{}</td></tr>").format(
            _both(name, link["en"], words), _names(link["evidence"], said, words)
        )
        for name, link in told["q4"]["links"].items()
    ]
    scenes = [
        Markup('<tr><td>{}</td><td class="n"><b>{}</b></td><td>{}</td><td>{}</td></tr>').format(
            _both(name, scene["en"], words),
            scene["level"] or NOTHING,
            scene["what_zh" if words.language == "zh" else "what"],
            _names(scene["evidence"], said, words),
        )
        for name, scene in told["scenes"].items()
    ]
    return Markup(
        '<p class="remark">{note}</p><div class="scroll"><table class="plain"><thead><tr><th>{question}</th>'
        '<th class="n">{rate}</th>'
        '<th class="n">{points}</th><th>{evidence}</th></tr></thead><tbody>{rows}</tbody></table></div>'
        '<div class="two tight"><div class="scroll"><h3>{links_title}</h3><table class="plain">'
        "<tbody>{links}</tbody></table></div>"
        '<div class="scroll"><h3>{scenes_title}</h3><table class="plain"><tbody>{scenes}</tbody></table></div>'
        '</div><p class="soft">{outside}</p>'
    ).format(
        note=f"{words('sme.edition', edition=told['edition'])}: {told[note]}",
        question=words("sme.question"),
        rate=words("sme.rate"),
        points=words("sme.points"),
        evidence=words("sme.evidence"),
        rows=Markup("").join(rows),
        links_title=words("sme.links"),
        links=Markup("").join(links),
        scenes_title=words("sme.scenes"),
        scenes=Markup("").join(scenes),
        outside=words("sme.outside"),
    )


def _answer(title: str, answer: Said, evidence: Sequence[str], said: Said, words: Words) -> Markup:
    return Markup('<tr><td>{}</td><td class="n">{}</td><td class="n"><b>{}</b> / {}</td><td>{}</td></tr>').format(
        title,
        words.percent(answer.get("rate")) if "rate" in answer else "",
        words.number(answer["points"], 1),
        answer["of"],
        _names(evidence, said, words) if evidence else "",
    )


def _names(ids: Sequence[str], said: Said, words: Words) -> str:
    return ", ".join(said["devices"][one]["entry"]["title"] for one in ids) or words("sme.no_evidence")


def _both(chinese: str, english: str, words: Words) -> str:
    return chinese if words.language == "zh" else f"{english} ({chinese})"


def moment(ms: int, zone: str) -> str:
    """Date and wall clock of the site."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
