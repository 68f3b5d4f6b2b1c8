"""Looking at a journal from outside: reads only, takes no lock, may run while an agent writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from pathlib import Path
from urllib.parse import unquote

from edge_agent.journal.disk import Disk
from edge_agent.journal.reading import intact_blocks, records_of
from edge_agent.journal.record import OWN, Record, is_torn
from edge_agent.journal.recovery import CURSOR, aside
from edge_agent.journal.salvage import intact
from edge_agent.journal.segment import Before, Damage, Header, Segment, Tally, blocks, first_of, read_header
from edge_agent.journal.slots import Slots


@dataclass(slots=True)
class SegmentFacts:
    """One file of the chain; times in ns UTC."""

    name: str
    size: int
    first: int
    last: int
    records: int
    created: int
    newest: int
    """time of the last record; 0 if there is none"""
    damaged_bytes: int = 0
    unfinished_bytes: int = 0
    """behind the last intact record of the newest file: a commit under way, or one that never finished"""
    trouble: str = ""


@dataclass(slots=True)
class CursorFacts:
    """One destination: what of it is durable."""

    name: str
    released: int
    evicted: int
    lost: int
    backlog_records: int
    """committed and not released; within one segment counted by sequence number"""
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

    @property
    def intact(self) -> bool:
        """Whether every record that should be there is."""
        return not any(one.trouble for one in self.segments) and not any(one.trouble for one in self.cursors)


def stat(folder: Path) -> FolderFacts:
    """What is there, from one header per file and the newest file whole."""
    return _facts(folder, thorough=False)


def verify(folder: Path) -> FolderFacts:
    """The same, with every byte of every record checked."""
    return _facts(folder, thorough=True)


def records(folder: Path, kinds: Collection[int] | None = None, start_ns: int = 0) -> Iterator[Record]:
    """Every intact record of the agent, oldest first; only of `kinds`, only appended since `start_ns`."""
    disk = Disk()
    segments = [segment for segment, _ in _segments(disk, folder)]
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


def _segments(disk: Disk, folder: Path) -> list[tuple[Segment, str]]:
    """Each file as far as its name, header and size tell, with what is wrong with it."""
    found: list[tuple[Segment, str]] = []
    for name in disk.names(folder):
        if (first := first_of(name)) is None:
            continue
        path, trouble = folder / name, ""
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
    segments = _segments(disk, folder)
    for i, (segment, trouble) in enumerate(segments):
        newest = i + 1 == len(segments)
        one = SegmentFacts(
            segment.path.name, segment.size, segment.first, segment.last, segment.records,
            segment.header.created, segment.time, trouble=trouble,
        )  # fmt: skip
        if not trouble and (thorough or not segment.records or newest):
            _look_through(disk, segment, one, newest=newest)
        facts.segments.append(one)
    facts.aside = {path.name: size for path, size in aside(disk, folder)}
    facts.size = sum(one.size for one in facts.segments) + sum(facts.aside.values())
    facts.records = sum(one.records for one in facts.segments)
    if facts.segments:
        facts.first, facts.last = facts.segments[0].first, facts.segments[-1].last
        facts.epoch = segments[-1][0].header.epoch
    facts.cursors = _cursors(disk, folder, facts.segments)
    return facts


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
    if tally.records < segment.records and not facts.trouble:
        facts.trouble = f"{segment.records - tally.records} records fewer than when it was closed"
    facts.records, facts.last, facts.newest = tally.records, tally.last, tally.time


def _cursors(disk: Disk, folder: Path, segments: list[SegmentFacts]) -> list[CursorFacts]:
    found: list[CursorFacts] = []
    for name in disk.names(folder):
        if not name.endswith(CURSOR):
            continue
        three = Slots(disk, folder / name).load()
        released, evicted, lost = three or (0, 0, 0)
        waiting = sum(_behind(segment, released) for segment in segments)
        trouble = "" if three else "no intact slot"
        known_as = unquote(name.removesuffix(CURSOR))
        found.append(CursorFacts(known_as, released, evicted, lost, waiting, trouble))
    return found


def _behind(segment: SegmentFacts, released: int) -> int:
    return min(segment.records, max(segment.last - released, 0))
