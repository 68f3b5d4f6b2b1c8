"""How states and ratios look: Okabe and Ito's colours, which everybody tells apart, and a shape that says the same."""

from __future__ import annotations

from functools import cache
from typing import Final

from markupsafe import Markup

STATES: Final = ("RUN", "IDLE", "SETUP", "FAULT", "MAINT", "OFF", "UNKNOWN")
"""in the order in which they are counted and explained"""

COLOURS: Final = {
    "RUN": "#009e73",
    "IDLE": "#f0e442",
    "SETUP": "#56b4e9",
    "FAULT": "#d55e00",
    "MAINT": "#cc79a7",
    "OFF": "#9aa2ab",
    "UNKNOWN": "#c3c9d0",
}

LOSSES: Final = {
    "good": "#009e73",
    "quality": "#0072b2",
    "speed": "#e69f00",
    "micro": "#f0e442",
    "setup": "#56b4e9",
    "fault": "#d55e00",
    "other": "#9aa2ab",
    "maint": "#cc79a7",
    "no_order": "#7a5c99",
    "unknown": "#c3c9d0",
}
"""the steps of the waterfall"""

# Shapes in a square of 24, as paths: play, pause, sliders, a cross in an octagon, spanner, power, question mark.
_SHAPES: Final = {
    "RUN": "M7 4.5v15l12.5-7.5z",
    "IDLE": "M6 5h4v14H6zM14 5h4v14h-4z",
    "SETUP": "M4 6h8V4h4v2h4v3h-4v2h-4V9H4zM4 15h2v-2h4v2h10v3H10v2H6v-2H4z",
    "FAULT": "M8 2h8l6 6v8l-6 6H8l-6-6V8zM9 6.9 6.9 9l3 3-3 3L9 17.1l3-3 3 3 2.1-2.1-3-3 3-3L15 6.9l-3 3z",
    "MAINT": "M21.5 7.2 18 10.7l-3.6-.9-.9-3.6L17 2.7a6 6 0 0 0-7.6 7.5L2.5 17.1a2.3 2.3 0 0 0 0 3.2l1.2 1.2"
    "a2.3 2.3 0 0 0 3.2 0l6.9-6.9a6 6 0 0 0 7.7-7.4z",
    "OFF": "M10.5 2.5h3v9h-3zM7.3 5.2l1.7 2.5a6 6 0 1 0 6 0l1.7-2.5a9 9 0 1 1-9.4 0z",
    "UNKNOWN": "M12 2.5a6 6 0 0 0-6 6h3.2a2.8 2.8 0 1 1 4.5 2.2c-1.9 1.4-3.3 2.5-3.3 5.3h3.2c0-1.3.7-1.8 2-2.8"
    "A6 6 0 0 0 12 2.5zM10.3 18h3.5v3.5h-3.5z",
}


@cache
def shape(state: str) -> Markup:
    """The shape of a state, as high as the text around it."""
    drawn = _SHAPES.get(state, _SHAPES["UNKNOWN"])
    return Markup(
        '<svg class="shape" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">'
        '<path fill-rule="evenodd" d="{}"/></svg>'
    ).format(drawn)


def ring(value: float | None, text: str, sub: str = "") -> Markup:
    """A ratio as a ring from the top, clockwise, with `text` in it; empty where there is none, full beyond 1."""
    share = 0.0 if value is None else min(max(value, 0.0), 1.0)
    arc = Markup(
        '<circle class="arc {}" cx="50" cy="50" r="42" pathLength="100" stroke-dasharray="{:.2f} 100"/>'
    ).format(grade(value), share * 100)
    return Markup(
        '<svg class="ring" viewBox="0 0 100 100" role="img" aria-label="{text}">'
        '<circle class="ground" cx="50" cy="50" r="42"/>'
        '{arc}<text class="figure{long}" x="50" y="{y}">{text}</text>{sub}</svg>'
    ).format(
        text=text,
        arc=arc if share else "",
        y=50 if not sub else 46,
        long=" long" if len(text) > _SHORT else "",
        sub=Markup('<text class="unit" x="50" y="67">{}</text>').format(sub) if sub else "",
    )


# So many letters fit in large type.
_SHORT: Final = 3


def bar(value: float | None, kind: str = "") -> Markup:
    """A ratio as a bar."""
    share = 0.0 if value is None else min(max(value, 0.0), 1.0)
    return Markup('<span class="bar"><i class="{}" style="width:{:.1f}%"></i></span>').format(
        kind or grade(value), share * 100
    )


def grade(value: float | None) -> str:
    """A class for how much of a whole there is; three steps, told by the length all the same."""
    if value is None:
        return "none"
    return "high" if value >= _HIGH else "middle" if value >= _MIDDLE else "low"


# Where most discrete plants say "fine" and "look into it"; only tints, no targets.
_HIGH, _MIDDLE = 0.75, 0.5
