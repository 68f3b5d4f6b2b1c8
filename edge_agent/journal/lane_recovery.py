"""One lane, from whatever was found of it to segments that are whole, and what is missing from it.

What is missing shows where the header of the next segment says more than is there; and in the newest, of which
nothing says how much it held, as broken bytes. Once every destination that loses by it has that in its own file, the
header is put right (`amend`), so that it is not told again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge_agent.journal.disk import Disk
from edge_agent.journal.holes import Hole, holes_in
from edge_agent.journal.lane import LaneName
from edge_agent.journal.place import Place
from edge_agent.journal.record import Definitions
from edge_agent.journal.salvage import cut, salvage, torn_at
from edge_agent.journal.segment import Before, Chain, Damage, Header, Segment, Tally, blocks, first_of, path_of

State = Literal["whole", "torn", "damaged"]
Headers = list[tuple[Path, Header | None]]
"""of the files of a lane, by name; None: not intact"""


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
    """where records were destroyed"""
    amended: dict[Path, Header] = field(default_factory=dict)
    """the headers that say what is true now; not written yet"""
    reports: list[str] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether the newest segment may be appended to."""
        return bool(self.chain.segments) and self.state != "damaged"

    @property
    def last(self) -> int:
        """The newest record's number."""
        return self.chain.segments[-1].last if self.chain.segments else 0

    def fill(self, disk: Disk, headers: Headers, epoch: int) -> None:
        """Put the chain together, mending what needs it."""
        for i, (path, header) in enumerate(headers):
            if i and header:
                header = self._miss(header, path, headers[:i])
            segment = Segment(path, header or Header(epoch, first_of(path.name) or 0, 0, Before()))
            following, follower = headers[i + 1] if i + 1 < len(headers) else (None, None)
            if header is None or follower is None or not _known(disk, segment, follower.before):
                known = len(self.holes)
                self.state, definitions = self._scan(disk, segment, headed=header is not None)
                self.definitions = definitions or self.definitions
                if following:
                    self.holes[known:] = _bounded(self.holes[known:], segment, following, follower)
                if following and follower and follower.before.first == segment.first:
                    amended = follower._replace(before=segment.closed())
                    self.amended[following], headers[i + 1] = amended, (following, amended)
            if segment.size:
                self.chain.segments.append(segment)

    def mend(self, disk: Disk, segment: Segment) -> None:
        """Of the chain, and damaged: put what is intact in its place, and note what is not."""
        place = self.chain.segments.index(segment)
        following = self.chain.segments[place + 1] if place + 1 < len(self.chain.segments) else None
        holes = holes_in(disk, segment)
        self.reports.append(salvage(disk, segment))
        if following:
            holes = _bounded(holes, segment, following.path, following.header)
            if following.header.before.first == segment.first:
                following.header = following.header._replace(before=segment.closed())
                self.amended[following.path] = following.header
        self.holes += holes
        if not segment.size:
            del self.chain.segments[place]

    def _miss(self, header: Header, path: Path, older: Headers) -> Header:
        """Note what is gone if the segment before is not there, though an older one is: it was not evicted."""
        said, firsts = header.before, [first_of(one.name) or 0 for one, _ in older]
        if not said.records or said.first in firsts or said.first < firsts[0]:
            return header
        last = self.last or firsts[0] - 1
        name = path_of(path.parent, said.first).name
        self.reports.append(f"{name} is missing, with {said.records} records")
        self.holes.append(Hole(last, said.records + said.first - 1 - last, said.last + 1))
        gone = said._replace(size=0, records=0, bytes=0, last=said.first - 1)
        self.amended[path] = header._replace(before=gone)
        return self.amended[path]

    def _scan(self, disk: Disk, segment: Segment, *, headed: bool) -> tuple[State, Definitions]:
        """Read a segment whole and mend it."""
        tally = Tally(last=segment.first - 1)
        state: State = "whole"
        try:
            segment.size = disk.size(segment.path)
            if headed:
                for raws, _ in blocks(disk, segment):
                    tally.add(raws)
            else:
                state = self._mend(disk, segment, 0)
        except Damage as damage:
            state = self._mend(disk, segment, damage.offset)
        except OSError:
            state = self._mend(disk, segment, 0)
        if state != "damaged":
            segment.records, segment.bytes = tally.records, tally.bytes
            segment.last, segment.time = tally.last, tally.time
        return state, tally.definitions

    def _mend(self, disk: Disk, segment: Segment, broken: int) -> State:
        try:
            if broken and torn_at(disk, segment, broken):
                self.reports.append(cut(disk, segment, broken))
                return "torn"
        except OSError:
            pass  # then it is treated like damage, which says what cannot be done
        self.holes += holes_in(disk, segment)
        self.reports.append(salvage(disk, segment))
        return "damaged"


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


def _bounded(holes: list[Hole], segment: Segment, following: Path, follower: Header | None) -> list[Hole]:
    """The holes in a segment that another follows: that one says where it ended, and how many records it held."""
    end = first_of(following.name)
    if follower is None or follower.before.first != segment.first:
        return [hole._replace(before=hole.before or end) for hole in holes]
    said = follower.before
    missing = said.records - segment.records
    if missing <= 0:
        return []
    if segment.last < said.last and not (holes and holes[-1].before is None):
        holes = [*holes, Hole(segment.last, missing)]
    return [Hole(one.after, min(one.most, missing), one.before or said.last + 1) for one in holes]
