"""What is deleted when: whole segments, for space or age, the least valuable first; what a cursor loses is counted.

Segments stay, released or not, until the cap or the age takes them: they are the history. For space,
files set aside go before any segment does, and all that lane `samples` can give before any segment of
lane `events`; in a lane the oldest goes first. The segments being written are never deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_agent.journal.lane import EVENTS, SAMPLES, Lane
from edge_agent.journal.segment import Amount, Segment

# A time before 2020 is a clock that was never set: nobody knows how old such records are.
CLOCK_SET_NS = 1_577_836_800 * 10**9

# Of what may go for space: the samples first.
BY_VALUE = (SAMPLES, EVENTS)

Keep = Sequence[Segment | None]


class Retention:
    """Takes segments out of their chains; the paths returned are to be removed."""

    def __init__(self, lanes: tuple[Lane, Lane], max_bytes: int, max_age_ns: int | None) -> None:
        self._lanes = lanes
        self._max_bytes = max_bytes
        self._max_age_ns = max_age_ns

    @property
    def size(self) -> int:
        """Of both lanes, with everything set aside."""
        return sum(lane.chain.size for lane in self._lanes)

    def make_room(self, incoming: int, now: int, keep: Keep) -> list[Path]:
        """So that `incoming` more bytes stay under the cap, and nothing is too old; `keep` is spared."""
        paths: list[Path] = []
        while self.size + incoming > self._max_bytes and (path := self._least(keep)):
            paths.append(path)
        for lane in self._lanes:
            while self._is_too_old(lane, now, keep):
                paths.append(self._evict(lane, "age"))
        return paths

    def give_up_released(self, need: int, keep: Keep) -> list[Path]:
        """The disk is full: what is set aside, and segments every cursor is done with, for `need` bytes."""
        paths: list[Path] = []
        size = self.size
        while self.size > size - need and (path := self._least(keep, released=True)):
            paths.append(path)
        return paths

    def give_up(self, need: int, keep: Keep) -> list[Path]:
        """The file system has less left than must stay free: what is set aside, the oldest samples, and events that
        every cursor is done with, for `need` bytes."""
        paths: list[Path] = []
        size = self.size
        while self.size > size - need and (path := self._least(keep, spare=EVENTS)):
            paths.append(path)
        return paths

    def _least(self, keep: Keep, *, released: bool = False, spare: int | None = None) -> Path | None:
        """Take out what is worth least; None if nothing may go: with `released` only what every cursor is done with,
        with `spare` no more than that from that lane."""
        for lane in self._lanes:
            if lane.chain.aside:
                return lane.chain.aside.pop(0)[0]
        for place in BY_VALUE:
            lane = self._lanes[place]
            oldest = lane.chain.segments[0] if lane.chain.segments else None
            if oldest and oldest not in keep and not ((released or place == spare) and _is_needed(lane, oldest)):
                return self._evict(lane, "space")
        return None

    def _is_too_old(self, lane: Lane, now: int, keep: Keep) -> bool:
        if not self._max_age_ns or not lane.chain.segments:
            return False
        oldest = lane.chain.segments[0]
        return oldest not in keep and CLOCK_SET_NS <= oldest.time < now - self._max_age_ns

    def _evict(self, lane: Lane, why: str) -> Path:
        chain = lane.chain
        oldest = chain.segments.pop(0)
        chain.gone = chain.gone.plus(Amount(oldest.records, oldest.bytes))
        for cursor in lane.cursors.values():
            cursor.evict(oldest, chain.gone, why)
        return oldest.path


def _is_needed(lane: Lane, segment: Segment) -> bool:
    """Whether a destination may still want it; where there is none, nobody knows who will come for it."""
    return not lane.cursors or any(cursor.released < segment.last for cursor in lane.cursors.values())
