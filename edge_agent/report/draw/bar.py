"""Bars for the cells of tables: from where to where, on a scale that all rows share."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from markupsafe import Markup

from edge_agent.report.draw.svg import element, percent

Number = Fraction | float


def bar(low: Number, high: Number, scale: tuple[Number, Number], class_: str, height: int = 14) -> Markup:
    """A bar from `low` to `high`, whichever is greater."""
    left, right = sorted((place(low, scale), place(high, scale)))
    return _picture([element("rect", x=percent(left), y=1, width=percent(right - left), height=height - 2,
                             class_=class_)], height)  # fmt: skip


def ratio_bar(value: Number | None, bounds: tuple[Number, Number] | None, class_: str, height: int = 14) -> Markup:
    """A ratio against the whole; its bounds as a line across, where they are not the value itself.

    What is above 1 is cut off at the end and marked there.
    """
    parts = [element("rect", x=0, y=1, width="100%", height=height - 2, class_="ground")]
    if value is not None:
        width = percent(min(max(value, 0), 1))
        parts.append(element("rect", x=0, y=1, width=width, height=height - 2, class_=class_))
        if value > 1:
            parts.append(element("rect", x="97%", y=1, width="3%", height=height - 2, class_="over"))
    if bounds is not None and bounds[0] != bounds[1]:
        low, high = (percent(min(max(one, 0), 1)) for one in bounds)
        middle = height / 2
        parts.append(element("line", x1=low, x2=high, y1=middle, y2=middle, class_="bound"))
        parts += [element("line", x1=x, x2=x, y1=2, y2=height - 2, class_="bound") for x in (low, high)]
    return _picture(parts, height)


def stack(parts: Sequence[tuple[Number, str, str, str]], height: int = 30) -> Markup:
    """Parts of a whole side by side: amount, class, what is written into it, what it is called."""
    whole = sum((amount for amount, *_ in parts if amount > 0), Fraction(0))
    drawn: list[Markup] = []
    at = Fraction(0)
    for amount, class_, mark, title in parts:
        if amount <= 0:
            continue
        share = Fraction(amount) / Fraction(whole)
        drawn.append(element("rect", element("title", title), x=percent(at), y=0, width=percent(share), height=height,
                             class_=class_))  # fmt: skip
        if share > Fraction(len(mark), 40):
            drawn.append(element("text", mark, x=percent(at + share / 2), y=height / 2 + 5, class_="mark"))
        at += share
    return _picture(drawn, height)


def place(value: Number, scale: tuple[Number, Number]) -> float:
    """Where `value` is on the scale, 0 to 1."""
    low, high = scale
    return float((value - low) / (high - low)) if high > low else 0.0


def _picture(parts: Sequence[Markup], height: int) -> Markup:
    # The numbers stand beside it, so there is nothing to be read aloud.
    return element("svg", *parts, class_="picture", width="100%", height=height, aria_hidden="true")
