"""What the journal's own thread does: one commit at a time, each one write and one sync.

A commit is an order worked out on the event loop and answered with what became of it. A failure
leaves the journal as it was: what was partly written is cut off again, the order's records are
still with the event loop, and the next order tries again. When even that is in doubt (a failed
sync may have thrown pages away without writing them), the segment is not trusted with more: the
answer says so and the next order starts a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.journal.cursor import Cursor
from edge_agent.journal.disk import Disk, File
from edge_agent.journal.record import HEAD_SIZE, OWN, Definitions, Raw, RecordKind, definition, frame
from edge_agent.journal.segment import HEADER_SIZE, Header, Segment, path_of
from edge_agent.journal.slots import Slots, Three


@dataclass(frozen=True, slots=True)
class Roll:
    """Start a new segment with this head."""

    header: Header
    live: tuple[int, ...]
    """keys of the definitions to repeat"""
    checkpoint: bytes | None


@dataclass(frozen=True, slots=True)
class Order:
    """One commit. `segment` is the one to extend (None with `roll`)."""

    batch: list[Raw]
    covers: int
    segment: Segment | None = None
    roll: Roll | None = None
    floor: Three | None = None
    places: tuple[tuple[Cursor, Three], ...] = ()
    sync_places: bool = False
    remove: tuple[Path, ...] = ()


@dataclass(slots=True)
class Done:
    """What became of an order."""

    error: OSError | None = None
    distrust: bool = False
    """start a new segment next time"""
    retry: bool = False
    segment: Segment | None = None
    size: int = 0
    fresh: list[Raw] = field(default_factory=list)
    """the records that cursors deliver"""
    bytes: int = 0
    saved: list[Cursor] = field(default_factory=list)
    """the cursors whose places were saved"""
    notes: list[str] = field(default_factory=list)


class Writer:
    """Owns the open segment file; every method blocks and runs in the journal's thread."""

    def __init__(self, disk: Disk, folder: Path, definitions: Definitions) -> None:
        self._disk = disk
        self._folder = folder
        self._definitions = definitions  # shared with the event loop, which only ever adds to it
        self._floor = Slots(disk, folder / "floor")
        self._floor.load()
        self._path: Path | None = None
        self._file: File | None = None
        self._keys: set[int] = set()  # defined in the open segment

    def go_on(self, keys: set[int]) -> None:
        """The newest segment, found whole, holds the definitions of these keys."""
        self._keys = set(keys)

    def overhead(self, batch: list[Raw], roll: Roll | None) -> int:
        """Bytes a commit takes beside its batch. For the event loop, while no commit is under way."""
        keys = {raw[2] for raw in batch} - {0}
        keys = keys | set(roll.live) if roll else keys - self._keys
        size = sum(HEAD_SIZE + len(definition(*self._definitions[key])) for key in keys)
        return size + (HEADER_SIZE + HEAD_SIZE + len(roll.checkpoint or b"") if roll else 0)

    def close(self) -> None:
        """Let go of the open segment; the next order that extends it opens it again."""
        if self._file:
            self._file.close()
        self._file = self._path = None

    def commit(self, order: Order) -> Done:
        """Do the order; an OSError is part of the answer."""
        done = Done()
        self._save_places(order, done)
        self._remove(order, done)
        self._sum_up(order.batch, done)
        try:
            if order.floor:
                self._floor.save(order.floor, sync=True)
            if order.roll:
                self._begin(order, order.roll, done)
            elif order.segment and order.batch:
                self._extend(order, order.segment, done)
        except OSError as error:
            done.error = error
        return done

    def _save_places(self, order: Order, done: Done) -> None:
        for cursor, three in order.places:
            try:
                cursor.slots.save(three, sync=order.sync_places)
                done.saved.append(cursor)
            except OSError as error:
                done.notes.append(f"the place of cursor {cursor.name} cannot be saved ({error.strerror})")

    def _remove(self, order: Order, done: Done) -> None:
        for path in order.remove:
            try:
                self._disk.remove(path)
            except OSError as error:
                done.notes.append(f"{path.name} cannot be removed ({error.strerror})")

    def _sum_up(self, batch: list[Raw], done: Done) -> None:
        done.fresh = [raw for raw in batch if raw[1] not in OWN]
        done.bytes = sum([len(raw[4]) for raw in done.fresh]) + HEAD_SIZE * len(done.fresh)

    def _extend(self, order: Order, segment: Segment, done: Done) -> None:
        if self._path != segment.path:
            self.close()
            self._file, self._path = self._disk.open(segment.path), segment.path
        file, keys = self._file, set(self._keys)
        assert file is not None
        data = b"".join(frame(self._complete(order.batch, keys), segment.header.salt))
        written = False
        try:
            file.write(segment.size, data)
            written = True
            file.sync()
        except OSError:
            done.distrust = not _cut(file, segment.size) or written
            raise
        self._keys = keys
        done.size = segment.size + len(data)

    def _begin(self, order: Order, roll: Roll, done: Done) -> None:
        path, keys = path_of(self._folder, roll.header.first), set[int]()
        content = b"".join(self._head(order, roll, keys))
        fresh = path.with_name(path.name + ".new")
        made, file = fresh, self._disk.open(fresh, fresh=True)
        try:
            file.write(0, content)
            file.sync()
            self._disk.rename(fresh, path)
            made = path
            self._disk.sync_folder(self._folder)
        except OSError:
            file.close()
            self._forget(made)
            raise
        self.close()
        self._file, self._path, self._keys = file, path, keys
        done.segment = Segment(path, roll.header, last=roll.header.first - 1)
        done.size = len(content)

    def _head(self, order: Order, roll: Roll, keys: set[int]) -> list[bytes]:
        header = roll.header
        own = [self._definition(key, header.first, header.created) for key in roll.live]
        keys.update(roll.live)
        if roll.checkpoint is not None:
            own.append((header.first, RecordKind.CHECKPOINT, 0, header.created, roll.checkpoint))
        return [header.pack(), *frame(own + self._complete(order.batch, keys), header.salt)]

    def _complete(self, batch: list[Raw], keys: set[int]) -> list[Raw]:
        """The batch, headed by those definitions it uses and the segment does not hold; adds to `keys`."""
        new = {raw[2] for raw in batch} - keys - {0}
        keys |= new
        return [self._definition(key, batch[0][0], batch[0][3]) for key in sorted(new)] + batch

    def _definition(self, key: int, seq: int, time: int) -> Raw:
        return (seq, RecordKind.DEFINITION, key, time, definition(*self._definitions[key]))

    def _forget(self, path: Path) -> None:
        try:
            self._disk.remove(path)
        except OSError:
            pass  # a leftover repeats numbers that the next segment holds, and readers see that


def _cut(file: File, size: int) -> bool:
    """Take back a partial write for good; whether that worked."""
    try:
        file.truncate(size)
        file.sync()
    except OSError:
        return False
    return True
