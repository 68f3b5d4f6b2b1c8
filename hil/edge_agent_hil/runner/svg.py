"""A little drawing: a time axis, strips, lines and marks as inline SVG. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, LEFT, RIGHT, TOP, AXIS = 960, 80, 16, 13, 18
# Ticks no nearer than this many pixels, labelled with whole seconds.
TICK_PX = 60
STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)

Points = Sequence[tuple[int, float]]
"""(time, value)"""


@dataclass(slots=True)
class Picture:
    """Time from left to right, ns; `height` is that of the plot. `zero` is what the axis calls 0 s."""

    start: int
    end: int
    height: int
    zero: int
    parts: list[str] = field(default_factory=list)

    def x(self, t: int) -> float:
        """Where a moment is."""
        share = (t - self.start) / max(1, self.end - self.start)
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share))

    def band(self, begin: int, end: int, label: str, title: str) -> None:
        """Something that lasted, over the whole height."""
        x, width = self.x(begin), max(2.0, self.x(end) - self.x(begin))
        self.parts.append(f'<g class="fault"><title>{escape(title)}</title>'
                          f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="{self.height}"/>'
                          f'<text x="{x + 1:.1f}" y="-3">{escape(label)}</text></g>')  # fmt: skip

    def span(self, begin: int, end: int, y: float, height: float, kind: str, title: str) -> None:
        """A piece of a strip; `kind` is its class."""
        x, width = self.x(begin), self.x(end) - self.x(begin)
        place = f'x="{x:.2f}" y="{y}" width="{max(0.3, width):.2f}" height="{height}"'
        self.parts.append(f'<rect class="{escape(kind)}" {place}><title>{escape(title)}</title></rect>')

    def label(self, y: float, text: str) -> None:
        """To the left of the plot."""
        self.parts.append(f'<text class="label" x="{LEFT - 8}" y="{y}">{escape(text)}</text>')

    def steps(self, points: Points, low: float, high: float, kind: str) -> None:
        """A line that holds each value until the next."""
        drawn: list[str] = []
        last: float | None = None
        for t, value in points:
            x, y = self.x(t), self._y(value, low, high)
            drawn += [f"{x:.1f},{last:.1f}"] if last is not None else []
            drawn.append(f"{x:.1f},{y:.1f}")
            last = y
        if drawn:
            self.parts.append(f'<polyline class="{escape(kind)}" points="{" ".join(drawn)}"/>')

    def grid(self, values: Iterable[tuple[float, str]], low: float, high: float) -> None:
        """Lines across, with their labels."""
        for value, label in values:
            y = self._y(value, low, high)
            self.parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
            self.label(y + 3.5, label)

    def svg(self, what: str) -> str:
        """The picture; `what` is for those who cannot see it."""
        body = "".join([*self.parts, *self._axis()])
        return (f'<svg viewBox="0 {-TOP} {WIDTH} {TOP + self.height + AXIS}" role="img" aria-label="{escape(what)}">'
                f"{body}</svg>")  # fmt: skip

    def _axis(self) -> Iterable[str]:
        span_s = (self.end - self.start) / 1e9
        room = (WIDTH - LEFT - RIGHT) / TICK_PX
        step = next((step for step in STEPS_S if span_s / step <= room), STEPS_S[-1])
        yield f'<line class="axis" x1="{LEFT}" y1="{self.height}" x2="{WIDTH - RIGHT}" y2="{self.height}"/>'
        first = -(-(self.start - self.zero) // (step * 10**9)) * step
        for second in range(first, round((self.end - self.zero) / 1e9) + 1, step):
            x = self.x(self.zero + second * 10**9)
            yield f'<line class="axis" x1="{x:.1f}" y1="{self.height}" x2="{x:.1f}" y2="{self.height + 4}"/>'
            yield f'<text class="tick" x="{x:.1f}" y="{self.height + 15}">{second} s</text>'

    def _y(self, value: float, low: float, high: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.0
        return self.height * (1 - min(1.0, max(0.0, share)))
