"""Opening a journal: from whatever a crash, a power cut or a worn card left to lanes that are whole.

Never refuses because of content. What was intact is kept; what was not is set aside and told.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

from edge_agent.journal.disk import Disk
from edge_agent.journal.holes import numbers_in, tell
from edge_agent.journal.lane import EVENTS, LANES
from edge_agent.journal.lane_recovery import FoundLane, Headers
from edge_agent.journal.numbering import RESERVE, Floor, floor_of, next_number
from edge_agent.journal.placing import place_all
from edge_agent.journal.record import Definitions
from edge_agent.journal.salvage import amend
from edge_agent.journal.segment import ASIDE, Damage, first_of, read_header
from edge_agent.journal.slots import Numbers, Slots
from edge_agent.journal.takeover import CURSOR, prepare
from edge_agent.journal.wear import FILE


@dataclass(slots=True)
class Found:
    """A journal as it was found and put in order."""

    floor_file: Slots
    wear_file: Slots
    lanes: list[FoundLane] = field(default_factory=list)
    floor: Floor = field(default_factory=Floor)
    next_seq: int = 1
    reports: list[str] = field(default_factory=list)
    worn: Numbers | None = None
    """what `wear` says"""

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
    prepare(disk, folder)
    found = Found(Slots(disk, folder / "floor"), Slots(disk, folder / FILE))
    found.floor = floor_of(found.floor_file.load())
    found.worn = found.wear_file.load()
    _sweep(disk, folder)
    headers = {}
    for name in LANES:
        _sweep(disk, folder / name)
        found.lanes.append(FoundLane(name, folder / name))
        headers[name] = _headers(disk, folder / name)
    found.floor.epoch = _epoch([one for name in LANES for one in headers[name]], found.floor.epoch)
    for lane in found.lanes:
        lane.fill(disk, headers[lane.name], found.floor.epoch)
        lane.chain.aside = aside(disk, lane.folder)
    highest = max(place_all(disk, lane) for lane in found.lanes)
    for lane, other in (found.lanes, found.lanes[::-1]):
        for destination, place in lane.places.items():
            place.gaps.unheard(partial(_is_gone, disk, found.lanes[EVENTS], destination))
        _tell_of_holes(disk, lane, other)
    for lane in found.lanes:
        _settle_holes(disk, lane, found.lanes)
        found.reports += lane.reports
    _number(found, highest)
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


def _headers(disk: Disk, folder: Path) -> Headers:
    headers: Headers = []
    for name in disk.names(folder):
        if first_of(name) is not None:
            try:
                headers.append((folder / name, read_header(disk, folder / name)))
            except (Damage, OSError):
                headers.append((folder / name, None))
    return headers


def _epoch(headers: Headers, remembered: int) -> int:
    """The newest segment's, else the one `floor` remembers, else a new one."""
    known = [header for _, header in headers if header]
    return max(known, key=lambda header: header.first).epoch if known else remembered or secrets.randbits(63) | 1


def _tell_of_holes(disk: Disk, lane: FoundLane, other: FoundLane) -> None:
    """Note with each destination what it will never get, at most."""
    for after, most, before in lane.holes:
        hole = after + 1, (before or max(after + 2, lane.last + 1, other.last + 1)) - 1
        others = numbers_in(disk, other.chain.segments, hole)
        for place in lane.places.values():
            tell(place, hole, most, others)


def _is_gone(disk: Disk, events: FoundLane, destination: str, seq: int) -> bool:
    """Whether the event that was to tell a destination what it lost is not there, and was not heard."""
    segments = events.chain.segments
    if seq > events.last:
        return True     # never written
    place = events.places.get(destination)
    if place is None or seq <= place.done:
        return False
    doubtful = any(after < seq < (before or seq + 1) for after, _, before in events.holes)
    return seq < segments[0].first or (doubtful and not numbers_in(disk, segments, (seq, seq)))


def _settle_holes(disk: Disk, lane: FoundLane, lanes: list[FoundLane]) -> None:
    """Make durable first what destinations are to be told, then the headers that else would have it told again."""
    try:
        if lane.holes:
            for place in (place for one in lanes for place in one.places.values()):
                place.slots.save(place.numbers(), sync=True)
        for path, header in lane.amended.items():
            amend(disk, path, header)
    except OSError as error:
        lane.reports.append(f"{lane.name}: what is missing may be told again after a restart ({error.strerror})")


def _number(found: Found, highest: int) -> None:
    """Where numbering goes on (see `numbering.py`)."""
    whole = all(lane.state == "whole" for lane in found.lanes)
    lasts = (found.lanes[0].last, found.lanes[1].last)
    found.next_seq, lossy = next_number(found.floor, lasts, highest, whole=whole)
    if lossy:
        # What is gone is no reason to skip numbers again when this is next opened.
        found.floor.bases = (min(found.floor.bases[0], lasts[0] + 1), min(found.floor.bases[1], lasts[1] + 1))
        found.floor.least, found.floor.reserved = found.next_seq, found.next_seq + RESERVE
        try:
            found.floor_file.save(found.floor.numbers(), sync=True)
        except OSError as error:
            found.reports.append(f"floor cannot be written ({error.strerror})")
