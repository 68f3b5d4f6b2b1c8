"""The timeline: which state a machine was in, above what was planned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from markupsafe import Markup

from edge_agent.core.slices import Slice
from edge_agent.core.states import MachineState
from edge_agent.core.tiles import CalendarKind, CalendarSpan
from edge_agent.report.draw import axis
from edge_agent.report.draw.svg import element, percent, picture
from edge_agent.report.words import Words

# A thousandth of the width is less than a pixel of most screens and a fifth of a millimetre on paper.
PIECES: Final = 1000
# So much of the width has room for a letter, also on a phone.
FOR_A_MARK: Final = Fraction(1, 32)

_BAND, _PLAN_TOP, _PLAN, _TEXT, _HEIGHT = 36, 40, 8, 64, 70


class Block(NamedTuple):
    """A stretch of one colour; `reason` is None where several were drawn as one."""

    start: int
    end: int
    state: MachineState
    reason: str | None


def blocks(slices: Sequence[Slice], start: int, end: int) -> list[Block]:
    """States to draw in [start, end): as they were or, if they are too many, those that prevailed in each piece."""
    found: list[Block] = []
    for one in slices:
        last = found[-1] if found else None
        if last and (last.state, last.reason) == (one.state, one.reason):
            found[-1] = last._replace(end=one.end)
        else:
            found.append(Block(one.start, one.end, one.state, one.reason))
    return found if len(found) <= PIECES else _prevailing(found, start, end)


def _prevailing(found: Sequence[Block], start: int, end: int) -> list[Block]:
    lengths: list[defaultdict[MachineState, int]] = [defaultdict(int) for _ in range(PIECES)]
    cuts = [start + (end - start) * at // PIECES for at in range(PIECES + 1)]
    at = 0
    for block in found:
        while cuts[at + 1] <= block.start:
            at += 1
        low, piece = block.start, at
        while low < block.end:
            high = min(cuts[piece + 1], block.end)
            lengths[piece][block.state] += high - low
            low, piece = high, piece + 1
    drawn: list[Block] = []
    for low, high, known in zip(cuts, cuts[1:], lengths, strict=False):
        if not known:
            continue
        state = max(known, key=lambda one: known[one])
        if drawn and drawn[-1].state is state and drawn[-1].end == low:
            drawn[-1] = drawn[-1]._replace(end=high)
        else:
            drawn.append(Block(low, high, state, None))
    return drawn


def timeline(
    drawn: Sequence[Block], plan: Sequence[CalendarSpan], start: int, end: int, zone: str, words: Words
) -> Markup:
    """The picture; what is not known yet stays empty."""
    parts = [*_states(drawn, start, end, words), *_plan(plan, start, end, words), *_axis(start, end, zone, words)]
    return picture(parts, _HEIGHT, words("figure.timeline"), "timeline")


def _states(drawn: Sequence[Block], start: int, end: int, words: Words) -> Iterator[Markup]:
    fine = end - start < 3600 * 10**9
    for block in drawn:
        share = Fraction(block.end - block.start, end - start)
        x, state = percent(Fraction(block.start - start, end - start)), block.state.name
        title = f"{words.hour(block.start, fine)}–{words.hour(block.end, fine)} {words(f'state.{state}')}"
        if block.reason:
            title += f": {reason_text(block.reason, words)}"
        yield element(
            "rect", element("title", title), x=x, y=0, width=percent(share), height=_BAND, class_=f"s-{state}"
        )
        if share >= FOR_A_MARK:
            middle = percent(Fraction(block.start + block.end - 2 * start, 2 * (end - start)))
            yield element("text", words(f"mark.{state}"), x=middle, y=_BAND / 2 + 5, class_="mark")


def _plan(plan: Sequence[CalendarSpan], start: int, end: int, words: Words) -> Iterator[Markup]:
    for span in plan:
        title = words(f"plan.{span.kind}") + (f": {span.label}" if span.label else "")
        kind = "p-" + {CalendarKind.BUSY: "busy", CalendarKind.PLANNED_DOWN: "down"}.get(span.kind, "none")
        x = percent(Fraction(span.start - start, end - start))
        width = percent(Fraction(span.end - span.start, end - start))
        yield element("rect", element("title", title), x=x, y=_PLAN_TOP, width=width, height=_PLAN, class_=kind)


def _axis(start: int, end: int, zone: str, words: Words) -> Iterator[Markup]:
    for t in axis.instants(start, end, zone):
        place = Fraction(t - start, end - start)
        anchor = "start" if place < Fraction(1, 20) else "end" if place > Fraction(19, 20) else "middle"
        x = percent(place)
        yield element("line", x1=x, x2=x, y1=_PLAN_TOP, y2=_PLAN_TOP + _PLAN + 4, class_="tick")
        yield element("text", tick_text(t, start, end, words), x=x, y=_TEXT, text_anchor=anchor, class_="axis")


def tick_text(t: int, start: int, end: int, words: Words) -> str:
    """A time of day; days where the window is long, seconds where it is short."""
    if end - start > 4 * 86_400 * 10**9:
        return words.moment(t)[5:10]
    return words.hour(t, seconds=end - start < 300 * 10**9)


def reason_text(reason: str, words: Words) -> str:
    """A reason that the agent knows, in words; any other as it is."""
    known = f"reason.{reason.upper()}"
    return words(known) if words.knows(known) else reason
