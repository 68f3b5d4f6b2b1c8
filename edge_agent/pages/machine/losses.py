"""Where the time went: the waterfall from planned busy time down to good pieces, and the stops by reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.chart import Options, axis, base, colours
from edge_agent.pages.look import COLOURS, LOSSES
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import Words

Row = Mapping[str, Any]

# The rest of a Pareto is one bar: more cannot be read, and is seldom what to begin with.
REASONS: Final = 8


def waterfall(visit: Visit, planned_s: float, steps: Sequence[Row]) -> Options:
    """Bars that hang from each other: planned busy time, what each loss takes, good pieces at the end."""
    words, seen = visit.words, colours(visit.dark)
    first = words("loss.pbt")
    names, under, bars = [first], [0.0], [_bar(planned_s, seen.soft, visit, first, planned_s)]
    for step in steps:
        key, seconds = str(step["name"]), float(step["seconds"])
        if not seconds and key != "good":
            continue
        names.append(words.of("loss.", key))
        under.append(0.0 if key == "good" else min(float(step["before_s"]), float(step["after_s"])))
        bars.append(_bar(abs(seconds), LOSSES.get(key, seen.soft), visit, names[-1], seconds, planned_s))
    rows = axis(visit, "category", data=names, inverse=True)
    rows["axisLabel"] = {**rows["axisLabel"], "color": seen.ink, "width": 190, "overflow": "truncate", "interval": 0}
    scale = axis(visit, "value", min=0, max=max(a + b["value"] for a, b in zip(under, bars, strict=True)) or 1)
    scale |= {"axisLabel": {"show": False}, "splitLine": {"show": False}}
    hidden = {"type": "bar", "stack": "time", "silent": True, "data": under, "itemStyle": {"color": "transparent"}}
    shown = {
        "type": "bar",
        "stack": "time",
        "data": bars,
        "barCategoryGap": "28%",
        "label": {"show": True, "position": "right", "color": seen.ink, ":formatter": "(item) => item.data.told"},
        "tooltip": {":formatter": "(item) => item.data.tip"},
    }
    grid = {"left": 8, "right": 100, "top": 4, "bottom": 4, "containLabel": True}
    return base(visit, grid=grid) | {"xAxis": scale, "yAxis": rows, "series": [hidden, shown]}


def _bar(length: float, colour: str, visit: Visit, name: str, seconds: float, whole: float | None = None) -> Options:
    words = visit.words
    share = f" · {words.percent(seconds / whole)}" if whole else ""
    sign = "−" if seconds < 0 else ""
    told = f"{sign}{words.length(abs(seconds))}"
    return {
        "value": length,
        "itemStyle": {"color": colour},
        "told": told + (f" ({words.percent(seconds / whole, 0)})" if whole else ""),
        "tip": str(Markup("<b>{}</b><br>{}{}").format(name, told, share)),
    }


def pareto(visit: Visit, rows: Sequence[Row]) -> Options:
    """The reasons by time, the longest first: how long, how often, and which share of all they make together."""
    words, seen = visit.words, colours(visit.dark)
    ordered = longest_first(rows)
    whole = sum(float(row["seconds"]) for row in ordered) or 1.0
    names, bars, so_far = [], [], 0.0
    for row in ordered[:REASONS]:
        state, seconds = str(row["state"]), float(row["seconds"])
        so_far += seconds
        names.append(_named(row, words))
        often = f" · {row['count']}×" if row["count"] else ""
        text = Markup("<b>{}</b><br>{}{} · {}").format(
            names[-1], words.length(seconds), often, words.percent(seconds / whole)
        )
        bars.append(
            {
                "value": seconds,
                "itemStyle": {"color": COLOURS.get(state, COLOURS["UNKNOWN"])},
                "tip": str(text),
                "told": f"{words.length(seconds)}{often} · Σ {words.percent(so_far / whole, 0)}",
            }
        )
    reasons = axis(visit, "category", data=names, inverse=True)
    reasons["axisLabel"] |= {"color": seen.ink, "width": 190, "overflow": "truncate", "interval": 0}
    time = axis(visit, "value", splitLine={"show": False})
    time["axisLabel"] = {"show": False}
    series = {
        "type": "bar",
        "data": bars,
        "barCategoryGap": "30%",
        "barMaxWidth": 34,
        "tooltip": {":formatter": "(item) => item.data.tip"},
        "label": {
            "show": True,
            "position": "right",
            "color": seen.ink,
            ":formatter": "(item) => item.data.told",
        },
    }
    grid = {"left": 8, "right": 132, "top": 8, "bottom": 4, "containLabel": True}
    return base(visit, grid=grid) | {"xAxis": time, "yAxis": reasons, "series": [series]}


def longest_first(rows: Sequence[Row]) -> list[Row]:
    """In the order of the Pareto's bars."""
    return sorted(rows, key=lambda row: -float(row["seconds"]))


def _named(row: Row, words: Words) -> str:
    """State and reason; a stop that was too short to count as one is called so."""
    reason = words.reason(row.get("reason")) or words("machine.no_reason")
    kind = words("bucket.micro") if row["bucket"] == "micro" else words.of("state.", str(row["state"]))
    return f"{kind}: {reason}"
