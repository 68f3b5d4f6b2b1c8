"""One file of a lane's chain: its name, its header, and reading the records in it.

A segment is named by the first sequence number it may hold, twenty digits, `.seg`. It begins with

    offset  size
         0     8  magic     "EDGEJRN2"; "EDGEJRN1" where both lanes' records are mixed, as earlier versions wrote it
         8     8  epoch     random, the same in all of them: which journal this is
        16     8  first     as in the name
        24     8  created   ns UTC
        32    40  the segment before: its first, size, records, bytes, last (0 where there is none)
        72     8  the segment before: time of its last record
        80     4  crc       CRC-32 of the 80 bytes above
        84     4  zero

little-endian, followed by records (`record.py`): first the definitions in use, then a checkpoint,
then what was appended. `records` and `bytes` count only what cursors deliver.

Invariants. Sequence numbers grow along the chain; they may skip, never repeat. A segment appears
under its name only when header and first commit are durable (written as NAME.new, synced, renamed,
folder synced). Only the last one of a chain grows. What was true of a segment when it was closed stands in
the header of the next, so opening a journal reads one header per file and only the last file whole;
bytes behind the `size` stated there were never committed and do not count.

Beside the segments lie NAME.torn (a cut tail, kept for whoever wants to know), NAME.damaged (a
damaged segment as it was found; what was intact in it goes on under the old name), `*.cursor` and
`floor` (`slots.py`).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from edge_agent.journal.disk import Disk
from edge_agent.journal.record import HEAD_SIZE, OWN, Definitions, Raw, RecordKind, defined, take, wanted

SUFFIX = ".seg"
ASIDE = (".torn", ".damaged")
# Read at once: an SD card is near its full speed, and 128 records of 2 KB are parsed in under 1 ms.
BLOCK = 256 << 10
_HEADER = struct.Struct("<8sQQqQQQQQq")
HEADER_SIZE = _HEADER.size + 8
_MAGIC = b"EDGEJRN2"
_MAGIC_MIXED = b"EDGEJRN1"


class Before(NamedTuple):
    """What was true of the segment before when it was closed."""

    first: int = 0
    size: int = 0
    records: int = 0
    bytes: int = 0
    last: int = 0
    time: int = 0


class Header(NamedTuple):
    """See the head of this file."""

    epoch: int
    first: int
    created: int
    before: Before
    mixed: bool = False
    """whether it holds records of both lanes"""

    @property
    def salt(self) -> int:
        """What the CRC of this segment's records starts with."""
        return salt(self.epoch, self.first)

    def pack(self) -> bytes:
        """88 bytes."""
        magic = _MAGIC_MIXED if self.mixed else _MAGIC
        data = _HEADER.pack(magic, self.epoch, self.first, self.created, *self.before)
        return data + struct.pack("<II", crc32(data), 0)


