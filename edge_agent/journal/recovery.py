"""Opening a journal: from whatever a crash, a power cut or a worn card left to lanes that are whole.

Never refuses because of content. What was intact is kept; what was not is set aside and told.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from edge_agent.journal.disk import Disk
from edge_agent.journal.gaps import Loss
from edge_agent.journal.holes import Hole, holes_in, numbers_in, tell
from edge_agent.journal.lane import LANES, LaneName
from edge_agent.journal.numbering import RESERVE, Floor, floor_of, next_number
from edge_agent.journal.place import Place, Stretch, unpacked
from edge_agent.journal.record import Definitions
from edge_agent.journal.salvage import cut, salvage, torn_at
from edge_agent.journal.segment import (
    ASIDE,
    Amount,
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
from edge_agent.journal.takeover import CURSOR, prepare

State = Literal["whole", "torn", "damaged"]


@dataclass(slots=True)
class FoundLane:
    """A lane as it was found and put in order."""

    name: LaneName
    folder: Path
    chain: Chain = field(default_factory=Chain)
    state: State = "whole"
    """of its end"""
    definitions: Definitions = field(default_factory=dict)
    """those the newest segment holds"""
    places: dict[str, Place] = field(default_factory=dict)
    holes: list[Hole] = field(default_factory=list)
    """where records were destroyed of which nothing says how many"""

    @property
    def goes_on(self) -> bool:
        """Whether the newest segment may be appended to."""
        return bool(self.chain.segments) and self.state != "damaged"

    @property
    def last(self) -> int:
        """The newest record's number."""
        return self.chain.segments[-1].last if self.chain.segments else 0


@dataclass(slots=True)
class Found:
    """A journal as it was found and put in order."""

    lanes: list[FoundLane] = field(default_factory=list)
    floor: Floor = field(default_factory=Floor)
    next_seq: int = 1
    reports: list[str] = field(default_factory=list)

    @property
    def definitions(self) -> Definitions:
        """Of both lanes; where one key means two things, what it means in the newer segment."""
        newest = sorted(self.lanes, key=lambda lane: lane.last)
        return {key: said for lane in newest for key, said in lane.definitions.items()}


def cursor_path(folder: Path, name: str) -> Path:
    """Of the cursor `name` in the folder of its lane."""
    return folder / (quote(name, safe="") + CURSOR)


def recover(disk: Disk, folder: Path) -> Found:
    """Put the journal in `folder` in order; blocks; reads one header per segment and the newest of each lane whole."""
    found = Found()
    prepare(disk, folder)
    slots = Slots(disk, folder / "floor")
    found.floor = floor_of(slots.load())
    _sweep(disk, folder)
    headers = {}
    for name in LANES:
        _sweep(disk, folder / name)
        found.lanes.append(FoundLane(name, folder / name))
        headers[name] = _headers(disk, folder / name)
    found.floor.epoch = _epoch([one for name in LANES for one in headers[name]], found.floor.epoch)
    for lane in found.lanes:
        _chain(disk, found, lane, headers[lane.name])
        lane.chain.aside = aside(disk, lane.folder)
    highest = max(_places(disk, found, lane) for lane in found.lanes)
    for lane, other in (found.lanes, found.lanes[::-1]):
        _tell_of_holes(disk, lane, other)
    _number(found, slots, highest)
    return found


def aside(disk: Disk, folder: Path) -> list[tuple[Path, int]]:
    """The files set aside, oldest first, with their sizes."""
    paths = [folder / name for name in disk.names(folder) if name.endswith(ASIDE)]
    return [(path, disk.size(path)) for path in paths]


def _sweep(disk: Disk, folder: Path) -> None:
    for name in disk.names(folder):
        if name.endswith(".new"):
            try:
                disk.remove(folder / name)
            except OSError:
                pass  # a half-made file does no harm; the next of this name replaces it


def _headers(disk: Disk, folder: Path) -> list[tuple[Path, Header | None]]:
    headers: list[tuple[Path, Header | None]] = []
    for name in disk.names(folder):
        if first_of(name) is not None:
            try:
                headers.append((folder / name, read_header(disk, folder / name)))
            except (Damage, OSError):
                headers.append((folder / name, None))
    return headers


def _epoch(headers: list[tuple[Path, Header | None]], remembered: int) -> int:
    """The newest segment's, else the one `floor` remembers, else a new one."""
    known = [header for _, header in headers if header]
    return max(known, key=lambda header: header.first).epoch if known else remembered or secrets.randbits(63) | 1


