"""The production curve: pieces since the beginning of the window, beside what the ideal cycle allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from markupsafe import Markup

from edge_agent.core.behind import Point
from edge_agent.report.draw import axis
from edge_agent.report.draw.svg import element, percent, picture
from edge_agent.report.draw.timeline import tick_text
from edge_agent.report.words import Words

_TOP, _PLOT, _TEXT, _HEIGHT = 10, 190, 216, 222


def curve(points: Sequence[Point], start: int, end: int, zone: str, words: Words) -> Markup:
    """The picture of total, good and ideal; empty where there is nothing to draw."""
    highest = max((max(point.total, point.ideal or 0) for point in points), default=0)
    marks = axis.up_to(highest)
    parts: list[Markup] = []
    for mark in marks:
        y = _TOP + _PLOT * (1 - mark / marks[-1])
        parts.append(element("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"))
        parts.append(element("text", words.number(mark), x="0", y=y - 3, class_="axis"))
    for t in axis.instants(start, end, zone):
        place = Fraction(t - start, end - start)
        anchor = "start" if place < Fraction(1, 20) else "end" if place > Fraction(19, 20) else "middle"
        text = tick_text(t, start, end, words)
        parts.append(element("text", text, x=percent(place), y=_TEXT, text_anchor=anchor, class_="axis"))
    lines: list[tuple[str, Callable[[Point], Fraction | int | None]]] = [
        ("ideal", lambda point: point.ideal), ("total", lambda point: point.total), ("good", lambda point: point.good),
    ]  # fmt: skip
    drawn = [_line(points, of, name, (start, end), marks[-1]) for name, of in lines]
    parts.append(
        element("svg", *drawn, x=0, y=_TOP, width="100%", height=_PLOT, viewBox="0 0 1000 1000",
                preserveAspectRatio="none")
    )  # fmt: skip
    return picture(parts, _HEIGHT, words("figure.curve"), "curve")


def _line(
    points: Sequence[Point], of: Callable[[Point], Fraction | int | None], name: str, window: tuple[int, int], top: int
) -> Markup:
    start, end = window
    told = [
        f"{float(Fraction(point.time - start, end - start)) * 1000:.1f},{1000 - float(value) / top * 1000:.1f}"
        for point in points
        if (value := of(point)) is not None
    ]
    return element("polyline", points=" ".join(told), class_=f"line-{name}", vector_effect="non-scaling-stroke")
