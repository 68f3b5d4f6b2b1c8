"""Opening a journal: from whatever a crash, a power cut or a worn card left to a chain that is whole.

Never refuses because of content. What was intact is kept; what was not is set aside and told.

The next sequence number. All records of the newest segment are read, so normally it is the last
one plus one. But when bytes were lost at the end (torn, damaged, missing), numbers may have been
given out that nobody can see any more. The file `floor` (`slots.py`) bounds them: its three numbers
are `base` (everything below may be used), `reserved` (nothing from here on is used) and the epoch. It
is written before the first commit of each segment and before one that reaches `reserved`. If the
newest record is below `base - 1`, or broken bytes stood behind it, numbering goes on at `reserved`;
and nowhere below any cursor's place.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from edge_agent.journal.disk import Disk
from edge_agent.journal.record import Definitions
from edge_agent.journal.salvage import cut, salvage, torn_at
from edge_agent.journal.segment import (
    ASIDE,
    Before,
    Chain,
    Damage,
    Header,
    Segment,
    Tally,
    blocks,
    first_of,
    read_header,
)
from edge_agent.journal.slots import Slots

# Numbers per write of `floor`: minutes at a hundred records a second, and a small gap after a loss.
RESERVE = 1 << 16
CURSOR = ".cursor"
State = Literal["whole", "torn", "damaged"]


@dataclass(slots=True)
class Place:
    """What a cursor file says, and what waits behind it."""

    slots: Slots
    released: int
    evicted: int = 0
    lost: int = 0
    records: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Found:
    """A journal as it was found and put in order."""

    chain: Chain = field(default_factory=Chain)
    reserved: int = 1
    """nothing from here on is used"""
    epoch: int = 0
    next_seq: int = 1
    goes_on: bool = False
    """whether the newest segment may be appended to"""
    definitions: Definitions = field(default_factory=dict)
    """those the newest segment holds"""
    places: dict[str, Place] = field(default_factory=dict)
    highest: int = 0
    """the furthest any cursor claims to have released"""
    reports: list[str] = field(default_factory=list)


def cursor_path(folder: Path, name: str) -> Path:
    """Of the cursor `name`."""
    return folder / (quote(name, safe="") + CURSOR)


def recover(disk: Disk, folder: Path) -> Found:
    """Put the journal in `folder` in order; blocks; reads one header per segment and the newest one whole."""
    found = Found()
    names = disk.names(folder)
    _sweep(disk, folder, names)
    slots = Slots(disk, folder / "floor")
    floor = slots.load()
    headers = _headers(disk, folder, names)
    found.epoch = _epoch(headers, floor[2] if floor else 0)
    whole = _chain(disk, found, headers)
    found.chain.aside = aside(disk, folder)
    _places(disk, folder, found, names)
    _number(found, slots, floor, whole)
    return found


def aside(disk: Disk, folder: Path) -> list[tuple[Path, int]]:
    """The files set aside, oldest first, with their sizes."""
    paths = [folder / name for name in disk.names(folder) if name.endswith(ASIDE)]
    return [(path, disk.size(path)) for path in paths]


def _sweep(disk: Disk, folder: Path, names: list[str]) -> None:
    for name in names:
        if name.endswith(".new"):
            try:
                disk.remove(folder / name)
            except OSError:
                pass  # a half-made file does no harm; the next of this name replaces it


def _headers(disk: Disk, folder: Path, names: list[str]) -> list[tuple[Path, Header | None]]:
    headers: list[tuple[Path, Header | None]] = []
    for name in names:
        if first_of(name) is not None:
            try:
                headers.append((folder / name, read_header(disk, folder / name)))
            except (Damage, OSError):
                headers.append((folder / name, None))
    return headers


def _epoch(headers: list[tuple[Path, Header | None]], remembered: int) -> int:
    """The newest segment's, else the one `floor` remembers, else a new one."""
    known = [header.epoch for _, header in headers if header]
    return known[-1] if known else remembered or secrets.randbits(63) | 1


def _chain(disk: Disk, found: Found, headers: list[tuple[Path, Header | None]]) -> bool:
    """Fill the chain; returns whether nothing was lost at its end."""
    state: State = "whole"
    for i, (path, header) in enumerate(headers):
        follower = headers[i + 1][1] if i + 1 < len(headers) else None
        segment = Segment(path, header or Header(found.epoch, first_of(path.name) or 0, 0, Before()))
        if header is None or follower is None or not _known(disk, segment, follower.before):
            state, definitions = _scan(disk, found, segment, headed=header is not None)
            found.definitions = definitions or found.definitions
        if segment.size:
            found.chain.segments.append(segment)
    found.goes_on = bool(found.chain.segments) and state != "damaged"
    return state == "whole"