def _chain(disk: Disk, found: Found, lane: FoundLane, headers: list[tuple[Path, Header | None]]) -> None:
    """Fill the lane's chain."""
    for i, (path, header) in enumerate(headers):
        follower = headers[i + 1][1] if i + 1 < len(headers) else None
        segment = Segment(path, header or Header(found.floor.epoch, first_of(path.name) or 0, 0, Before()))
        if header is None or follower is None or not _known(disk, segment, follower.before):
            lane.state, definitions = _scan(disk, found, lane, segment, headed=header is not None)
            if lane.holes and lane.holes[-1].before is None and i + 1 < len(headers):
                lane.holes[-1] = lane.holes[-1]._replace(before=first_of(headers[i + 1][0].name))
            lane.definitions = definitions or lane.definitions
        if segment.size:
            lane.chain.segments.append(segment)


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
    disk: Disk, found: Found, lane: FoundLane, segment: Segment, *, headed: bool
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
            state = _mend(disk, found, lane, segment, 0)
    except Damage as damage:
        state = _mend(disk, found, lane, segment, damage.offset)
    except OSError:
        state = _mend(disk, found, lane, segment, 0)
    if state != "damaged":
        segment.records, segment.bytes = tally.records, tally.bytes
        segment.last, segment.time = tally.last, tally.time
    return state, tally.definitions


def _mend(disk: Disk, found: Found, lane: FoundLane, segment: Segment, broken: int) -> State:
    try:
        if broken and torn_at(disk, segment, broken):
            found.reports.append(cut(disk, segment, broken))
            return "torn"
    except OSError:
        pass  # then it is treated like damage, which says what cannot be done
    lane.holes += holes_in(disk, segment)
    found.reports.append(salvage(disk, segment))
    return "damaged"


def _tell_of_holes(disk: Disk, lane: FoundLane, other: FoundLane) -> None:
    """Note with each destination what it will never get, at most."""
    for after, most, before in lane.holes:
        hole = after + 1, (before or max(after + 2, lane.last + 1, other.last + 1)) - 1
        others = numbers_in(disk, other.chain.segments, hole)
        for place in lane.places.values():
            tell(place, hole, most, others)


def _places(disk: Disk, found: Found, lane: FoundLane) -> int:
    """Fill the lane's places; returns the furthest any of them claims to have come."""
    highest = 0
    for name in disk.names(lane.folder):
        if name.endswith(CURSOR):
            slots = Slots(disk, lane.folder / name)
            numbers = slots.load()
            if numbers is None:
                found.reports.append(f"{lane.name}/{name}: no intact slot; this destination gets everything again")
            elif slots.exists:
                slots.settle()
            place = unpacked(slots, numbers)
            highest = max(highest, place.highest)
            put(disk, lane.chain, place)
            lane.places[unquote(name.removesuffix(CURSOR))] = place
    return highest


def put(disk: Disk, chain: Chain, place: Place) -> None:
    """Bring a place inside the chain, and find its stretches' places on the ruler."""
    if not chain.segments:
        place.stretches = place.stretches[-1:]
        return
    before, last = chain.segments[0].first - 1, chain.segments[-1].last
    inside: list[Stretch] = []
    for released, end, *_ in place.stretches:
        if released and released < before:
            # At most: among these numbers are those of the other lane, and some that were never given out.
            last_gone = min(before, end or before)
            place.lost += last_gone - released
            place.gaps.note("damage", Loss(released + 1, last_gone, last_gone - released, 0, 0))
        if end is not None and min(end, last) <= before:
            continue
        released = min(max(released, before), last)
        if end is not None and released >= min(end, last):
            continue
        end = None if end is None else min(end, last)
        top = None if end is None else on_ruler(disk, chain, end)
        inside.append(Stretch(released, end, on_ruler(disk, chain, released), top))
    place.stretches = inside


def on_ruler(disk: Disk, chain: Chain, seq: int) -> Amount:
    """How much lies in the chain up to and including `seq`; where damage hides some, what is there for certain."""
    segment = chain.after(seq)
    if segment is None:
        return chain.total
    begins = chain.until(segment)
    if seq < segment.first:
        return begins
    tally = Tally()
    try:
        for raws, _ in blocks(disk, segment):
            tally.add([raw for raw in raws if raw[0] <= seq])
            if raws[-1][0] > seq:
                break
    except (Damage, OSError):
        # Whoever reads there finds it again, mends it, and takes what is gone for lost out of the backlog.
        pass
    return begins.plus(Amount(tally.records, tally.bytes))


def _number(found: Found, slots: Slots, highest: int) -> None:
    """Where numbering goes on (see `numbering.py`)."""
    whole = all(lane.state == "whole" for lane in found.lanes)
    lasts = (found.lanes[0].last, found.lanes[1].last)
    found.next_seq, lossy = next_number(found.floor, lasts, highest, whole=whole)
    if lossy:
        # What is gone is no reason to skip numbers again when this is next opened.
        found.floor.bases = (min(found.floor.bases[0], lasts[0] + 1), min(found.floor.bases[1], lasts[1] + 1))
        found.floor.least, found.floor.reserved = found.next_seq, found.next_seq + RESERVE
        try:
            slots.save(found.floor.numbers(), sync=True)
        except OSError as error:
            found.reports.append(f"floor cannot be written ({error.strerror})")
