"""SVG elements as text: escaped, with short numbers.

Pictures have no width of their own: places are percentages and texts have a fixed size, so the same picture
can be read on a phone, on a screen and on paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from numbers import Rational

from markupsafe import Markup, escape

Attribute = str | int | float | Fraction | None


def element(name: str, *children: Markup | str, **attributes: Attribute) -> Markup:
    """`<name …>children</name>`; `stroke_width=` is written stroke-width, `class_=` class, None is left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{told}>{inner}</{name}>" if inner else f"<{name}{told}/>")  # noqa: S704  escaped above


def picture(children: Iterable[Markup], height: int, label: str, class_: str = "") -> Markup:
    """A picture as wide as its place, `height` pixels high; `label` is what is read aloud."""
    return element(
        "svg", *children, class_=f"picture {class_}".strip(), width="100%", height=height, role="img", aria_label=label
    )


def percent(value: Fraction | float) -> str:
    """A place across the picture, from 0 to 1."""
    return f"{_short(float(value) * 100)}%"


def _short(value: Attribute) -> str:
    """Numbers with three digits behind the point at most: a thousandth of a pixel, of a percent."""
    if isinstance(value, float | Rational) and not isinstance(value, int):
        return f"{float(value):.3f}".rstrip("0").rstrip(".")
    return str(value)
