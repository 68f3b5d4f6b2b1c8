"""The figures of a window: what is seen first, and the table of all KPIs with what they could be."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.look import ring, shape
from edge_agent.pages.tile import observed, pieces, unknown, why
from edge_agent.pages.words import NOTHING, Words
from edge_agent.report.words import percentage

Row = Mapping[str, Any]

# Windows one may go back to by click.
FARTHEST: Final = 99
_FACTORS: Final = (
    ("availability_classic", "A", "availability"),
    ("performance_classic", "P", "performance"),
    ("quality_time", "Q", "quality"),
)
RATIOS: Final = (
    "oee",
    "availability_classic",
    "performance_classic",
    "quality_count",
    "quality_time",
    "availability_iso",
    "effectiveness_iso",
    "nee",
    "ooe",
    "teep",
    "utilization_efficiency",
    "allocation_efficiency",
    "technical_efficiency",
    "setup_ratio",
    "scrap_ratio",
    "rework_ratio",
    "first_pass_yield",
    "data_coverage",
)
# What the bounds call availability and performance is what the standard does.
_BOUNDED: Final = {"availability_iso": "availability", "effectiveness_iso": "performance"}
ENERGY: Final = {
    "total_kwh": "kWh",
    "kwh_per_piece": "kWh",
    "kwh_per_good_piece": "kWh",
    "kg_co2": "kg",
    "g_co2_per_good_piece": "g",
    "kgce": "kgce",
    "kgce_per_piece": "kgce",
}


def head(row: Row, since: str, words: Words) -> Markup:
    """The machine now: state and since when, why, what it makes."""
    state = str(row["state"])
    reason = why(row, words)
    job = Markup(" · ").join(
        Markup("<small>{}</small> {}").format(words(f"role.of.{role}"), row[name])
        for name, role in (("product", "job"), ("order", "order"))
        if row.get(name)
    )
    return Markup(
        '<div class="now s-{state}"><span class="pill">{shape}{name}</span><h1>{id}</h1>'
        '<span class="since">{since}</span>'
        '<span class="soft">{reason}</span><span class="job">{job}</span></div>'
    ).format(
        state=state,
        shape=shape(state),
        name=words.of("state.", state),
        id=row["id"],
        since=since,
        reason=reason,
        job=job,
    )


def summary(row: Row, words: Words) -> Markup:
    """OEE, its factors and the pieces; each number tells what is behind it."""
    row = observed(row)
    oee = row.get("oee")
    factors = Markup("").join(_factor(row, figure, letter, key, words) for figure, letter, key in _FACTORS)
    return Markup(
        '<button type="button" class="big" data-figure="oee">{ring}</button>{factors}'
        '<button type="button" class="figure wide" data-figure="gq"><small>{good}</small>{pieces}</button>{rest}'
    ).format(
        ring=ring(oee, NOTHING if oee is None else percentage(oee, 1), "% OEE"),
        factors=factors,
        good=words("andon.good"),
        pieces=pieces(row, words),
        rest=_rest(row, words),
    )


def _factor(row: Row, figure: str, letter: str, key: str, words: Words) -> Markup:
    title = unknown(row, letter, words) if row.get(key) is None else ""
    return Markup(
        '<button type="button" class="figure" data-figure="{}" title="{}"><small>{}</small><b>{}</b></button>'
    ).format(figure, title, words(f"andon.{letter}"), words.percent(row.get(key)))


def _rest(row: Row, words: Words) -> Markup:
    shown = [("sq", "scrap", words.number(row.get("scrap")))]
    shown += [("rq", "rework", words.number(row["rework"]))] if row.get("rework") else []
    shown += [("data_coverage", "machine.coverage", words.percent(row.get("data_coverage")))]
    return Markup("").join(
        Markup('<button type="button" class="figure" data-figure="{}"><small>{}</small><b>{}</b></button>').format(
            figure, words(name), value
        )
        for figure, name, value in shown
    )


def window(lost: Row | None, kind: str, back: int, words: Words) -> Markup:
    """Which window it is, `back` ones before the present one, and the ways to those before and after."""
    name = ""
    if lost is not None:
        window = lost["window"]
        own = "" if window["name"] == window["kind"] else f" {window['name']}"
        hours = f"{words.hour(window['start'])}–{words.hour(window['end'])}"
        name = f"{words.of('window.', window['kind'])}{own} {window['production_date']} {hours}"
    kind = "shift" if kind == "now" else kind
    before = _way(kind, min(back + 1, FARTHEST), words("machine.previous"), "chevron_left")
    after = _way(kind, back - 1, words("machine.next"), "chevron_right") if back else Markup("")
    badge = words("machine.final" if lost["final"] else "machine.provisional") if lost else ""
    return Markup("{}<b>{}</b>{}<span class='badge'>{}</span>").format(before, name, after, badge)


def _way(kind: str, back: int, title: str, icon: str) -> Markup:
    return Markup('<a href="?window={}&back={}" title="{}"><i class="material-icons">{}</i></a>').format(
        kind, back, title, icon
    )


def flags(names: list[str], words: Words) -> Markup:
    """What must be known before the figures are trusted."""
    if not names:
        return Markup("")
    said = Markup("").join(Markup("<li>{}</li>").format(words.of("flag.", name)) for name in names)
    return Markup('<ul class="flags">{}</ul>').format(said)


def table(losses: Row, energy: Row | None, words: Words) -> Markup:
    """Every KPI: value, a bar with what it could be, and how to look behind it."""
    rows = [_ratio(name, losses, words) for name in RATIOS if name in losses["kpi"]]
    if energy is not None:
        known = energy["kpi"]
        rows += [
            _line(name, amount(known[name], unit, words), None, "", words)
            for name, unit in ENERGY.items()
            if known.get(name) is not None
        ]
    return Markup('<div class="kpis">{}</div>').format(Markup("").join(rows))


def _ratio(name: str, losses: Row, words: Words) -> Markup:
    value, bounds = losses["kpi"][name], losses["bounds"].get(_BOUNDED.get(name, name))
    if bounds is not None and bounds["low"] == bounds["high"]:
        bounds = None
    range_ = "" if bounds is None else f"{words.percent(bounds['low'])} … {words.percent(bounds['high'])}"
    told = words("shell.no_data") if value is None else words.percent(value, 2)
    return _line(name, told, _bounded_bar(value, bounds), range_, words)


def amount(value: float, unit: str, words: Words) -> str:
    """With three digits behind the point, or three that count."""
    digits = 3 if not 0 < abs(value) < _SMALL else 2 - floor(log10(abs(value)))
    return words.number(value, digits, unit)


# What is smaller has fewer than three digits that count in a thousandth.
_SMALL: Final = 0.1


def _line(name: str, value: str, drawn: Markup | None, bounds: str, words: Words) -> Markup:
    title = words("machine.bounds") if bounds else ""
    bar = Markup("") if drawn is None else Markup("<span>{}</span><small>{}</small>").format(drawn, bounds)
    return Markup(
        '<button type="button" class="kpi{}" data-figure="{}" title="{}"><span>{}</span><b>{}</b>{}</button>'
    ).format(" amount" if drawn is None else "", name, title, words.of("kpi.", name), value, bar)


def _bounded_bar(value: float | None, bounds: Row | None) -> Markup:
    inner = Markup("")
    if bounds is not None:
        low, high = (min(max(float(bounds[end]), 0.0), 1.0) * 100 for end in ("low", "high"))
        inner = Markup('<s style="left:{:.1f}%;width:{:.1f}%"></s>').format(low, high - low)
    share = min(max(value or 0.0, 0.0), 1.0) * 100
    return Markup('<span class="bar bounded"><i style="width:{:.1f}%"></i>{}</span>').format(share, inner)
