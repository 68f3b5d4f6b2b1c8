"""A tag's past as a chart, in the time of the site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from edge_agent.pages.chart import Colours, colours

# Behind what was not good.
_TROUBLE: Final = "#d55e0026"
# So few samples are dots, too.
_FEW: Final = 60


def shifted(ms: int, zone: ZoneInfo) -> int:
    """An instant so that a chart in UTC shows the site's wall clock."""
    offset = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).utcoffset()
    return ms + (round(offset.total_seconds() * 1000) if offset else 0)


def options(answer: Mapping[str, Any], zone: str, until_ms: int, *, dark: bool) -> dict[str, Any]:
    """What ECharts draws of the answer of `/tags/{tag}/history`."""
    seen, site = colours(dark), ZoneInfo(zone)
    axis = {
        "axisLabel": {"color": seen.soft, "fontSize": 12},
        "axisLine": {"lineStyle": {"color": seen.line}},
        "splitLine": {"lineStyle": {"color": seen.line}},
    }
    texts: list[str] = []
    if answer["kind"] == "text":
        texts = list(dict.fromkeys(str(value) for _, value, _ in answer["points"] if value is not None))
    slider = {"type": "slider", "height": 18, "bottom": 8, "borderColor": seen.line, "textStyle": {"color": seen.soft}}
    return {
        "useUTC": True,
        "backgroundColor": "transparent",
        "animation": False,
        "grid": {"left": 12, "right": 18, "top": 34, "bottom": 44, "containLabel": True},
        "tooltip": {"trigger": "axis"},
        "dataZoom": [{"type": "inside"}, slider],
        "xAxis": {"type": "time", **axis, "splitLine": {"show": False}},
        "yAxis": _vertical(answer, texts, seen, axis),
        "series": [_line(answer, bool(texts), site, until_ms, seen)],
    }


def _line(answer: Mapping[str, Any], is_text: bool, site: ZoneInfo, until_ms: int, seen: Colours) -> dict[str, Any]:
    """The values as they are on the vertical axis, with what was not good behind them."""
    put: Callable[[Any], Any] = str if is_text else int if answer["kind"] == "bool" else lambda value: value
    troubled = [[{"xAxis": shifted(at, site)} for at in one] for one in troubles(answer["points"], until_ms)]
    return {
        "type": "line",
        "data": [[shifted(int(ms), site), None if v is None else put(v)] for ms, v, _ in answer["points"]],
        "showSymbol": len(answer["points"]) < _FEW,
        "symbolSize": 5,
        "lineStyle": {"width": 1.6, "color": seen.accent},
        "itemStyle": {"color": seen.accent},
        "connectNulls": False,
        "step": "end" if answer["kind"] != "float" else False,
        "animation": False,
        "markArea": {"silent": True, "itemStyle": {"color": _TROUBLE}, "data": troubled},
    }


def _vertical(answer: Mapping[str, Any], texts: list[str], seen: Colours, axis: dict[str, Any]) -> dict[str, Any]:
    if answer["kind"] == "text":
        return {"type": "category", "data": texts, **axis}
    name = {"name": answer["unit"], "nameTextStyle": {"color": seen.soft, "align": "left"}}
    ends = {"min": 0, "max": 1, "interval": 1} if answer["kind"] == "bool" else {}
    return {"type": "value", "scale": True, **name, **axis, **ends}


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
