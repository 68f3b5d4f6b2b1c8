"""Looking at a journal from outside: reads only, takes no lock, may run while an agent writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import pairwise, zip_longest
from pathlib import Path
from urllib.parse import unquote

from edge_agent.journal.disk import Disk
from edge_agent.journal.lane import LANES, LaneName, lane_of
from edge_agent.journal.place import unpacked
from edge_agent.journal.reading import intact_blocks, records_of
from edge_agent.journal.record import OWN, Record, is_torn
from edge_agent.journal.salvage import intact
from edge_agent.journal.segment import (
    ASIDE,
    Before,
    Damage,
    Header,
    Segment,
    Tally,
    blocks,
    first_of,
    path_of,
    read_header,
)
from edge_agent.journal.slots import Slots
from edge_agent.journal.takeover import CURSOR
from edge_agent.journal.wear import FILE, Written, total


@dataclass(slots=True)
class SegmentFacts:
    """One file of a lane's chain; times in ns UTC."""

    lane: LaneName
    name: str
    size: int
    first: int
    last: int
    records: int
    created: int
    newest: int
    """time of the last record; 0 if there is none"""
    follows: bool = False
    """whether another was before it in its lane"""
    damaged_bytes: int = 0
    unfinished_bytes: int = 0
    """behind the last intact record of the newest file: a commit under way, or one that never finished"""
    trouble: str = ""


@dataclass(slots=True)
class CursorFacts:
    """One destination in one lane: what of it is durable."""

    lane: LaneName
    name: str
    released: int
    """everything up to here is done with"""
    ranges: list[tuple[int, int | None]]
    """what is not: behind the first number up to and including the second; None: whatever comes"""
    evicted: int
    lost: int
    backlog_records: int
    """committed and not released"""
    trouble: str = ""


@dataclass(slots=True)
class FolderFacts:
    """A journal."""

    folder: str
    epoch: int = 0
    size: int = 0
    records: int = 0
    first: int = 0
    last: int = 0
    segments: list[SegmentFacts] = field(default_factory=list)
    cursors: list[CursorFacts] = field(default_factory=list)
    aside: dict[str, int] = field(default_factory=dict)
    """files set aside and their sizes"""
    worn: Written = field(default_factory=Written)
    """while it was open in the last days, as it has counted it itself"""

    @property
    def intact(self) -> bool:
        """Whether every record that should be there is."""
        return not any(one.trouble for one in self.segments) and not any(one.trouble for one in self.cursors)


def stat(folder: Path) -> FolderFacts:
    """What is there, from one header per file, and the newest files and those in which a cursor stands whole."""
    return _facts(folder, thorough=False)


def verify(folder: Path) -> FolderFacts:
    """The same, with every byte of every record checked."""
    return _facts(folder, thorough=True)


def records(folder: Path, kinds: Collection[int] | None = None, start_ns: int = 0) -> Iterator[Record]:
    """Every intact record of the agent, of both lanes, in the order of their numbers; only of `kinds`, only
    appended since `start_ns`."""
    disk = Disk()
    lanes = [_records(disk, _that_may_hold(disk, folder, lane, kinds), kinds, start_ns) for lane in LANES]
    return merge(*lanes, key=lambda record: record.seq)


def _that_may_hold(disk: Disk, folder: Path, lane: LaneName, kinds: Collection[int] | None) -> list[Segment]:
    segments = [segment for segment, _ in _segments(disk, folder, lane)]
    if kinds is None or any(LANES[lane_of(kind)] == lane for kind in kinds):
        return segments
    return [segment for segment in segments if segment.header.mixed or not segment.header.epoch]


def _records(
    disk: Disk, segments: list[Segment], kinds: Collection[int] | None, start_ns: int
) -> Iterator[Record]:
    for segment, following in zip_longest(segments, segments[1:]):
        before = following.header.before if following else None
        if before and before.first == segment.first and before.time < start_ns:
            continue
        definitions: dict[int, bytes] = {}
        for raws in intact_blocks(disk, segment):
            for record in records_of(raws, definitions):
                wanted = record.kind not in OWN if kinds is None else record.kind in kinds
                if wanted and record.time >= start_ns:
                    yield record


def _files(disk: Disk, folder: Path, lane: LaneName) -> list[Path]:
    """A lane's files, by name; those of a journal that was one chain and is not taken over yet are samples'."""
    homes = [folder / lane, folder] if lane == "samples" else [folder / lane]
    found: list[Path] = []
    for home in homes:
        try:
            found += [home / name for name in disk.names(home)]
        except FileNotFoundError:
            continue
    return sorted(found, key=lambda path: path.name)


def _segments(disk: Disk, folder: Path, lane: LaneName) -> list[tuple[Segment, str]]:
    """Each file as far as its name, header and size tell, with what is wrong with it."""
    found: list[tuple[Segment, str]] = []
    for path in _files(disk, folder, lane):
        if (first := first_of(path.name)) is None:
            continue
        trouble = ""
        header = Header(0, first, 0, Before())
        try:
            size = disk.size(path)
            header = read_header(disk, path)
        except FileNotFoundError:
            continue  # evicted while we looked
        except Damage:
            trouble = "no intact header"
        except OSError as error:
            size, trouble = 0, f"cannot be read: {error.strerror}"
        found.append((Segment(path, header, size, last=first - 1), trouble))
    for (segment, _), (following, _) in pairwise(found):
        before = following.header.before
        if before.first == segment.first and segment.size >= before.size:
            segment.size, segment.records = before.size, before.records
            segment.last, segment.time = before.last, before.time
    return found


