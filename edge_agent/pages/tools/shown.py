"""How a tag's value, quality and last minutes look."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.words import NOTHING, THIN, Words

_LONGEST: Final = 40
# What a double holds to a tenth.
_EXACT: Final = 1e14
# Beside the colour a shape: a disc, a triangle, a cross.
_MARKS: Final = {"good": "●", "uncertain": "▲", "bad": "✕"}
_WIDTH, _HEIGHT = 100.0, 24.0


def value(shown: object, unit: str = "") -> str:
    """As many digits as a person reads, with the unit behind; a dash for none."""
    if shown is None:
        return NOTHING
    if isinstance(shown, bool):
        return str(shown).lower()
    if isinstance(shown, float):
        text = f"{shown:.6g}" if math.isfinite(shown) else NOTHING
        if "e+" in text and abs(shown) < _EXACT:
            text = f"{shown:,.0f}" if shown == int(shown) else f"{shown:,.1f}"      # a counter's last digits move
    else:
        text = f"{shown:,}" if isinstance(shown, int) else str(shown)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f"{text}{THIN}{unit}" if unit else text


def quality(name: str, words: Words) -> Markup:
    """The quality's mark and name."""
    return Markup('<span class="q q-{0}"><i aria-hidden="true">{1}</i>{2}</span>').format(
        name, _MARKS.get(name, "?"), words.of("tags.quality.", name)
    )


def why(reason: str | None, words: Words) -> str:
    """A reason of a quality in a few words."""
    return words.of("tags.why.", reason) if reason else ""


def age(seconds: float | None, words: Words) -> str:
    """`0.3 s`, and from ten seconds on as any length."""
    if seconds is None:
        return NOTHING
    return f"{seconds:.1f}{THIN}{words('unit.s')}" if seconds < 10 else words.length(seconds)


def spark(points: Sequence[Sequence[Any]] | None) -> Markup:
    """The last minutes as a line; in the middle where nothing changed."""
    numbers = [point[1] for point in points or ()]
    known = [float(one) for one in numbers if one is not None]
    if not known:
        return Markup('<svg class="spark" viewBox="0 0 100 24"></svg>')
    low, high = min(known), max(known)
    step = _WIDTH / max(1, len(numbers) - 1)
    # A part of the ten minutes without a sample is mostly one in which nothing changed.
    places = [
        f"{n * step:.1f},{_HEIGHT - 2 - ((float(one) - low) / (high - low) if high > low else 0.5) * (_HEIGHT - 4):.1f}"
        for n, one in enumerate(numbers)
        if one is not None
    ]
    line = " ".join(places if len(places) > 1 else places * 2)
    return Markup(
        '<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">'
        '<polyline points="{}"/></svg>'
    ).format(line)


def share(counts: Mapping[str, int], words: Words) -> Markup:
    """How many tags are good, uncertain, bad: a bar, and the numbers that are not 0."""
    total = sum(counts.values()) or 1
    parts = Markup("").join(
        Markup('<i class="q-{}" style="width:{:.2f}%"></i>').format(name, counts[name] / total * 100)
        for name in _MARKS
        if counts.get(name)
    )
    told = Markup("").join(
        Markup('<span class="q q-{0}" title="{1}"><i aria-hidden="true">{2}</i>{3}</span>').format(
            name, words.of("tags.quality.", name), _MARKS[name], counts[name]
        )
        for name in _MARKS
        if counts.get(name) or name == "good"
    )
    return Markup('<span class="share"><span class="stack">{}</span><span class="told">{}</span></span>').format(
        parts, told
    )
