"""A lane: a chain of segments of its own, so that what is few and valuable never waits behind what is much.

    events    states, reports, sums of lines and areas, events, alarms, gaps, signs of life; and the checkpoints
    samples   the samples

Both share one counter of sequence numbers, one thread and one commit; so a lane's numbers skip those of
the other, and the records of both in the order of their numbers are what was appended.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from edge_agent.journal.recent import Recent
from edge_agent.journal.record import Raw, RecordKind
from edge_agent.journal.segment import Chain, Segment

if TYPE_CHECKING:
    from edge_agent.journal.cursor import Cursor

LaneName = Literal["events", "samples"]

# In the order in which a commit writes them: samples without the event that gives them their meaning
# are worth less than the event without them.
LANES: Final[tuple[LaneName, LaneName]] = ("events", "samples")
EVENTS, SAMPLES = range(2)


def lane_of(kind: int) -> int:
    """The lane that a record of this kind is appended to."""
    return SAMPLES if kind == RecordKind.SAMPLES else EVENTS


class Lane:
    """One of the two, as the event loop sees it."""

    def __init__(self, name: LaneName, folder: Path, chain: Chain, recent_bytes: int, *, goes_on: bool) -> None:
        self.name: LaneName = name
        self.folder = folder
        self.chain = chain
        self.committed = next((segment.last for segment in reversed(chain.segments) if segment.records), 0)
        """the last durable sequence number in this lane; 0 before the first"""
        self.active: Segment | None = chain.segments[-1] if goes_on else None
        """the segment that may be appended to"""
        self.recent = Recent(recent_bytes, self.committed)
        self.cursors: dict[str, Cursor] = {}
        """all that exist, by destination, whether anyone reads them or not"""

    def replace(self, segment: Segment) -> None:
        """A new segment, which is appended to from now on."""
        segments = self.chain.segments
        if segments and segments[-1].first == segment.first:
            segments.pop()  # it held nothing but its head, and was replaced under its name
        segments.append(segment)
        self.active = segment

    def grew(self, segment: Segment, fresh: list[Raw], size: int) -> None:
        """These records were committed to `segment`, `size` bytes with their heads."""
        segment.records += len(fresh)
        segment.bytes += size
        self.committed = segment.last = fresh[-1][0]
        segment.time = fresh[-1][3]
        self.recent.add(fresh, size)
        for cursor in self.cursors.values():
            cursor.wake()