def _facts(folder: Path, *, thorough: bool) -> FolderFacts:
    disk, facts = Disk(), FolderFacts(str(folder))
    newest = Header(0, 0, 0, Before())
    for lane in LANES:
        segments = _segments(disk, folder, lane)
        mine = [_segment_facts(disk, lane, segments, i, thorough=thorough) for i in range(len(segments))]
        newest = max([newest, *(segment.header for segment, _ in segments)], key=lambda header: header.first)
        facts.segments += mine
        files = _files(disk, folder, lane)
        facts.aside |= {f"{lane}/{path.name}": disk.size(path) for path in files if path.name.endswith(ASIDE)}
        facts.cursors += [_cursor(disk, lane, path, segments, mine) for path in files if path.name.endswith(CURSOR)]
    facts.size = sum(one.size for one in facts.segments) + sum(facts.aside.values())
    facts.records = sum(one.records for one in facts.segments)
    facts.worn = total(Slots(disk, folder / FILE).load() or ())
    facts.epoch = newest.epoch
    facts.first = min((one.first for one in facts.segments), default=0)
    facts.last = max((one.last for one in facts.segments), default=0)
    return facts


def _segment_facts(
    disk: Disk, lane: LaneName, segments: list[tuple[Segment, str]], i: int, *, thorough: bool
) -> SegmentFacts:
    (segment, trouble), newest = segments[i], i + 1 == len(segments)
    facts = SegmentFacts(
        lane, segment.path.name, segment.size, segment.first, segment.last, segment.records,
        segment.header.created, segment.time, bool(segment.header.before.first), trouble=trouble,
    )  # fmt: skip
    if not trouble and (thorough or not segment.records or newest):
        _look_through(disk, segment, facts, newest=newest)
    if not newest and not facts.trouble:
        said = segments[i + 1][0].header.before
        if said.first == segment.first and facts.records < said.records:
            facts.trouble = f"{said.records - facts.records} records fewer than when it was closed"
    if not facts.trouble and (missing := _missing(segments, i)):
        facts.trouble = missing
    return facts


def _missing(segments: list[tuple[Segment, str]], i: int) -> str:
    """What is gone before a segment, though an older one is there: it was not evicted."""
    said, path = segments[i][0].header.before, segments[i][0].path
    firsts = [segment.first for segment, _ in segments[:i]]
    if not firsts or not said.records or said.first in firsts or said.first < firsts[0]:
        return ""
    if not segments[0][0].path.exists():
        return ""  # evicted while we looked, and that one behind it
    return f"{path_of(path.parent, said.first).name} before it is missing, with {said.records} records"


def _look_through(disk: Disk, segment: Segment, facts: SegmentFacts, *, newest: bool) -> None:
    tally = Tally(last=segment.first - 1)
    try:
        for raws, _ in blocks(disk, segment):
            tally.add(raws)
    except Damage as damage:
        data = disk.read(segment.path, damage.offset, segment.size - damage.offset)
        if newest and is_torn(data, 0, segment.header.salt):
            facts.unfinished_bytes = len(data)
        else:
            rest, facts.damaged_bytes = intact(data, 0, segment.header.salt)
            tally.add(rest)
            facts.trouble = f"damaged at byte {damage.offset}"
    except FileNotFoundError:
        facts.trouble = ""
        return
    except OSError as error:
        facts.trouble = f"cannot be read: {error.strerror}"
        return
    facts.records, facts.last, facts.newest = tally.records, tally.last, tally.time


def _cursor(
    disk: Disk, lane: LaneName, path: Path, segments: list[tuple[Segment, str]], facts: list[SegmentFacts]
) -> CursorFacts:
    slots = Slots(disk, path)
    numbers = slots.load()
    place = unpacked(slots, numbers)
    ranges = [(one.released, one.end) for one in place.stretches]
    waiting = sum(
        _up_to(disk, segment, one, end) - _up_to(disk, segment, one, released)
        for (segment, _), one in zip(segments, facts, strict=True)
        for released, end in ranges
    )
    return CursorFacts(
        lane, unquote(path.name.removesuffix(CURSOR)), place.stretches[0].released, ranges, place.evicted, place.lost,
        waiting, "" if numbers else "no intact slot",
    )  # fmt: skip


def _up_to(disk: Disk, segment: Segment, facts: SegmentFacts, seq: int | None) -> int:
    """How many of a segment's records have this number or a lower one."""
    if seq is None or seq >= facts.last:
        return facts.records
    if seq < facts.first:
        return 0
    return sum(raw[0] <= seq and raw[1] not in OWN for raws in intact_blocks(disk, segment) for raw in raws)
