"""What a device tells of an alarm, and the span that is made of it. All times are integer ns UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, Final


class AlarmMark(Enum):
    """What a session tells besides changes.

    BEGIN  all present conditions follow, and between them whatever else changes
    END    these were all: an alarm that was open before and was not told since BEGIN has ended
    LOST   something was lost, or the session itself: whether those open still hold is not known until they
           are told again; of what an END under way leaves out, nothing can be said
    """

    BEGIN = 1
    END = 2
    LOST = 3


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """A condition as its device tells it, or (`active` is None) a plain event: something that happened.

    key             names the condition on its device, the same over sessions; an event has one of its own
    time_ns         when it came to be as told here     received_ns   when that was heard
    active          whether the alarm holds             since_ns      since when it holds, or no longer, if told
    acknowledged    None where the device has no such idea; so `confirmed`
    acked_ns        since when it is acknowledged, if told
    severity        1 (lowest) to 1000 (OPC UA Part 5, 6.4.2)
    reason          the message; `comment` is what people said to it
    past            it tells of an earlier time the condition held, from `turned_ns` on: only what people did about
                    that is news (OPC UA Part 9, 4.2: a branch)
    """

    key: str
    time_ns: int
    received_ns: int
    active: bool | None
    severity: int
    reason: str
    source: str
    type: str
    since_ns: int | None = None
    acknowledged: bool | None = None
    acked_ns: int | None = None
    confirmed: bool | None = None
    comment: str = ""
    past: bool = False

    @property
    def turned_ns(self) -> int:
        """When it began, or ceased, to hold; as far as the device tells."""
        return self.time_ns if self.since_ns is None else self.since_ns


@dataclass(frozen=True, slots=True)
class AlarmSpan:
    """An alarm held during [start, end), or still does (end None); an event is a point: it ends at its start.

    device, key, start   name it for good
    severity             the highest it had
    unknown_since        from when on nobody knows whether it still holds; None: known
    end_uncertain        it ended unseen, at `end` or before
    point                it is an event
    branched             its acknowledgement is told apart from the condition's, see `AlarmChange.past`
    revision             grows with each change; newest_ns is the time of the newest one
    """

    device: str
    key: str
    start: int
    end: int | None
    severity: int
    reason: str
    source: str
    type: str
    acknowledged: bool | None = None
    acknowledged_at: int | None = None
    confirmed: bool | None = None
    comment: str = ""
    unknown_since: int | None = None
    end_uncertain: bool = False
    point: bool = False
    branched: bool = False
    revision: int = 0
    newest_ns: int = 0

    @property
    def known(self) -> bool:
        """Whether it is known that it holds, or has ended."""
        return self.unknown_since is None

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it holds during some of [start, end); what has no length, whether it lies there."""
        if self.end is None or self.end > self.start:
            return self.start < end and (self.end is None or self.end > start)
        return start <= self.start < end

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        return {name: getattr(self, name) for name in _NAMES}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> AlarmSpan:
        """What `to_dict` gave; KeyError or TypeError if it is no such thing."""
        wrong = [name for name in _WHOLE if type(told[name]) is not int]
        if wrong:
            raise TypeError(f"{wrong[0]} is no whole number")
        return cls(**{name: told[name] for name in _NAMES})


_NAMES: Final = tuple(field.name for field in fields(AlarmSpan))
_WHOLE: Final = ("start", "severity", "revision", "newest_ns")


def fresh(device: str, change: AlarmChange, start: int, end: int | None) -> AlarmSpan:
    """The span that begins with `change`."""
    span = AlarmSpan(
        device, change.key, start, end, change.severity, change.reason, change.source, change.type,
        confirmed=change.confirmed, comment=change.comment, point=change.active is None, newest_ns=change.time_ns,
    )  # fmt: skip
    return _acknowledged(span, change)


def told_of(span: AlarmSpan, change: AlarmChange) -> AlarmSpan:
    """The span after what `change` tells of it, beside beginning and end; of the past it tells nothing new."""
    if change.active and span.end is None:
        span = replace(span, severity=max(span.severity, change.severity), unknown_since=None)
    if change.time_ns < span.newest_ns:
        return span
    if change.active:
        span = replace(span, reason=change.reason, source=change.source, type=change.type)
    if span.branched:
        return replace(span, newest_ns=change.time_ns)
    span = _acknowledged(span, change)
    confirmed = span.confirmed if change.confirmed is None else change.confirmed
    return replace(span, confirmed=confirmed, comment=change.comment or span.comment, newest_ns=change.time_ns)


def told_later(span: AlarmSpan, change: AlarmChange) -> AlarmSpan:
    """The span after what a `past` change tells of it: once acknowledged there, it stays so."""
    if span.branched and not change.acknowledged:
        return span
    if change.acknowledged and change.acked_ns is None and change.time_ns <= span.newest_ns:
        change = replace(change, acked_ns=change.received_ns)       # dated as when the condition began to hold
    if span.branched and span.acknowledged:
        change = replace(change, acked_ns=span.acknowledged_at)
    span = _acknowledged(replace(span, branched=True), change)
    confirmed = span.confirmed if change.confirmed is None else change.confirmed
    return replace(span, confirmed=confirmed, comment=change.comment or span.comment)


def _acknowledged(span: AlarmSpan, change: AlarmChange) -> AlarmSpan:
    if change.acknowledged is None or change.acknowledged == span.acknowledged:
        return span
    if not change.acknowledged:
        return replace(span, acknowledged=False, acknowledged_at=None)
    # Acknowledged when first told of: since when is only known if the device says so.
    at = change.acked_ns if change.acked_ns is not None or span.acknowledged is None else change.time_ns
    return replace(span, acknowledged=True, acknowledged_at=at)
