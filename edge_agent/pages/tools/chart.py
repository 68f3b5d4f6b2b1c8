"""A tag's past as a chart, in the time of the site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from edge_agent.pages.chart import colours

# Behind what was not good.
_TROUBLE: Final = "#d55e0026"


def shifted(ms: int, zone: ZoneInfo) -> int:
    """An instant so that a chart in UTC shows the site's wall clock."""
    offset = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).utcoffset()
    return ms + (round(offset.total_seconds() * 1000) if offset else 0)


def options(answer: Mapping[str, Any], zone: str, until_ms: int, *, dark: bool) -> dict[str, Any]:
    """What ECharts draws of the answer of `/tags/{tag}/history`."""
    seen = colours(dark)
    kind, site = answer["kind"], ZoneInfo(zone)
    points = [(shifted(int(ms), site), value) for ms, value, _ in answer["points"]]
    axis = {
        "axisLabel": {"color": seen.soft},
        "axisLine": {"lineStyle": {"color": seen.line}},
        "splitLine": {"lineStyle": {"color": seen.line}},
    }
    texts = list(dict.fromkeys(str(value) for _, value in points if value is not None)) if kind == "text" else []
    series: dict[str, Any] = {
        "type": "line",
        "data": [[t, str(v) if texts and v is not None else v] for t, v in points],
        "showSymbol": len(points) < 60,
        "symbolSize": 5,
        "lineStyle": {"width": 1.6, "color": seen.accent},
        "itemStyle": {"color": seen.accent},
        "connectNulls": False,
        "step": "end" if kind != "float" else False,
        "animation": False,
        "markArea": {
            "silent": True,
            "itemStyle": {"color": _TROUBLE},
            "data": [
                [{"xAxis": shifted(first, site)}, {"xAxis": shifted(last, site)}]
                for first, last in troubles(answer["points"], until_ms)
            ],
        },
    }
    vertical: dict[str, Any] = {
        "type": "value",
        "scale": True,
        "name": answer["unit"],
        "nameTextStyle": {"color": seen.soft, "align": "left"},
        **axis,
    }
    if kind == "text":
        vertical = {"type": "category", "data": texts, **axis}
    elif kind == "bool":
        series["data"] = [[t, None if v is None else int(v)] for t, v in points]
        vertical |= {"min": 0, "max": 1, "interval": 1}
    return {
        "useUTC": True,
        "backgroundColor": "transparent",
        "animation": False,
        "grid": {"left": 12, "right": 18, "top": 34, "bottom": 44, "containLabel": True},
        "tooltip": {"trigger": "axis"},
        "dataZoom": [
            {"type": "inside"},
            {"type": "slider", "height": 18, "bottom": 8, "borderColor": seen.line, "textStyle": {"color": seen.soft}},
        ],
        "xAxis": {"type": "time", **axis, "splitLine": {"show": False}},
        "yAxis": vertical,
        "series": [series],
    }


def troubles(points: Iterable[Any], until_ms: int) -> list[tuple[int, int]]:
    """Stretches, ms, in which the quality was not good: from such a sample to the next good one, or to the end."""
    found: list[tuple[int, int]] = []
    since: int | None = None
    for ms, _, quality in points:
        if quality != "good" and since is None:
            since = int(ms)
        elif quality == "good" and since is not None:
            found.append((since, int(ms)))
            since = None
    return found if since is None else [*found, (since, max(since, until_ms))]
