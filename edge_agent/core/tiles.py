"""Tiles: laying spans of planned time side by side, without gap or overlap."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple


class CalendarKind(StrEnum):
    BUSY = "BUSY"
    PLANNED_DOWN = "PLANNED_DOWN"
    NON_SCHEDULED = "NON_SCHEDULED"


BUSY: Final = CalendarKind.BUSY


class CalendarSpan(NamedTuple):
    """A stretch of one kind, half-open [start, end), ns UTC; `label` is the shift's or break's name."""

    start: int
    end: int
    kind: CalendarKind
    label: str = ""


Interval = tuple[int, int, str]


def tile(start: int, end: int, busy: Iterable[Interval], down: Iterable[Interval]) -> list[CalendarSpan]:
    """Spans that tile [start, end): down beats busy, gaps are not scheduled.

    Where two intervals of a kind overlap, the earlier gives the label.
    """
    layers = [(CalendarKind.PLANNED_DOWN, _flatten(down)), (CalendarKind.BUSY, _flatten(busy))]
    cuts = {start, end}
    for _, intervals in layers:
        cuts.update(bound for low, high, _ in intervals for bound in (low, high) if start < bound < end)
    starts = [[low for low, _, _ in intervals] for _, intervals in layers]
    ordered = sorted(cuts)
    found: list[CalendarSpan] = []
    for low, high in pairwise(ordered):
        kind, label = CalendarKind.NON_SCHEDULED, ""
        for (candidate, intervals), begins in zip(layers, starts, strict=True):
            at = bisect_right(begins, low) - 1
            if at >= 0 and intervals[at][1] > low:
                kind, label = candidate, intervals[at][2]
                break
        extend(found, CalendarSpan(low, high, kind, label))
    return found


def _flatten(intervals: Iterable[Interval]) -> list[Interval]:
    """Disjoint, sorted: of two that overlap, the earlier keeps the overlap."""
    found: list[Interval] = []
    for low, high, label in sorted(intervals):
        begin = max(low, found[-1][1]) if found else low
        if begin < high:
            found.append((begin, high, label))
    return found


def clip(span: CalendarSpan, start: int, end: int) -> CalendarSpan:
    if span.start >= start and span.end <= end:
        return span
    return span._replace(start=max(span.start, start), end=min(span.end, end))


def extend(found: list[CalendarSpan], span: CalendarSpan) -> None:
    """Append, or lengthen the last span if this one only continues it."""
    if found and found[-1].kind is span.kind and found[-1].label == span.label:
        found[-1] = found[-1]._replace(end=span.end)
    else:
        found.append(span)
