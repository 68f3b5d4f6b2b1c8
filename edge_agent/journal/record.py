"""One record: how it lies in a segment, and how an intact one is told from damage.

    offset  size
         0     4  crc     CRC-32 of everything after it, started with the segment's salt
         4     3  mark    ED 4A 1F, only there to find the next record behind a damaged one
         7     1  kind    low seven bits `RecordKind`; the high bit marks the first record of a commit
         8     4  length  of the body, bytes
        12     4  key     of the definition the body is read with; 0 is none
        16     8  time    when it was appended, ns UTC, signed
        24     8  seq
        32     …  body
    all little-endian; no padding between records.

A DEFINITION's body is `length of the name u16, name UTF-8, body`. DEFINITION and CHECKPOINT are the
journal's own: they carry the seq of the next record, use up no sequence number, and no cursor
ever sees them.

The salt differs from segment to segment, so a record of another file, or of a file that once lay
on the same blocks, is never taken for one of this file.

The high bit tells a torn tail from damage. Commits are written one after another, each made
durable before the next begins. So if an intact record with that bit stands behind broken bytes,
the broken ones had been committed: damage. If none does, they belong to the last commit, which
nobody was told of: a torn tail, cut without regret.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

HEAD = struct.Struct("<I3sBIIqQ")
HEAD_SIZE = HEAD.size
_REST = struct.Struct("<3sBIIqQ")
_NAME = struct.Struct("<H")
MARK = b"\xed\x4a\x1f"
FIRST = 0x80
BODY_MAX = 64 << 20  # what a broken length field may make a reader ask for, at most

Raw = tuple[int, int, int, int, bytes]
"""seq, kind, key, time, body"""

Definitions = dict[int, tuple[str, bytes]]
"""key → name, body"""


class RecordKind(IntEnum):
    """What a body is; the first two are the journal's own, the rest is the agent's."""

    DEFINITION = 1
    CHECKPOINT = 2
    SAMPLES = 3
    STATE = 4
    REPORT = 5
    EVENT = 6
    ALIVE = 7
    ALARM = 8
    ROLLUP = 9
    GAP = 10


OWN = frozenset((int(RecordKind.DEFINITION), int(RecordKind.CHECKPOINT)))


@dataclass(slots=True)
class Record:
    """A record read back: `time` is when it was appended (ns UTC), `definition` the body of the
    definition in force for `key` where the record stands (None: no key, or destroyed)."""

    seq: int
    kind: int
    key: int
    time: int
    body: bytes
    definition: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return HEAD_SIZE + len(self.body)


def frame(commit: list[Raw], salt: int) -> list[bytes]:
    """The bytes of one commit, in pieces."""
    parts: list[bytes] = []
    pack, first = _REST.pack, FIRST
    for seq, kind, key, time, body in commit:
        rest = pack(MARK, kind | first, len(body), key, time, seq)
        parts += (crc32(body, crc32(rest, salt)).to_bytes(4, "little"), rest, body)
        first = 0
    return parts


def take(data: bytes, start: int, salt: int) -> tuple[list[Raw], int]:
    """All intact whole records from `start` on, up to the first that is not; and where that is."""
    taken: list[Raw] = []
    view = memoryview(data)
    size, position, unpack = len(data), start, HEAD.unpack_from
    while position + HEAD_SIZE <= size:
        crc, mark, kind, length, key, time, seq = unpack(data, position)
        end = position + HEAD_SIZE + length
        if mark != MARK or end > size or crc32(view[position + 4 : end], salt) != crc:
            break
        taken.append((seq, kind & ~FIRST, key, time, data[position + HEAD_SIZE : end]))
        position = end
    return taken, position


def wanted(data: bytes, start: int) -> int | None:
    """How many bytes the record at `start` says it needs; None if that is no record."""
    if len(data) - start < HEAD_SIZE:
        return HEAD_SIZE
    _, mark, _, length, *_ = HEAD.unpack_from(data, start)
    return HEAD_SIZE + length if mark == MARK and length <= BODY_MAX else None


def next_intact(data: bytes, start: int, salt: int) -> int:
    """Where the next intact record begins at or after `start`; the length of `data` if none does."""
    view = memoryview(data)
    found = data.find(MARK, start + 4)
    while found >= 0:
        position = found - 4
        need = wanted(data, position)
        if need is not None and position + need <= len(data):
            crc = HEAD.unpack_from(data, position)[0]
            if need >= HEAD_SIZE and crc32(view[found : position + need], salt) == crc:
                return position
        found = data.find(MARK, found + 1)
    return len(data)


def is_torn(data: bytes, broken: int, salt: int) -> bool:
    """Whether the broken bytes at `broken` belong to the last commit (see the head of this file)."""
    position = next_intact(data, broken + 1, salt)
    while position < len(data):
        if data[position + 7] & FIRST:
            return False
        position = next_intact(data, position + 1, salt)
    return True


def definition(name: str, body: bytes) -> bytes:
    """The body of a DEFINITION record."""
    encoded = name.encode()
    return _NAME.pack(len(encoded)) + encoded + body


def defined(body: bytes) -> tuple[str, bytes]:
    """Name and body of a DEFINITION record."""
    end = _NAME.size + _NAME.unpack_from(body)[0]
    return body[_NAME.size : end].decode(), body[end:]
