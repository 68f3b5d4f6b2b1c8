"""How fast and how much: cycle times against the ideal, pieces against the plan, power over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.chart import Options, axis, base, colours, legend, time_axis
from edge_agent.pages.look import COLOURS
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import Words, milliseconds

Row = Mapping[str, Any]

_GOOD: Final = COLOURS["RUN"]
_FAST: Final = "#009e73"
_SLOW: Final = "#e69f00"
# Left of the ideal, for half of what is written above it.
_MARGIN: Final = 0.08
# Bars are as wide as what they count: from value 0 to value 1.
_BAR: Final = """(params, api) => {
  const from = api.coord([api.value(0), api.value(2)]), to = api.coord([api.value(1), 0]);
  const width = Math.max(to[0] - from[0] - 1, 1), height = to[1] - from[1];
  return { type: "rect", shape: { x: from[0], y: from[1], width, height }, style: { fill: api.visual("color") } };
}"""


def cycles(visit: Visit, product: Row) -> Options:
    """How many cycles took how long; a line where the ideal is; the slower ones in another colour."""
    words, seen, ideal = visit.words, colours(visit.dark), product.get("ideal_s")
    bars = []
    for one in product["histogram"]:
        low, high = float(one["low_s"]), float(one["high_s"])
        text = Markup("{} – {}<br><b>{}×</b>").format(seconds(low), seconds(high), one["n"])
        colour = _SLOW if ideal is not None and low >= ideal else _FAST
        bars.append({"value": [low, high, one["n"]], "itemStyle": {"color": colour}, "tip": str(text)})
    first, last = product["histogram"][0], product["histogram"][-1]
    least = min(first["low_s"], ideal if ideal is not None else first["low_s"])
    least = max(0.0, least - _MARGIN * (last["high_s"] - least))
    across = axis(visit, "value", min=least, max=last["high_s"], splitLine={"show": False})
    # The ends are where the bars end, mostly no round numbers.
    told = {"showMinLabel": False, "showMaxLabel": False, ":formatter": "(s) => `${Number(s.toPrecision(4))} s`"}
    across["axisLabel"] = {**across["axisLabel"], **told}
    lines = [] if ideal is None else [_mark(ideal, words("machine.ideal", time=seconds(ideal)), seen.ink)]
    return base(visit) | {
        "xAxis": across,
        "yAxis": axis(visit, "value", minInterval=1),
        "series": [
            {
                "type": "custom",
                ":renderItem": _BAR,
                "encode": {"x": [0, 1], "y": 2},
                "data": bars,
                "tooltip": {":formatter": "(item) => item.data.tip"},
                "markLine": {
                    "symbol": "none",
                    "silent": True,
                    "data": lines,
                    "label": {"color": seen.ink, "fontSize": 12},
                },
            }
        ],
    }


def told(products: Sequence[Row], shown: Row, words: Words) -> Markup:
    """The products to choose from, and the cycles of the one that is shown in numbers."""
    names = Markup("").join(
        Markup('<button type="button" class="choice" aria-pressed="{}" data-product="{}">{}</button>').format(
            "true" if one is shown else "false", one["product"] or "", one["product"] or words("machine.no_product")
        )
        for one in products
        if len(products) > 1 or one["product"]
    )
    return Markup('<div class="products">{}</div>{}').format(names, _numbers(shown, words))


def _numbers(product: Row, words: Words) -> Markup:
    said = (
        f"{words('machine.median')} {seconds(product['median_s'])}",
        f"{words('machine.best')} {seconds(product['best_s'])}",
        words("machine.measured", n=words.number(product["cycles"])),
    )
    return Markup("<small>{}</small>").format(" · ".join(said))


def _mark(value: float, name: str, colour: str) -> Options:
    return {"xAxis": value, "lineStyle": {"color": colour, "width": 2, "type": "solid"}, "label": {"formatter": name}}


def seconds(value: float | None) -> str:
    """A cycle: three digits that count."""
    return "–" if value is None else f"{float(value):.3g}\u202fs"


def targets(made: Row, words: Words) -> Markup:
    """How many good pieces the plan allows, by now and at the end of the window."""
    now, end = words.number(made.get("target")), words.number(made.get("target_end"))
    return Markup("<small>{}: {}</small>").format(words("machine.planned"), words("machine.target", now=now, end=end))


def production(visit: Visit, points: Sequence[Row]) -> Options:
    """Good pieces and all pieces against what the plan allows at the ideal cycle."""
    words, seen = visit.words, colours(visit.dark)

    def line(key: str, name: str, colour: str, **more: Any) -> Options:
        data = [[milliseconds(point["time"]), point[key]] for point in points if point.get(key) is not None]
        style = {"color": colour, "width": 2.5}
        return {
            "type": "line",
            "name": name,
            "data": data,
            "showSymbol": False,
            "itemStyle": {"color": colour},
            "lineStyle": style,
        } | more

    planned = line(
        "ideal", words("machine.planned"), seen.soft, lineStyle={"color": seen.soft, "width": 2, "type": "dashed"}
    )
    total = line("total", words("machine.total"), "#d55e00", lineStyle={"color": "#d55e00", "width": 1.5})
    good = line("good", words("machine.good"), _GOOD, areaStyle={"color": _GOOD, "opacity": 0.12})
    made = base(visit) | {
        "legend": legend(visit, planned["name"], total["name"], good["name"]),
        "xAxis": time_axis(visit, milliseconds(points[0]["time"]), milliseconds(points[-1]["time"])),
        "yAxis": axis(visit, "value", minInterval=1),
        "series": [planned, total, good],
    }
    made["tooltip"] |= {"trigger": "axis", ":valueFormatter": "(n) => n === undefined ? '–' : Math.round(n)"}
    return made


GROUPS: Final = (("e_run", "RUN"), ("e_idle", "IDLE"), ("e_off", "OFF"), ("e_other", "UNKNOWN"))


def energy(visit: Visit, hours: Sequence[Row]) -> Options:
    """kWh of each hour, by what the machine was doing meanwhile."""
    words = visit.words
    names = [words.hour(one["start"]) for one in hours]
    series: list[Options] = [
        {
            "type": "bar",
            "stack": "energy",
            "name": words(f"machine.{group}"),
            "itemStyle": {"color": COLOURS[state]},
            "data": [None if one["wh"].get(group) is None else round(one["wh"][group] / 1000, 3) for one in hours],
            "barMaxWidth": 48,
        }
        for group, state in GROUPS
    ]
    made = base(visit) | {
        "legend": legend(visit, *(one["name"] for one in series)),
        "xAxis": axis(visit, "category", data=names),
        "yAxis": axis(visit, "value", name="kWh"),
        "series": series,
    }
    made["tooltip"] |= {"trigger": "axis", ":valueFormatter": "(n) => n == null ? '–' : n + ' kWh'"}
    return made
