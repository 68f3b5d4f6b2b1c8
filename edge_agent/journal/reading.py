"""Reading committed records from disk, each with its definition; blocks, so done in the journal's thread."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from edge_agent.journal.disk import Disk
from edge_agent.journal.record import OWN, Raw, Record, RecordKind, defined
from edge_agent.journal.salvage import intact
from edge_agent.journal.segment import HEADER_SIZE, Damage, Segment, blocks

NOT_IN_TAIL = OWN | {int(RecordKind.SAMPLES)}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in which segment to read on, and the definitions in force there."""

    segment: Segment
    offset: int = HEADER_SIZE
    definitions: dict[int, bytes] = field(default_factory=dict)


def read_on(disk: Disk, segment: Segment, spot: Spot, after: int) -> tuple[list[Record], Spot]:
    """The next block that holds records behind `after`; none at the end of the segment.

    `segment` is a copy of the spot's as it was when the reading was ordered. Raises `Damage` or OSError.
    """
    definitions, offset = dict(spot.definitions), spot.offset
    for raws, behind in blocks(disk, segment, offset):
        offset = behind
        records = [r for r in records_of(raws, definitions) if r.seq > after and r.kind not in OWN]
        if records:
            return records, Spot(spot.segment, offset, definitions)
    return [], Spot(spot.segment, offset, definitions)


def since_checkpoint(disk: Disk, segments: Sequence[Segment], kinds: Collection[int] | None) -> list[Record]:
    """The newest intact checkpoint and everything behind it but samples; all there is if there is none.

    `segments` as they are to be looked through, the newest last. Bodies of kinds not asked for are not kept.
    Reads across damage.
    """
    stretches: list[list[Record]] = []
    for segment in reversed(segments):
        stretch, found = _tail_of(disk, segment, kinds)
        stretches.append(stretch)
        if found:
            break
    return [record for stretch in reversed(stretches) for record in stretch]


def _tail_of(disk: Disk, segment: Segment, kinds: Collection[int] | None) -> tuple[list[Record], bool]:
    stretch: list[Record] = []
    definitions: dict[int, bytes] = {}
    found = False
    for raws in intact_blocks(disk, segment):
        for record in records_of(raws, definitions):
            if record.kind == RecordKind.CHECKPOINT:
                stretch, found = [record], True
            elif record.kind not in NOT_IN_TAIL and (kinds is None or record.kind in kinds):
                stretch.append(record)
    return stretch, found


def intact_blocks(disk: Disk, segment: Segment) -> Iterator[list[Raw]]:
    """Everything intact in a segment, across damage."""
    offset = HEADER_SIZE
    try:
        for raws, behind in blocks(disk, segment):
            yield raws
            offset = behind
    except Damage:
        data = disk.read(segment.path, offset, segment.size - offset)
        yield intact(data, 0, segment.header.salt)[0]
    except OSError:
        return  # deleted behind our back, or unreadable: what came before it still counts


def records_of(raws: list[Raw], definitions: dict[int, bytes]) -> Iterator[Record]:
    """With the definition in force where each stands; `definitions` is carried on."""
    for seq, kind, key, time, body in raws:
        if kind == RecordKind.DEFINITION:
            definitions[key] = defined(body)[1]
        yield Record(seq, kind, key, time, body, definitions.get(key) if key else None)
