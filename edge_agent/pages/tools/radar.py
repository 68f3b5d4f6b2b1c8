"""The six indicators of data quality: as a radar, and in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.chart import colours
from edge_agent.pages.words import NOTHING, Words
from edge_agent.report.words.digital import INDICATORS

_SIX: Final = tuple(name for name in INDICATORS if name != "score")

Said = Mapping[str, Any]


def six(quality: Said, words: Words) -> Markup:
    """The numbers of the radar, for those who cannot see it, and the score."""
    parts = Markup("").join(
        Markup("<span><small>{}</small><b>{}</b>{}</span>").format(
            words(f"quality.{name}"),
            words.percent(quality[name]),
            Markup("<small>{}</small>").format(words("digital.not_judged")) if quality[name] is None else "",
        )
        for name in INDICATORS
    )
    return Markup('<div class="figures6">{}</div>').format(parts)


def radar(quality: Said, words: Words, *, dark: bool) -> dict[str, Any]:
    """What ECharts draws; an indicator that could not be judged stands at the centre, with a dash behind its name."""
    seen = colours(dark)
    return {
        "backgroundColor": "transparent",
        "animation": False,
        "radar": {
            "indicator": [{"name": _named(name, quality[name], words), "max": 1} for name in _SIX],
            "radius": "66%",
            "axisName": {"color": seen.soft, "fontSize": 13},
            "splitArea": {"show": False},
            "splitLine": {"lineStyle": {"color": seen.line}},
            "axisLine": {"lineStyle": {"color": seen.line}},
        },
        "series": [
            {
                "type": "radar",
                "symbolSize": 6,
                "itemStyle": {"color": seen.accent},
                "areaStyle": {"color": seen.accent, "opacity": 0.22},
                "data": [{"value": [quality[name] or 0 for name in _SIX]}],
            }
        ],
    }


def _named(name: str, value: float | None, words: Words) -> str:
    return words(f"quality.{name}") if value is not None else f"{words(f'quality.{name}')} {NOTHING}"
