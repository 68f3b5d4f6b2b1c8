"""What the journal's own thread does: one commit at a time, each one write and one sync per lane it touches.

A commit is an order worked out on the event loop and answered with what became of it. Both parts are
written before either is synced, so that a kill hardly ever leaves one without the other; then the
events are synced, then the samples. A part that failed leaves its lane as it was, its records and those
of the parts behind it are still with the event loop, and the next order tries again.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.journal.cursor import Cursor
from edge_agent.journal.disk import Disk
from edge_agent.journal.lane import LANES
from edge_agent.journal.lane_writer import LaneWriter, Roll, Staged
from edge_agent.journal.record import HEAD_SIZE, OWN, Definitions, Raw
from edge_agent.journal.segment import Segment
from edge_agent.journal.slots import Numbers, Slots


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be written to one lane. `segment` is the one to extend (None with `roll`)."""

    lane: int
    batch: list[Raw]
    segment: Segment | None
    roll: Roll | None


@dataclass(frozen=True, slots=True)
class Order:
    """One commit."""

    parts: tuple[Part, ...]
    """in the order of the lanes"""
    covers: int
    incoming: int = 0
    """bytes that the parts add to the disk"""
    checkpoint: Raw | None = None
    """one that was put into a part for the occasion"""
    floor: Numbers | None = None
    places: tuple[tuple[Cursor, Numbers], ...] = ()
    sync_places: bool = False
    remove: tuple[Path, ...] = ()
    wear: Numbers | None = None


@dataclass(slots=True)
class Written:
    """A part that is durable."""

    part: Part
    segment: Segment
    """the one it is in, new if the part had a roll"""
    size: int
    """of that"""
    fresh: list[Raw]
    """the records that cursors deliver"""
    bytes: int
    """of those, with their heads"""


@dataclass(slots=True)
class Done:
    """What became of an order."""

    error: OSError | None = None
    short: int = 0
    """so many bytes must go before the order leaves the reserve alone"""
    distrusted: list[int] = field(default_factory=list)
    """start a new segment in these lanes"""
    retry: bool = False
    written: list[Written] = field(default_factory=list)
    saved: list[Cursor] = field(default_factory=list)
    """the cursors whose places were saved"""
    floor: bool = False
    """whether the floor was saved, or need not be"""
    notes: list[str] = field(default_factory=list)


class Writer:
    """Owns what is open for writing; `commit` blocks and runs in the journal's thread."""

    def __init__(
        self, disk: Disk, folder: Path, definitions: Definitions, reserve: int, floor: Slots, wear: Slots
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._reserve = reserve
        self._floor = floor
        self._wear = wear
        self.lanes = tuple(LaneWriter(disk, folder / name, definitions) for name in LANES)

    def close(self) -> None:
        """Let go of the open segments."""
        for lane in self.lanes:
            lane.close()

    def commit(self, order: Order) -> Done:
        """Do the order; an OSError is part of the answer."""
        done = Done()
        self._save_places(order, done)
        self._remove(order, done)
        self._save_wear(order, done)
        sums = [_sum_up(part.batch) for part in order.parts]
        try:
            self._check_reserve(order, done)
            if order.floor:
                self._floor.save(order.floor, sync=True)
            done.floor = True
        except OSError as error:
            done.error = error
            return done
        shown = self._show(order, done)
        for place, (part, staged) in enumerate(shown):
            try:
                size = self.lanes[part.lane].settle(staged)
            except OSError as error:
                done.error = error
                self._undo(shown[place:], done)
                break
            done.written.append(Written(part, staged.segment, size, *sums[place]))
        return done

    def _check_reserve(self, order: Order, done: Done) -> None:
        """OSError if the order would use what must stay free."""
        if self._reserve and order.parts:
            free = self._disk.space(self._folder)[0]
            done.short = max(self._reserve + order.incoming - free, 0)
            if done.short:
                raise OSError(errno.ENOSPC, f"the disk has {_mb(free)} left, of which {_mb(self._reserve)} stay free")

    def _show(self, order: Order, done: Done) -> list[tuple[Part, Staged]]:
        """Write the parts; those from the first that fails on are taken back."""
        staged: list[tuple[Part, Staged]] = []
        shown = 0
        try:
            for part in order.parts:
                staged.append((part, self.lanes[part.lane].prepare(part.segment, part.roll, part.batch)))
        except OSError as error:
            done.error = error
        try:
            for part, one in staged:
                self.lanes[part.lane].show(one)
                shown += 1
        except OSError as error:
            done.error = error
        self._undo(staged[shown:], done)
        return staged[:shown]

    def _undo(self, staged: list[tuple[Part, Staged]], done: Done) -> None:
        done.distrusted += [part.lane for part, one in staged if not self.lanes[part.lane].undo(one)]

    def _save_places(self, order: Order, done: Done) -> None:
        for cursor, numbers in order.places:
            try:
                cursor.slots.save(numbers, sync=order.sync_places)
                done.saved.append(cursor)
            except OSError as error:
                done.notes.append(f"the place of cursor {cursor.name} cannot be saved ({error.strerror})")

    def _remove(self, order: Order, done: Done) -> None:
        for path in order.remove:
            try:
                self._disk.remove(path)
            except OSError as error:
                done.notes.append(f"{path.name} cannot be removed ({error.strerror})")

    def _save_wear(self, order: Order, done: Done) -> None:
        if order.wear:
            try:
                self._wear.save(order.wear, sync=False)
            except OSError as error:
                done.notes.append(f"what was written cannot be noted ({error.strerror})")


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _sum_up(batch: list[Raw]) -> tuple[list[Raw], int]:
    fresh = [raw for raw in batch if raw[1] not in OWN]
    return fresh, sum([len(raw[4]) for raw in fresh]) + HEAD_SIZE * len(fresh)
