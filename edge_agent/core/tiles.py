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


class PlannedDown(NamedTuple):
    """Planned down time between two instants, ns UTC, such as a planned maintenance.

    `counts_as_loss`: what of it lies in busy time stays busy, so that standing still is a loss (domain 1.3).
    """

    start: int
    end: int
    label: str = ""
    counts_as_loss: bool = False


Interval = tuple[int, int, str]


class _Layer:
    """Intervals of one sort, disjoint and sorted: of two that overlap, the earlier keeps the overlap."""

    def __init__(self, intervals: Iterable[Interval]) -> None:
        self.intervals: list[Interval] = []
        for low, high, label in sorted(intervals):
            begin = max(low, self.intervals[-1][1]) if self.intervals else low
            if begin < high:
                self.intervals.append((begin, high, label))
        self._starts = [low for low, _, _ in self.intervals]

    def at(self, t: int) -> str | None:
        """The label of what is there at an instant; None if nothing is."""
        at = bisect_right(self._starts, t) - 1
        return self.intervals[at][2] if at >= 0 and self.intervals[at][1] > t else None


def tile(start: int, end: int, busy: Iterable[Interval], *scopes: Iterable[PlannedDown]) -> list[CalendarSpan]:
    """Spans that tile [start, end): down beats busy, gaps are not scheduled.

    `scopes`: planned down time, the more specific first, which wins. Where two intervals of a kind overlap,
    the earlier gives the label.
    """
    shifts = _Layer(busy)
    downs: list[tuple[_Layer, bool]] = []
    for scope in scopes:
        given = list(scope)
        for is_loss in (False, True):
            downs.append((_Layer(one[:3] for one in given if one.counts_as_loss is is_loss), is_loss))
    cuts = {start, end}
    for layer in (shifts, *(layer for layer, _ in downs)):
        cuts.update(bound for low, high, _ in layer.intervals for bound in (low, high) if start < bound < end)
    found: list[CalendarSpan] = []
    for low, high in pairwise(sorted(cuts)):
        extend(found, CalendarSpan(low, high, *_kind(low, shifts, downs)))
    return found


def _kind(t: int, shifts: _Layer, downs: Iterable[tuple[_Layer, bool]]) -> tuple[CalendarKind, str]:
    """What an instant is, and the label of what makes it so."""
    shift = shifts.at(t)
    for layer, is_loss in downs:
        label = layer.at(t)
        if label is not None:
            return (BUSY if is_loss and shift is not None else CalendarKind.PLANNED_DOWN), label
    return (CalendarKind.NON_SCHEDULED, "") if shift is None else (BUSY, shift)


def clip(span: CalendarSpan, start: int, end: int) -> CalendarSpan:
    if span.start >= start and span.end <= end:
        return span
    return CalendarSpan(max(span.start, start), min(span.end, end), span.kind, span.label)


def extend(found: list[CalendarSpan], span: CalendarSpan) -> None:
    """Append, or lengthen the last span if this one only continues it."""
    if found and found[-1].kind is span.kind and found[-1].label == span.label:
        found[-1] = found[-1]._replace(end=span.end)
    else:
        found.append(span)
