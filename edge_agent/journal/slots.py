"""Twenty-four bytes that change in place and survive a torn write: three numbers in two slots.

    offset 0     slot 0:  crc u32, mark u32, generation u64, three numbers u64      (40 bytes)
    offset 4096  slot 1:  the same

Little-endian; crc is the CRC-32 of what follows it. The intact slot with the higher generation
counts. The file appears under its name with its first slot already durable. A save goes to the
slot that does *not* hold the newest synced state, so whatever a crash tears, the last synced state
is still there. The slots lie a page apart, for flash that loses whole pages.
"""

from __future__ import annotations

import struct
from pathlib import Path
from zlib import crc32

from edge_agent.journal.disk import Disk

_SLOT = struct.Struct("<IQQQQ")
_MARK = 0x544F4C53
_APART = 4096

Three = tuple[int, int, int]


class Slots:
    """One such file; not thread-safe, used in the journal's thread."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.path = path
        self._disk = disk
        self._generation = 0
        self._target = 0  # the slot that may be overwritten
        self.exists = False

    def load(self) -> Three | None:
        """The newest intact numbers; None if there is no file or no slot is intact."""
        try:
            data = self._disk.read(self.path, 0, _APART + 4 + _SLOT.size)
        except OSError:
            return None
        self.exists = True
        found = [slot for slot in (_unpack(data, 0), _unpack(data, 1)) if slot]
        if not found:
            return None
        generation, place, three = max(found)
        self._generation, self._target = generation, 1 - place
        return three

    def save(self, three: Three, *, sync: bool) -> None:
        """Write; with `sync` (always on the first save) return once it would survive a power cut."""
        sync = sync or not self.exists
        path = self.path if self.exists else self.path.with_name(self.path.name + ".new")
        file = self._disk.open(path, fresh=not self.exists)
        try:
            file.write(self._target * _APART, _pack(self._generation + 1, three))
            if sync:
                file.sync()
        finally:
            file.close()
        self._generation += 1
        if not self.exists:
            self._disk.rename(path, self.path)
            self._disk.sync_folder(self.path.parent)
            self.exists = True
        if sync:
            self._target = 1 - self._target

    def settle(self) -> None:
        """Make durable what an earlier process may have left in the page cache only, so that the other
        slot may be overwritten. If that fails, so be it: the risk is a few records delivered again."""
        try:
            self._settle()
        except OSError:
            pass

    def _settle(self) -> None:
        file = self._disk.open(self.path)
        try:
            file.sync()
        finally:
            file.close()


def _pack(generation: int, three: Three) -> bytes:
    slot = _SLOT.pack(_MARK, generation, *three)
    return crc32(slot).to_bytes(4, "little") + slot


def _unpack(data: bytes, place: int) -> tuple[int, int, Three] | None:
    slot = data[place * _APART : place * _APART + 4 + _SLOT.size]
    if len(slot) < 4 + _SLOT.size or int.from_bytes(slot[:4], "little") != crc32(slot[4:]):
        return None
    mark, generation, one, two, three = _SLOT.unpack_from(slot, 4)
    return (generation, place, (one, two, three)) if mark == _MARK else None
