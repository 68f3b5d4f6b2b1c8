"""What all charts share: colours of the page, axes, hints.

Options are plain dicts; a key that begins with a colon holds a function of the browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from nicegui import ui

from edge_agent.pages.visit import Visit

FONT: Final = (
    'system-ui, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "WenQuanYi Zen Hei", '
    "sans-serif"
)

Options = dict[str, Any]

# The marks of an axis are a minute apart then, or less.
_SHORT_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Colours:
    """Of the page's paper and ink; what they stand for is in `static/style.css`."""

    ink: str
    soft: str
    line: str
    card: str
    accent: str


LIGHT: Final = Colours("#14181d", "#59636f", "#d9dee4", "#ffffff", "#0072b2")
DARK: Final = Colours("#eef2f6", "#9aa7b5", "#2a333d", "#1d252e", "#56b4e9")


def colours(dark: bool) -> Colours:
    """Those of the theme."""
    return DARK if dark else LIGHT


def base(visit: Visit, **more: Any) -> Options:
    """What every chart begins with."""
    seen = colours(visit.dark)
    return {
        "animation": False,
        "textStyle": {"fontFamily": FONT, "color": seen.ink, "fontSize": 13},
        "grid": {"left": 8, "right": 16, "top": 28, "bottom": 8, "containLabel": True},
        "tooltip": {
            "confine": True,
            "backgroundColor": seen.card,
            "borderColor": seen.line,
            "textStyle": {"color": seen.ink, "fontSize": 13},
        },
        **more,
    }


def axis(visit: Visit, kind: str = "value", **more: Any) -> Options:
    """An axis in soft ink."""
    seen = colours(visit.dark)
    return {
        "type": kind,
        "axisLine": {"show": kind != "value", "lineStyle": {"color": seen.line}},
        "axisTick": {"show": False},
        "axisLabel": {"color": seen.soft, "fontSize": 12, "hideOverlap": True},
        "splitLine": {"show": kind == "value", "lineStyle": {"color": seen.line}},
        "nameTextStyle": {"color": seen.soft, "fontSize": 12},
    } | more


def time_axis(visit: Visit, start: int, end: int, **more: Any) -> Options:
    """Time from left to right, ms UTC, read by the site's clock; of a short stretch with seconds."""
    made = axis(visit, "time", min=start, max=end, **more)
    seconds = "true" if end - start < _SHORT_MS else "false"
    made["axisLabel"][":formatter"] = f"(t) => edge.hour(t, '{visit.zone}', {seconds})"
    return made


def legend(visit: Visit, *names: str) -> Options:
    """The names of the lines, above them."""
    style = {"color": colours(visit.dark).ink, "fontSize": 13}
    return {"data": list(names), "top": 0, "right": 0, "itemWidth": 18, "itemHeight": 10, "textStyle": style}


# Letters, lines, and the room around them: what a large screen has larger.
_GROWS: Final = frozenset(
    {"fontSize", "width", "height", "left", "right", "top", "bottom", "itemWidth", "itemHeight", "symbolSize"}
)


def larger(options: Any, scale: float) -> Any:
    """The options with everything that is drawn so many times as large; what is data stays."""
    if scale == 1 or not isinstance(options, dict | list):
        return options
    if isinstance(options, list):
        return [larger(one, scale) for one in options]
    return {key: value if key == "data" else _grown(key, value, scale) for key, value in options.items()}


def _grown(key: str, value: Any, scale: float) -> Any:
    if key in _GROWS and isinstance(value, int | float):
        return round(value * scale, 1)
    return larger(value, scale)


class Chart:
    """A chart that is drawn again where it has changed, and keeps what the visitor has zoomed into."""

    def __init__(self, name: str, height: str, scale: float) -> None:
        """`name`: a class to find it by; `height` of CSS; `scale` of the screen, see `Visit.scale`."""
        self._scale = scale
        self._element = ui.echart({}).classes(f"chart {name}").style(f"height:{height}")
        self._drawn: Options | None = None

    def draw(self, options: Options) -> None:
        """Draw it."""
        if options == self._drawn:
            return
        self._drawn = options
        self._element.options.clear()
        self._element.options.update(larger(options, self._scale))
        self._element.update()

    @property
    def element(self) -> ui.echart:
        """The library's element, to hear of clicks."""
        return self._element