def _known(disk: Disk, segment: Segment, before: Before) -> bool:
    """Take over what the next header says of this segment, if it can still be true."""
    try:
        size = disk.size(segment.path)
    except OSError:
        return False
    if before.first != segment.first or size < before.size:
        return False
    segment.size, segment.records, segment.bytes = before.size, before.records, before.bytes
    segment.last, segment.time = before.last, before.time
    return True


def _scan(
    disk: Disk, found: Found, segment: Segment, *, headed: bool
) -> tuple[State, Definitions]:
    """Read a segment whole and mend it."""
    tally = Tally(last=segment.first - 1)
    state: State = "whole"
    try:
        segment.size = disk.size(segment.path)
        if headed:
            for raws, _ in blocks(disk, segment):
                tally.add(raws)
        else:
            state = _mend(disk, found, segment, 0)
    except Damage as damage:
        state = _mend(disk, found, segment, damage.offset)
    except OSError:
        state = _mend(disk, found, segment, 0)
    if state != "damaged":
        segment.records, segment.bytes = tally.records, tally.bytes
        segment.last, segment.time = tally.last, tally.time
    return state, tally.definitions


def _mend(disk: Disk, found: Found, segment: Segment, broken: int) -> State:
    try:
        if broken and torn_at(disk, segment, broken):
            found.reports.append(cut(disk, segment, broken))
            return "torn"
    except OSError:
        pass  # then it is treated like damage, which says what cannot be done
    found.reports.append(salvage(disk, segment))
    return "damaged"


def _places(disk: Disk, folder: Path, found: Found, names: list[str]) -> None:
    for name in names:
        if name.endswith(CURSOR):
            slots = Slots(disk, folder / name)
            three = slots.load()
            if three is None:
                found.reports.append(f"{name}: no intact slot; this destination gets everything again")
            elif slots.exists:
                slots.settle()
            place = Place(slots, *(three or (0, 0, 0)))
            found.highest = max(found.highest, place.released)
            _put(disk, found, place)
            found.places[unquote(name.removesuffix(CURSOR))] = place


def _put(disk: Disk, found: Found, place: Place) -> None:
    """Bring a cursor inside the chain and count what waits for it."""
    segments = found.chain.segments
    if not segments:
        return
    oldest, last = segments[0].first, segments[-1].last
    if place.released and place.released < oldest - 1:
        place.lost += oldest - 1 - place.released
    place.released = min(max(place.released, oldest - 1), last)
    start = found.chain.after(place.released)
    if start is None:
        return
    waiting = [count(disk, start, place.released)] if place.released >= start.first else [start]
    waiting += segments[segments.index(start) + 1 :]
    place.records = sum(part.records for part in waiting)
    place.bytes = sum(part.bytes for part in waiting)


def count(disk: Disk, segment: Segment, after: int) -> Segment | Tally:
    """The records of a segment behind `after`; where damage hides some, all that were there and are not in front of
    `after` for certain."""
    whole, tally = Tally(), Tally()
    try:
        for raws, _ in blocks(disk, segment):
            whole.add(raws)
            tally.add(raws, after)
    except (Damage, OSError):
        # Whoever reads there finds it again, mends it, and takes what is gone for lost out of this count.
        tally.records += segment.records - whole.records
        tally.bytes += segment.bytes - whole.bytes
    return tally


def _number(found: Found, slots: Slots, floor: tuple[int, int, int] | None, whole: bool) -> None:
    """Where numbering goes on (see the head of this file)."""
    segments = found.chain.segments
    last = segments[-1].last if segments else 0
    highest = max(last, found.highest)
    base, reserved = floor[:2] if floor else (1, 1)
    lossy = not whole or last + 1 < base or (floor is None and highest > last)
    found.next_seq = max(highest + 1, base)
    if lossy:
        found.next_seq = max(reserved, highest + 1 + RESERVE if floor is None else highest + 1)
        reserved = found.next_seq + RESERVE
        try:
            slots.save((found.next_seq, reserved, found.epoch), sync=True)
        except OSError as error:
            found.reports.append(f"floor cannot be written ({error.strerror})")
    found.reserved = reserved
