"""Alarms: what devices tell of their conditions becomes spans, open while a condition is active.

A device tells the changes of one condition in their order. It may tell any of them again at any time;
and once a session stands, it tells all of its present conditions (a refresh: BEGIN … END). So what is
repeated changes nothing, what a refresh tells is the present, and what a whole refresh leaves out has
ended unseen.

Pure: the caller brings the time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from edge_agent.core.alarm import AlarmChange, AlarmMark, AlarmSpan, fresh, told_later, told_of

__all__ = ["AlarmChange", "AlarmMark", "AlarmSpan", "Alarms"]

# What memory may cost: about 1 kB a span. The journal keeps them for longer.
CLOSED_KEPT: Final = 10_000
OPEN_AT_ONCE: Final = 10_000
# A checkpoint is made while everything waits: the open ones, and as many closed ones as a person looks at.
CLOSED_IN_CHECKPOINT: Final = 256

_Name = tuple[str, str]             # device, key
_Id = tuple[str, str, int]          # device, key, start


class Alarms:
    """The alarms of all devices."""

    def __init__(self, closed_kept: int = CLOSED_KEPT, open_at_once: int = OPEN_AT_ONCE) -> None:
        self.turned_away = 0
        """alarms that did not become spans because too many were open"""
        self._closed_kept = closed_kept
        self._open_at_once = open_at_once
        self._open: dict[_Name, AlarmSpan] = {}
        self._closed: OrderedDict[_Id, AlarmSpan] = OrderedDict()
        self._last: dict[_Name, _Id] = {}           # the latest closed one of each condition
        self._changed: OrderedDict[_Id, AlarmSpan] = OrderedDict()
        self._told: dict[str, set[str]] = {}        # device → keys told since its refresh began

    # -- in ------------------------------------------------------------------------------------

    def take(self, device: str, told: Iterable[AlarmChange | AlarmMark], now: int) -> None:
        """Take what a session of `device` tells, in its order; `now` dates the marks."""
        for one in told:
            if isinstance(one, AlarmMark):
                self._mark(device, one, now)
            elif one.active is None:
                self._event(device, one)
            elif one.past:
                self._past(device, one)
            else:
                if device in self._told:
                    self._told[device].add(one.key)
                self._change(device, one)

    def _mark(self, device: str, mark: AlarmMark, now: int) -> None:
        if mark is AlarmMark.BEGIN:
            self._told[device] = set()
            return
        told = self._told.pop(device, None)
        if mark is AlarmMark.END and told is not None:
            for span in self._of(device):
                if span.key not in told:
                    self._close(span, max(now, span.start), uncertain=True)
        elif mark is AlarmMark.LOST:
            self._lose(self._of(device), now)

    def _of(self, device: str) -> list[AlarmSpan]:
        return [span for span in self._open.values() if span.device == device]

    def _lose(self, spans: Iterable[AlarmSpan], since: int) -> None:
        for span in spans:
            if span.known:
                self._put(replace(span, unknown_since=max(since, span.start)))

    def _event(self, device: str, change: AlarmChange) -> None:
        if (device, change.key) not in self._last:
            self._put(fresh(device, change, change.time_ns, change.time_ns))

    def _past(self, device: str, change: AlarmChange) -> None:
        name, began = (device, change.key), change.turned_ns
        candidates = (
            self._closed.get((*name, began)), self._open.get(name), self._closed.get(self._last.get(name, ("", "", 0)))
        )  # fmt: skip
        for span in candidates:
            if span is not None and span.start <= began and (span.start == began or span.overlaps(began, began + 1)):
                after = told_later(span, change)
                if after != span:
                    self._put(after)
                return

    def _change(self, device: str, change: AlarmChange) -> None:
        span = self._open.get((device, change.key))
        last = self._closed.get(self._last.get((device, change.key), ("", "", 0)))
        if span is None:
            self._without_open(device, change, last)
        elif change.active:
            self._still_active(span, change)
        else:
            self._inactive(span, change, last)

    def _still_active(self, span: AlarmSpan, change: AlarmChange) -> None:
        if change.turned_ns < span.start:
            # Told long ago, unless it is the present; then its date is all that is odd about it.
            if span.device in self._told and not span.known:
                self._put(replace(span, unknown_since=None))
        elif change.since_ns is not None and change.since_ns > span.start and not span.known:
            # It holds anew: between, it had ended, and that was not heard. Of one never lost from sight every
            # change was heard; some devices date its beginning anew with each.
            self._close(span, change.since_ns, uncertain=True)
            self._begin(span.device, change)
        else:
            self._update(span, change)

    def _inactive(self, span: AlarmSpan, change: AlarmChange, last: AlarmSpan | None) -> None:
        if change.turned_ns >= span.start:
            self._close(told_of(span, change), change.turned_ns, uncertain=False)
        elif span.device in self._told:
            self._close(span, max(span.start, change.received_ns), uncertain=True)
        elif last is not None:
            self._ended_before(last, change)

    def _without_open(self, device: str, change: AlarmChange, last: AlarmSpan | None) -> None:
        if last is None:
            if change.active:
                self._begin(device, change)
        elif not change.active:
            self._ended_before(last, change)
        elif change.turned_ns > last.start and (last.end is None or change.turned_ns >= last.end):
            self._begin(device, change)
        elif device in self._told and last.end_uncertain:
            self._put(replace(told_of(last, change), end=None, end_uncertain=False))    # it had not ended after all
        else:
            self._after(last, change)

    def _ended_before(self, last: AlarmSpan, change: AlarmChange) -> None:
        """A condition that does not hold is told of again, or its end is told at last."""
        at, end = change.turned_ns, last.start if last.end is None else last.end
        if last.end_uncertain and last.start <= at <= end:
            self._close(told_of(last, change), at, uncertain=False)
        else:
            self._after(last, change)

    def _after(self, last: AlarmSpan, change: AlarmChange) -> None:
        """Acknowledged, or spoken of, after its end."""
        if change.turned_ns >= last.start:
            self._update(last, change)

    def _begin(self, device: str, change: AlarmChange) -> None:
        if len(self._open) >= self._open_at_once:
            self.turned_away += 1
            return
        self._put(fresh(device, change, change.turned_ns, None))

    def _update(self, span: AlarmSpan, change: AlarmChange) -> None:
        after = told_of(span, change)
        if after != span:
            self._put(after)

    def _close(self, span: AlarmSpan, end: int, *, uncertain: bool) -> None:
        self._put(replace(span, end=end, end_uncertain=uncertain, unknown_since=None))

    def _put(self, span: AlarmSpan) -> None:
        span = replace(span, revision=span.revision + 1)
        self._keep(span)
        id = (span.device, span.key, span.start)
        self._changed[id] = span
        self._changed.move_to_end(id)
        while len(self._changed) > self._closed_kept + self._open_at_once:
            self._changed.popitem(last=False)

    def _keep(self, span: AlarmSpan) -> None:
        name: _Name = (span.device, span.key)
        id: _Id = (*name, span.start)
        if span.end is None:
            self._open[name] = span
            self._closed.pop(id, None)
            return
        held = self._open.get(name)
        if held is not None and held.start == span.start:
            del self._open[name]
        self._closed[id] = span
        if self._last.get(name, id)[2] <= span.start:
            self._last[name] = id
        while len(self._closed) > self._closed_kept:
            gone, _ = self._closed.popitem(last=False)
            if self._last.get(gone[:2]) == gone:
                del self._last[gone[:2]]

    # -- out -----------------------------------------------------------------------------------

    def take_changes(self) -> dict[str, list[AlarmSpan]]:
        """Device → its spans that changed since the last call, as they are now, in the order of their changes."""
        changed, self._changed = self._changed, OrderedDict()
        by_device: dict[str, list[AlarmSpan]] = {}
        for span in changed.values():
            by_device.setdefault(span.device, []).append(span)
        return by_device

    def spans(
        self,
        start: int,
        end: int,
        device: str | None = None,
        active: bool | None = None,
        wanted: Callable[[AlarmSpan], bool] = lambda _: True,
    ) -> list[AlarmSpan]:
        """Those in memory that overlap [start, end), by their start; of one device; only, or no, active ones."""
        found = [
            span
            for held in (self._closed.values(), self._open.values())
            for span in held
            if span.overlaps(start, end)
            and device in (None, span.device) and active in (None, span.end is None) and wanted(span)
        ]  # fmt: skip
        return sorted(found, key=lambda span: (span.start, span.device, span.key))

    # -- survival ------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe: the open ones, and the latest of the closed ones."""
        latest = list(self._closed.values())[-CLOSED_IN_CHECKPOINT:]
        return {"spans": [span.to_dict() for span in (*latest, *self._open.values())]}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """What `snapshot` gave; KeyError or TypeError if it is no such thing."""
        self.replay([AlarmSpan.from_dict(told) for told in snapshot["spans"]])

    def replay(self, spans: Iterable[AlarmSpan]) -> None:
        """Spans that the journal has, in any order, any number of times."""
        for span in spans:
            opened = self._open.get((span.device, span.key))
            held = self._closed.get((span.device, span.key, span.start))
            if held is None and opened is not None and opened.start == span.start:
                held = opened
            if held is not None and held.revision >= span.revision:
                continue
            # Of two open ones the earlier was closed: that is told by a record still to come.
            if span.end is not None or opened is None or opened.start <= span.start:
                self._keep(span)

    def begin(self, ended: int, telling: Collection[str]) -> None:
        """Take up the work after a life that ended at `ended`; `telling` are the devices that tell alarms."""
        self.keep_only(telling, ended)
        self._lose(list(self._open.values()), ended)

    def keep_only(self, telling: Collection[str], now: int) -> None:
        """Only these devices tell alarms from `now` on: nobody will tell of open alarms of others, so they have
        ended for us."""
        for span in list(self._open.values()):
            if span.device not in telling:
                self._close(span, max(now, span.start), uncertain=True)