class Damage(Exception):
    """No intact record at `offset`, though one should be there."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"no intact record at byte {offset}")
        self.offset = offset


def salt(epoch: int, first: int) -> int:
    """Of the segment `first` in the journal `epoch`."""
    return crc32(struct.pack("<QQ", epoch, first))


def path_of(folder: Path, first: int) -> Path:
    """Of the segment that begins with `first`."""
    return folder / f"{first:020d}{SUFFIX}"


def first_of(name: str) -> int | None:
    """The first sequence number a segment's name states; None if it is no segment's name."""
    digits = name.removesuffix(SUFFIX)
    return int(digits) if name.endswith(SUFFIX) and len(digits) == 20 and digits.isdecimal() else None


def read_header(disk: Disk, path: Path) -> Header:
    """Raises `Damage` if it is not intact, OSError if it cannot be read."""
    data = disk.read(path, 0, HEADER_SIZE)
    body = data[: _HEADER.size]
    crc = int.from_bytes(data[_HEADER.size : _HEADER.size + 4], "little")
    if len(data) < HEADER_SIZE or crc != crc32(body):
        raise Damage(0)
    magic, epoch, first, created, *before = _HEADER.unpack(body)
    if magic not in (_MAGIC, _MAGIC_MIXED) or first != first_of(path.name):
        raise Damage(0)
    return Header(epoch, first, created, Before(*before), mixed=magic == _MAGIC_MIXED)


@dataclass(slots=True, eq=False)
class Segment:
    """What is known of one file. `size` is where its committed bytes end."""

    path: Path
    header: Header
    size: int = HEADER_SIZE
    records: int = 0
    bytes: int = 0
    last: int = 0
    """seq of the last record cursors deliver; `first - 1` while there is none"""
    time: int = 0

    @property
    def first(self) -> int:
        """The first sequence number it may hold."""
        return self.header.first

    def closed(self) -> Before:
        """For the header of the next."""
        return Before(self.first, self.size, self.records, self.bytes, self.last, self.time)


def blocks(disk: Disk, segment: Segment, start: int = HEADER_SIZE) -> Iterator[tuple[list[Raw], int]]:
    """The records from offset `start` to the committed end, block by block, each with the offset behind it.

    Raises `Damage` where the next record is not intact.
    """
    position, size = start, BLOCK
    while position < segment.size:
        data = disk.read(segment.path, position, min(size, segment.size - position))
        taken, used = take(data, 0, segment.header.salt)
        if not used:
            need = wanted(data, 0)
            if need is None or need <= len(data) or position + need > segment.size or size >= need:
                raise Damage(position)
            size = need
            continue
        position, size = position + used, BLOCK
        yield taken, position


class Amount(NamedTuple):
    """So many records, and their bytes with their heads."""

    records: int = 0
    bytes: int = 0

    def plus(self, other: Amount) -> Amount:
        """The sum."""
        return Amount(self.records + other.records, self.bytes + other.bytes)

    def minus(self, other: Amount) -> Amount:
        """The difference."""
        return Amount(self.records - other.records, self.bytes - other.bytes)


@dataclass(slots=True)
class Tally:
    """What a stretch of records adds up to."""

    records: int = 0
    bytes: int = 0
    last: int = 0
    time: int = 0
    definitions: Definitions = field(default_factory=dict)

    def add(self, raws: list[Raw]) -> None:
        """Count them."""
        for seq, kind, key, time, body in raws:
            if kind in OWN:
                if kind == RecordKind.DEFINITION:
                    self.definitions[key] = defined(body)
            else:
                self.records += 1
                self.bytes += HEAD_SIZE + len(body)
                self.last = seq
                self.time = time


@dataclass(slots=True)
class Chain:
    """All segments, oldest first, and the files set aside."""

    segments: list[Segment] = field(default_factory=list)
    aside: list[tuple[Path, int]] = field(default_factory=list)
    """files set aside with their sizes, oldest first"""
    gone: Amount = field(default_factory=Amount)
    """what segments held that were deleted since the journal was opened"""

    @property
    def records(self) -> int:
        """That cursors can still deliver, if they start at the oldest."""
        return sum(segment.records for segment in self.segments)

    @property
    def bytes(self) -> int:
        """Of those records, with their heads."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def total(self) -> Amount:
        """How much there has been: the place of the end on a ruler along the lane, on which what a cursor is
        done with is a place, too; the difference is its backlog."""
        return Amount(self.gone.records + self.records, self.gone.bytes + self.bytes)

    def until(self, segment: Segment) -> Amount:
        """The place of the beginning of `segment` on that ruler."""
        before = self.segments[: self.segments.index(segment)]
        return Amount(
            self.gone.records + sum(s.records for s in before), self.gone.bytes + sum(s.bytes for s in before)
        )

    @property
    def size(self) -> int:
        """On disk, with everything set aside."""
        return sum(segment.size for segment in self.segments) + sum(size for _, size in self.aside)

    def after(self, seq: int) -> Segment | None:
        """The segment in which the first record behind `seq` is."""
        place = bisect_right(self.segments, seq, key=lambda segment: segment.last)
        return self.segments[place] if place < len(self.segments) else None
