"""What stands between a simulated machine and whoever looks at it: its controller, in order or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edge_agent_hil.equipment_faults import CLOSED, Order
from edge_agent_hil.events import NEVER, Event
from edge_agent_hil.face_file import COUNTERS


@dataclass(slots=True)
class Overlay:
    """What is wrong with one signal."""

    kind: str
    until: int
    frozen: tuple[Event, int]
    """the reading when it began, and when that was"""
    number: Any = None
    reads: int = 0
    """of a glitch"""
    left: dict[object, int] = field(default_factory=dict)
    """of a glitch: reads left, by tag"""


@dataclass(slots=True)
class Trouble:
    """What is wrong with the whole controller."""

    at: int
    until: int
    said: dict[str, Any]


class Equipment:
    """The faults of one machine's equipment."""

    def __init__(self) -> None:
        self.bases: dict[str, tuple[int, int]] = {}
        """counter → what it showed when it was set, and how much was true then; a negative one counts from the
        top of its type"""
        self.overlays: dict[str, Overlay] = {}
        self.troubles: dict[str, Trouble] = {}

    def begin(self, order: Order, event: Event, now: int) -> int:
        """A fault begins at `now`, ns; until when it lasts (NEVER: until it is cleared)."""
        until = NEVER if order.lasts == NEVER else now + order.lasts
        said = dict(order.said)
        match order.kind:
            case "counter-reset":
                self._set(order.signals, 0, event)
            case "counter-preset":
                self._set(order.signals, said["value"], event)
            case "counter-wrap":
                self._set(order.signals, -said["below"], event)
            case "glitch":
                self._lay(order, Overlay("glitch", NEVER, (event, now), said["value"], said["reads"]))
            case "stuck" | "spike" | "nan":
                self._lay(order, Overlay(order.kind, until, (event, now), said.get("factor")))
            case _:
                self.troubles[order.kind] = Trouble(now, until, said)
                if said.get("counters") == "reset":
                    self._set(COUNTERS, 0, event)
        return until

    def _set(self, signals: tuple[str, ...], value: int, event: Event) -> None:
        for signal in signals:
            self.bases[signal] = value, counted(signal, event)

    def _lay(self, order: Order, overlay: Overlay) -> None:
        for signal in order.signals:
            self.overlays[signal] = overlay

    def settle(self, now: int) -> bool:
        """Forget what has ended; whether anything has."""
        ended = self.next_end() <= now
        self.overlays = {signal: overlay for signal, overlay in self.overlays.items() if overlay.until > now}
        self.troubles = {kind: trouble for kind, trouble in self.troubles.items() if trouble.until > now}
        return ended

    def next_end(self) -> int:
        """When the next fault ends, ns."""
        ends = [one.until for one in self.overlays.values()] + [one.until for one in self.troubles.values()]
        return min(ends, default=NEVER)

    def clear(self) -> None:
        """All in order from now on; counters go on from what they show."""
        self.overlays.clear()
        self.troubles.clear()

    def is_closed(self, now: int) -> bool:
        """Nothing answers."""
        return any(kind in self.troubles and now < self.troubles[kind].until for kind in CLOSED)

    def number(self, kind: str, key: str, now: int) -> int:
        """What was said of a fault of the whole controller; 0 if it is not there."""
        trouble = self.troubles.get(kind)
        return int(trouble.said[key]) if trouble is not None and now < trouble.until else 0

    def clock(self, t: int) -> int:
        """What the controller's own clock says at `t`, ns."""
        wrong = self.troubles.get("clock")
        return t if wrong is None or t < wrong.at else t - wrong.at + int(wrong.said["to"])


def counted(signal: str, event: Event) -> int:
    """What a counter has really counted since the start."""
    match signal:
        case "total":
            return event.total
        case "good":
            return event.total - event.scrap - event.rework
        case "scrap":
            return event.scrap
    return event.rework
