"""The final reports of a machine, or of a line, that may still be revised, by what they are about.

A window keeps its identity when its bounds move: a shift is known by its name and production date, so a
calendar that is edited revises it. Consumers take the place of a record by (machine, window, rev).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

import orjson

from edge_agent.core.cell import Cell
from edge_agent.core.report import Window

Key = tuple[str, str]
BY_DATE: Final = ("shift", "production_day")
WITHDRAWN: Final = "WITHDRAWN"
"""Flag of the last revision of a window that exists no more, whose sums are all 0."""
MOST: Final = 1024
"""So many final reports of a machine can be revised; of more, which only very short jobs make, the newest."""

# After a long absence there are many final windows to report: so many of a kind at a time, the rest the next time.
FINALS_AT_ONCE: Final = 24


class Told(NamedTuple):
    """What was told last of a window. `turn`: when time alone changes what it says, None for never."""

    window: Window
    revision: int
    digest: str
    turn: int | None = None


def key_of(window: Window) -> Key:
    """What a window is, whatever its bounds."""
    if window.kind in BY_DATE:
        return window.kind, f"{window.production_date.isoformat()} {window.name}"
    return window.kind, str(window.start)


def digest_of(window: Window, *cells: Cell) -> str:
    """16 hex digits that differ where two reports do."""
    told = [window.start, window.end, window.name, window.order, *(cell.to_dict() for cell in cells)]
    return hashlib.blake2b(orjson.dumps(told), digest_size=8).hexdigest()


class Finals:
    """The final reports of one machine or line, oldest first."""

    def __init__(self) -> None:
        self._told: dict[Key, Told] = {}

    def __getitem__(self, window: Window) -> Told | None:
        return self._told.get(key_of(window))

    def revision(self, window: Window) -> int:
        """Of the next report of this window."""
        told = self[window]
        return 0 if told is None else told.revision + 1

    def note(self, window: Window, revision: int, digest: str, turn: int | None = None) -> None:
        """This was told; no digest: that there is no such window any more."""
        key = key_of(window)
        self._told.pop(key, None)
        self._told[key] = Told(window, revision, digest, turn)
        while len(self._told) > MOST:
            del self._told[next(iter(self._told))]

    def turns(self, told: Told, turn: int | None) -> None:
        """Time alone changes it at `turn`."""
        self._told[key_of(told.window)] = told._replace(turn=turn)

    def of(self, kind: str) -> list[Told]:
        """Those of a kind of windows that exist."""
        return [told for told in self._told.values() if told.window.kind == kind and told.digest]

    def drop_before(self, t: int) -> None:
        """Forget the windows that ended until `t`."""
        for key in [key for key, told in self._told.items() if told.window.end <= t]:
            del self._told[key]

    def snapshot(self) -> list[list[Any]]:
        """JSON-safe, complete."""
        return [
            [w.kind, w.name, w.start, w.end, w.production_date.isoformat(), w.zone, w.order, told.revision, told.digest]
            for told in self._told.values()
            for w in [told.window]
        ]

    def restore(self, data: Iterable[list[Any]]) -> None:
        """What `snapshot` gave; when time changes them is worked out anew."""
        self._told = {}
        for kind, name, start, end, day, zone, order, revision, digest in data:
            window = Window(kind, name, start, end, date.fromisoformat(day), zone, order)
            self._told[key_of(window)] = Told(window, revision, digest)


def standing(windows: Iterable[Window]) -> Mapping[Key, Window]:
    """By what they are."""
    return {key_of(window): window for window in windows}


def due_and_later(
    windows: Iterable[Window], settled: int, watermark: int, now: int
) -> tuple[list[Window], list[Window]]:
    """Of the windows that end after `settled`, those to be made final now, and those that come later; by their end."""
    ahead = sorted((one for one in windows if one.end > settled), key=lambda window: window.end)
    n = sum(window.end + watermark <= now for window in ahead)
    if n > FINALS_AT_ONCE:      # windows that end together are settled together
        last = ahead[FINALS_AT_ONCE - 1].end
        n = sum(window.end <= last for window in ahead)
    return ahead[:n], ahead[n:]


def may_differ(told: Told, window: Window, low: int, now: int) -> bool:
    """Whether a window may be another than was told, if everything from `low` on may have changed."""
    return window != told.window or window.end > low or (told.turn is not None and told.turn <= now)
