"""Writing one lane's segments; blocks, so done in the journal's thread.

In three steps, so that two lanes change as good as at once: `prepare` does all that nobody sees, `show`
is one write at the end of a file or one renaming, `settle` makes it durable. Whatever failed, `undo` leaves
the lane as it was. When even that is in doubt (a failed sync may have thrown pages away without writing
them), the segment is not to be trusted with more: `undo` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_agent.journal.disk import Disk, File
from edge_agent.journal.record import HEAD_SIZE, Definitions, Raw, RecordKind, definition, frame
from edge_agent.journal.segment import HEADER_SIZE, Header, Segment, path_of


@dataclass(frozen=True, slots=True)
class Roll:
    """Start a new segment with this head."""

    header: Header
    live: tuple[int, ...]
    """keys of the definitions to repeat"""
    checkpoint: bytes | None = None


@dataclass(slots=True)
class Staged:
    """What is to be written, and how far that has come."""

    segment: Segment
    """as it will be"""
    file: File
    path: Path
    """where the file is now"""
    offset: int
    data: bytes
    keys: set[int]
    roll: bool
    tried: bool = False
    """whether `show` was begun"""
    shown: bool = False


class LaneWriter:
    """Owns the lane's open segment file."""

    def __init__(self, disk: Disk, folder: Path, definitions: Definitions) -> None:
        self._disk = disk
        self._folder = folder
        self._definitions = definitions  # shared with the event loop, which only ever adds to it
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
        """Let go of the open segment; the next call that extends it opens it again."""
        if self._file:
            self._file.close()
        self._file = self._path = None

    def prepare(self, segment: Segment | None, roll: Roll | None, batch: list[Raw]) -> Staged:
        """Append `batch` to `segment`, or begin a new one with it. OSError: nothing has changed."""
        if roll:
            return self._prepare_roll(roll, batch)
        assert segment is not None
        if self._path != segment.path:
            self.close()
            self._file, self._path = self._disk.open(segment.path), segment.path
        assert self._file is not None
        keys = set(self._keys)
        data = b"".join(frame(self._complete(batch, keys), segment.header.salt))
        return Staged(segment, self._file, segment.path, segment.size, data, keys, roll=False)

    def _prepare_roll(self, roll: Roll, batch: list[Raw]) -> Staged:
        path, keys = path_of(self._folder, roll.header.first), set[int]()
        content = b"".join(self._head(roll, batch, keys))
        segment = Segment(path, roll.header, len(content), last=roll.header.first - 1)
        fresh = path.with_name(path.name + ".new")
        staged = Staged(segment, self._disk.open(fresh, fresh=True), fresh, 0, content, keys, roll=True)
        try:
            staged.file.write(0, content)
            staged.file.sync()
            self._disk.wrote(0, len(content))
        except OSError:
            self.undo(staged)
            raise
        return staged

    def show(self, staged: Staged) -> None:
        """From now on whoever opens the journal finds it, unless the power fails. OSError: `undo` it."""
        staged.tried = True
        if staged.roll:
            self._disk.rename(staged.path, staged.segment.path)
            staged.path = staged.segment.path
        else:
            staged.file.write(staged.offset, staged.data)
        staged.shown = True

    def settle(self, staged: Staged) -> int:
        """Make it durable; returns the segment's size. OSError: `undo` it."""
        if staged.roll:
            self._disk.sync_folder(self._folder)
            self.close()
            self._file, self._path = staged.file, staged.path
        else:
            staged.file.sync()
            self._disk.wrote(staged.offset, len(staged.data))
        self._keys = staged.keys
        return staged.offset + len(staged.data)

    def undo(self, staged: Staged) -> bool:
        """Take it back; whether what is left may be trusted."""
        if staged.roll:
            staged.file.close()
            try:
                self._disk.remove(staged.path)
            except OSError:
                pass  # a leftover repeats numbers that the next segment holds, and readers see that
            return True
        return not staged.tried or (_cut(staged.file, staged.offset) and not staged.shown)

    def _head(self, roll: Roll, batch: list[Raw], keys: set[int]) -> list[bytes]:
        header = roll.header
        own = [self._definition(key, header.first, header.created) for key in roll.live]
        keys.update(roll.live)
        if roll.checkpoint is not None:
            own.append((header.first, RecordKind.CHECKPOINT, 0, header.created, roll.checkpoint))
        return [header.pack(), *frame(own + self._complete(batch, keys), header.salt)]

    def _complete(self, batch: list[Raw], keys: set[int]) -> list[Raw]:
        """The batch, headed by those definitions it uses and the segment does not hold; adds to `keys`."""
        new = {raw[2] for raw in batch} - keys - {0}
        keys |= new
        return [self._definition(key, batch[0][0], batch[0][3]) for key in sorted(new)] + batch

    def _definition(self, key: int, seq: int, time: int) -> Raw:
        return (seq, RecordKind.DEFINITION, key, time, definition(*self._definitions[key]))


def _cut(file: File, size: int) -> bool:
    """Take back a partial write for good; whether that worked."""
    try:
        file.truncate(size)
        file.sync()
    except OSError:
        return False
    return True
