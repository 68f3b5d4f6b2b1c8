"""A journal's facts as tables: its segments, its cursors, what it writes a day, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from edge_agent.core.quantity import format_bytes
from edge_agent.encode.kpi_record import iso
from edge_agent.journal import LANES, FolderFacts, RecordKind, records
from edge_agent.journal.lane import lane_of

_DAY: Final = 86_400
_S: Final = 1_000_000_000
# A rate taken from less than ten minutes would tell of the start, not of the plant.
_LEAST_S: Final = 600


@dataclass(frozen=True, slots=True)
class Wear:
    """What the journal writes, and what is left of it."""

    bytes_a_day: int | None
    """as it has counted it itself while it was open, whole pages, all files; None: too young to tell"""
    bytes_a_year: int | None
    """to be held against what the medium stands"""
    full_in_days: float | None
    """until `max_size` is reached and the oldest go; None: never, for they are `max_age` old before"""

    @classmethod
    def of(cls, facts: FolderFacts, max_size: int, max_age_ns: int) -> Wear:
        """From the facts, and the caps in the site file."""
        a_day = facts.worn.a_day
        newest = max((one.newest for one in facts.segments), default=0)
        span_s = (newest - min((one.created for one in facts.segments), default=0)) / _S
        if a_day is None or span_s < _LEAST_S:
            return cls(None, None, None)
        worn = round(a_day), round(a_day * 365)
        kept_a_day = sum(one.size for one in facts.segments) / span_s * _DAY
        if kept_a_day * (max_age_ns / _S / _DAY) < max_size:
            return cls(*worn, None)
        return cls(*worn, max(0.0, round((max_size - facts.size) / kept_a_day, 2)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return asdict(self)


def oldest_waiting(folder: Path, facts: FolderFacts) -> dict[tuple[str, str], int]:
    """By lane and name of a cursor that has a backlog: when the oldest record that waits was appended, ns UTC."""
    found: dict[tuple[str, str], int] = {}
    for cursor in facts.cursors:
        behind = [one for one in facts.segments if one.lane == cursor.lane and one.last > cursor.released]
        if not cursor.backlog_records or not behind:
            continue
        kinds = [kind for kind in RecordKind if LANES[lane_of(kind)] == cursor.lane]
        waiting = (
            record.time
            for record in records(folder, kinds, min(one.created for one in behind))
            if any(start < record.seq and (end is None or record.seq <= end) for start, end in cursor.ranges)
        )
        if (oldest := next(waiting, None)) is not None:
            found[cursor.lane, cursor.name] = oldest
    return found


def overview(
    facts: FolderFacts, wear: Wear, waiting: Mapping[tuple[str, str], int], now_ns: int, zone: ZoneInfo
) -> Iterator[str]:
    """The lines of `journal stat`."""
    yield f"{facts.folder}: {facts.records:,} records, {format_bytes(facts.size)}"
    yield from table(
        ("segment", "records", "size", "first", "last", "from", "until", ""),
        [
            (
                f"{one.lane}/{one.name}", f"{one.records:,}", format_bytes(one.size), str(one.first), str(one.last),
                _at(one.created, zone), _at(one.newest, zone), one.trouble,
            )
            for one in facts.segments
        ],
    )  # fmt: skip
    yield ""
    yield from table(
        ("destination", "lane", "waiting", "oldest", "released", "evicted", "lost", ""),
        [
            (
                one.name, one.lane, f"{one.backlog_records:,}", age(now_ns, waiting.get((one.lane, one.name))),
                str(one.released), f"{one.evicted:,}", f"{one.lost:,}", one.trouble,
            )
            for one in facts.cursors
        ],
    )  # fmt: skip
    yield ""
    for name, held in facts.aside.items():
        yield f"set aside: {name}, {format_bytes(held)}"
    if wear.bytes_a_day is None:
        yield "written a day: not known yet, the journal is too young"
        return
    full = "older records go by journal.max_age before journal.max_size is reached"
    if wear.full_in_days is not None:
        full = f"journal.max_size is reached in {wear.full_in_days:g} days; then the oldest go"
    yield f"written a day: {format_bytes(wear.bytes_a_day)}, a year: {format_bytes(wear.bytes_a_year or 0)}; {full}"


def troubles(facts: FolderFacts) -> Iterator[str]:
    """The lines of `journal verify`: every place that is not as it was written, or that there is none."""
    for segment in facts.segments:
        place = f"{segment.lane}/{segment.name}"
        if segment.trouble:
            yield f"{place}: {segment.trouble}"
        if segment.unfinished_bytes:
            yield f"{place}: {segment.unfinished_bytes} bytes of a commit that is not finished, which is no fault"
    for cursor in facts.cursors:
        if cursor.trouble:
            yield f"{cursor.lane}, destination {cursor.name}: {cursor.trouble}"
    for name, held in facts.aside.items():
        yield f"{name}: {format_bytes(held)} set aside earlier"
    if facts.intact:
        yield f"{facts.folder}: intact, {facts.records:,} records in {len(facts.segments)} segments"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns aligned; only the head if there are no lines."""
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    for line in (head, *lines):
        yield "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()


def age(now_ns: int, then_ns: int | None) -> str:
    """`3h 12min`, `` if nothing waits."""
    if then_ns is None:
        return ""
    s = max(0, now_ns - then_ns) // _S
    days, hours, minutes = s // _DAY, s // 3600 % 24, s // 60 % 60
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes}min" if hours else f"{minutes}min {s % 60}s" if minutes else f"{s}s"


def _at(time_ns: int, zone: ZoneInfo) -> str:
    return iso(time_ns // _S * _S, zone) if time_ns else ""
