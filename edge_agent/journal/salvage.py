"""Setting things aside: a torn tail is cut, a damaged segment is replaced by what is intact in it.

Both keep the bytes as they were found (NAME.torn, NAME.damaged) as far as the disk allows, and
say in one line what was done. A crash at any point leaves either the old file or the new one
under the name, never a mixture: the new one is written aside, synced and renamed.
"""

from __future__ import annotations

from pathlib import Path

from edge_agent.journal.disk import Disk
from edge_agent.journal.record import OWN, Raw, frame, is_torn, next_intact, take
from edge_agent.journal.segment import HEADER_SIZE, Header, Segment, Tally

SECTOR = 4096  # what a medium loses at once


def intact(data: bytes, start: int, salt: int) -> tuple[list[Raw], int]:
    """All intact records from `start` on, across damage; and how many bytes belong to none."""
    found: list[Raw] = []
    lost, position = 0, start
    while position < len(data):
        taken, stop = take(data, position, salt)
        found += taken
        position = next_intact(data, stop + 1, salt) if stop < len(data) else stop
        lost += position - stop
    return found, lost


def torn_at(disk: Disk, segment: Segment, broken: int) -> bool:
    """Whether what is broken from offset `broken` on is the tail of a commit that never finished."""
    return is_torn(disk.read(segment.path, broken, segment.size - broken), 0, segment.header.salt)


def cut(disk: Disk, segment: Segment, broken: int) -> str:
    """Cut a torn tail at `broken`, durably; returns what was done."""
    tail = disk.read(segment.path, broken, segment.size - broken)
    kept = _keep(disk, segment.path.with_name(segment.path.name + ".torn"), tail)
    file = disk.open(segment.path)
    try:
        file.truncate(broken)
        file.sync()
    finally:
        file.close()
    segment.size = broken
    return f"{segment.path.name}: {len(tail)} bytes of an unfinished commit cut off at byte {broken}{kept}"


def _keep(disk: Disk, path: Path, data: bytes) -> str:
    try:
        file = disk.open(path, fresh=True)
        try:
            file.write(0, data)
        finally:
            file.close()
    except OSError as error:
        disk.remove(path)
        return f", not kept ({error.strerror})"
    return f", kept in {path.name}"


def salvage(disk: Disk, segment: Segment) -> str:
    """Replace a damaged segment by its intact records; returns what was done.

    `segment` is brought up to date; its size is 0 if nothing could be saved, and then there is no
    such segment any more. Never raises.
    """
    damaged = segment.path.with_name(segment.path.name + ".damaged")
    before = segment.records
    try:
        data = readable(disk, segment)
        found, lost = intact(data, HEADER_SIZE, segment.header.salt)
    except OSError as error:
        return _give_up(disk, segment, damaged, f"cannot be read ({error.strerror})")
    if not found:
        return _give_up(disk, segment, damaged, "holds no intact record")
    try:
        _replace(disk, segment, damaged, data, found)
    except OSError as error:
        return _give_up(disk, segment, damaged, f"is damaged and cannot be rewritten ({error.strerror})")
    missing = f", {before - segment.records} records lost" if before > segment.records else ""
    return (
        f"{segment.path.name}: {lost} damaged bytes{missing}, {segment.records} intact records go on, "
        f"the file as it was is kept in {damaged.name}"
    )


def amend(disk: Disk, path: Path, header: Header) -> None:
    """Write a segment's header anew, in place and durably. OSError. Torn, it costs no record: see `salvage`."""
    file = disk.open(path)
    try:
        file.write(0, header.pack())
        file.sync()
        disk.wrote(0, HEADER_SIZE)
    finally:
        file.close()


def readable(disk: Disk, segment: Segment) -> bytes:
    """The whole of a segment, with zeros where the medium gives nothing; OSError if it gives nothing at all."""
    pieces: list[bytes] = []
    trouble: OSError | None = None
    for offset in range(0, segment.size, SECTOR):
        size = min(SECTOR, segment.size - offset)
        try:
            pieces.append(disk.read(segment.path, offset, size))
        except OSError as error:
            trouble = error
            pieces.append(bytes(size))
    if trouble and not any(map(any, pieces)):
        raise trouble
    return b"".join(pieces)


def _replace(disk: Disk, segment: Segment, damaged: Path, data: bytes, raws: list[Raw]) -> None:
    fresh = segment.path.with_name(segment.path.name + ".new")
    header, last = segment.header, 0
    parts = [header.pack()]
    kept: list[Raw] = []
    for raw in raws:
        if raw[1] in OWN or raw[0] > last:
            last = last if raw[1] in OWN else raw[0]
            parts += frame([raw], header.salt)
            kept.append(raw)
    content = b"".join(parts)
    file = disk.open(fresh, fresh=True)
    try:
        file.write(0, content)
        file.sync()
        disk.wrote(0, len(content))
    finally:
        file.close()
    try:
        disk.link(segment.path, damaged)
    except OSError:  # FAT knows no second names
        _keep(disk, damaged, data)
    disk.rename(fresh, segment.path)
    disk.sync_folder(fresh.parent)
    tally = Tally(last=header.first - 1)
    tally.add(kept)
    segment.size, segment.records, segment.bytes = len(content), tally.records, tally.bytes
    segment.last, segment.time = tally.last, tally.time


def _give_up(disk: Disk, segment: Segment, damaged: Path, why: str) -> str:
    segment.size = segment.records = segment.bytes = 0
    segment.last = segment.first - 1
    try:
        disk.rename(segment.path, damaged)
    except OSError as error:
        return f"{segment.path.name} {why}; passed over, cannot be set aside either ({error.strerror})"
    return f"{segment.path.name} {why}; set aside as {damaged.name}"
