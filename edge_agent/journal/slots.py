"""A few numbers that change in place and survive a torn write: two slots, of which one is always whole.

    offset 0     slot 0:  crc u32, mark u32, generation u64, how many numbers u64, the numbers u64 each
    offset 4096  slot 1:  the same

Little-endian; crc is the CRC-32 of what follows it in the slot. The intact slot with the higher
generation counts. The file appears under its name with its first slot already durable. A save goes to
the slot that does *not* hold the newest synced state, so whatever a crash tears, the last synced state
is still there. The slots lie a page apart, for flash that loses whole pages.

Earlier versions wrote three numbers and not how many, under another mark; they are read.
"""

from __future__ import annotations

import struct
from pathlib import Path
from zlib import crc32

from edge_agent.journal.disk import Disk

_HEAD = struct.Struct("<IQQ")
_THREE = struct.Struct("<IQQQQ")
_MARK = 0x54534C53
_MARK_OF_THREE = 0x544F4C53
_APART = 4096
MOST = (_APART - 4 - _HEAD.size) // 8

Numbers = tuple[int, ...]


class Slots:
    """One such file; not thread-safe, used in the journal's thread."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.path = path
        self._disk = disk
        self._generation = 0
        self._target = 0  # the slot that may be overwritten
        self.exists = False

    def load(self) -> Numbers | None:
        """The newest intact numbers; None if there is no file or no slot is intact."""
        try:
            data = self._disk.read(self.path, 0, 2 * _APART)
        except OSError:
            return None
        self.exists = True
        found = [slot for slot in (_unpack(data, 0), _unpack(data, 1)) if slot]
        if not found:
            return None
        generation, place, numbers = max(found)
        self._generation, self._target = generation, 1 - place
        return numbers

    def save(self, numbers: Numbers, *, sync: bool) -> None:
        """Write; with `sync` (always on the first save) return once it would survive a power cut."""
        sync = sync or not self.exists
        path = self.path if self.exists else self.path.with_name(self.path.name + ".new")
        file = self._disk.open(path, fresh=not self.exists)
        try:
            file.write(self._target * _APART, _pack(self._generation + 1, numbers))
            if sync:
                file.sync()
                self._disk.wrote(0, 1)
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


def _pack(generation: int, numbers: Numbers) -> bytes:
    assert len(numbers) <= MOST
    slot = _HEAD.pack(_MARK, generation, len(numbers)) + struct.pack(f"<{len(numbers)}Q", *numbers)
    return crc32(slot).to_bytes(4, "little") + slot


def _unpack(data: bytes, place: int) -> tuple[int, int, Numbers] | None:
    slot = data[place * _APART : (place + 1) * _APART]
    if len(slot) < 4 + _HEAD.size:
        return None
    mark, generation, count = _HEAD.unpack_from(slot, 4)
    if mark == _MARK and count <= MOST:
        size, numbers = _HEAD.size + 8 * count, (f"<{count}Q", 4 + _HEAD.size)
    elif mark == _MARK_OF_THREE:
        size, numbers = _THREE.size, ("<3Q", 4 + _THREE.size - 24)
    else:
        return None
    whole = len(slot) >= 4 + size and int.from_bytes(slot[:4], "little") == crc32(slot[4 : 4 + size])
    return (generation, place, struct.unpack_from(numbers[0], slot, numbers[1])) if whole else None
