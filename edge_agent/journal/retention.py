"""What is deleted when: whole segments, oldest first, for space or age; what a cursor loses is counted.

Segments stay, released or not, until the cap or the age takes them: they are the history. Files
set aside go before any segment does. The segment being written is never deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge_agent.journal.cursor import Cursor
from edge_agent.journal.segment import Chain, Segment

# A time before 2020 is a clock that was never set: nobody knows how old such records are.
CLOCK_SET_NS = 1_577_836_800 * 10**9


class Retention:
    """Takes segments out of the chain; the paths returned are to be removed."""

    def __init__(
        self, chain: Chain, cursors: Mapping[str, Cursor], max_bytes: int, max_age_ns: int | None
    ) -> None:
        self._chain = chain
        self._cursors = cursors
        self._max_bytes = max_bytes
        self._max_age_ns = max_age_ns

    def make_room(self, incoming: int, now: int, keep: Segment | None) -> list[Path]:
        """So that `incoming` more bytes stay under the cap, and nothing is too old; `keep` is spared."""
        paths: list[Path] = []
        while self._chain.size + incoming > self._max_bytes and (path := self._oldest(keep)):
            paths.append(path)
        while self._is_too_old(now, keep):
            paths.append(self._evict())
        return paths

    def give_up_released(self, need: int, keep: Segment | None) -> list[Path]:
        """The disk is full: what is set aside, and segments every cursor is done with, for `need` bytes."""
        released = min((cursor.released for cursor in self._cursors.values()), default=0)
        paths: list[Path] = []
        size = self._chain.size
        while self._chain.size > size - need:
            segments = self._chain.segments
            if not self._chain.aside and (not segments or segments[0] is keep or segments[0].last > released):
                break
            path = self._oldest(keep)
            assert path is not None
            paths.append(path)
        return paths

    def _oldest(self, keep: Segment | None) -> Path | None:
        if self._chain.aside:
            return self._chain.aside.pop(0)[0]
        if self._chain.segments and self._chain.segments[0] is not keep:
            return self._evict()
        return None

    def _is_too_old(self, now: int, keep: Segment | None) -> bool:
        if not self._max_age_ns or not self._chain.segments:
            return False
        oldest = self._chain.segments[0]
        return oldest is not keep and CLOCK_SET_NS <= oldest.time < now - self._max_age_ns

    def _evict(self) -> Path:
        oldest = self._chain.segments.pop(0)
        for cursor in self._cursors.values():
            cursor.evict(oldest.last, self._chain)
        return oldest.path
