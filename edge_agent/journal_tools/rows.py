"""Records of a journal as rows for people and other programs: flat for samples and states, else as published.

    samples   time, tag, value, quality, reason, seq: what `edge-agent replay` takes as history
    state     time, machine, state, reason, seq
    kpi       KPI records of windows, final or revised, as in MQTT, with seq
    rollup    the same of lines, areas and the site
    alarm     alarms, each time one has changed, with device and seq
    gap       what a destination will never get, with seq: lane, first and last seq, records, start, end, why
    event     what the agent keeps to go on after a restart, as it is written, with time and seq

Times are ISO 8601 in the agent's zone, with offset and every digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from edge_agent.core.quality import class_name, reason_name
from edge_agent.core.report import Samples
from edge_agent.core.tags import Kind
from edge_agent.encode import columns, json_alarms, json_samples, records
from edge_agent.encode.kpi_record import exact, iso, kpi_record
from edge_agent.encode.rollup_body import unpack_rollup
from edge_agent.encode.rollup_record import rollup_record
from edge_agent.journal import Record, RecordKind
from edge_agent.journal import records as journal_records

Row = dict[str, Any]

# A device's clock may be ahead of the gateway's; by more than a day its times are no use to anyone.
AHEAD_NS: Final = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of a kind, from `start` until before `end` (ns UTC; None: all), of these tags (none: of all)."""

    kind: str
    start: int | None
    end: int | None
    tags: tuple[str, ...]
    zone: ZoneInfo

    def at(self, time_ns: int) -> bool:
        """Whether it falls into the time asked for."""
        return (self.start is None or time_ns >= self.start) and (self.end is None or time_ns < self.end)

    def tag(self, name: str) -> bool:
        """Whether the tag is asked for."""
        return not self.tags or any(fnmatchcase(name, pattern) for pattern in self.tags)


def rows(folder: Path, wanted: Wanted) -> Iterator[Row]:
    """In the order of the journal. A record that cannot be read is passed over as the agent does, and shown as such:
    `{"seq": …, "unreadable": "why"}`."""
    kind, make = KINDS[wanted.kind]
    start = 0 if wanted.start is None else wanted.start - AHEAD_NS
    for record in journal_records(folder, {kind}, start):
        try:
            found = list(make(record, wanted))
        except Exception as problem:  # damaged in spite of its check sum, or written by another version
            found = [{"seq": record.seq, "unreadable": str(problem) or type(problem).__name__}]
        yield from found


def _samples(record: Record, wanted: Wanted) -> Iterator[Row]:
    if record.definition is None:
        raise ValueError("the definition of its tags is gone")
    said = orjson.loads(record.definition)
    device, names = said["device"], tuple(said["names"])
    tags = [f"{device}.{name}" for name in names]
    asked = [wanted.tag(tag) for tag in tags]
    if not any(asked):
        return
    batch, texts = columns.unpack(record.body)
    kinds = tuple(map(Kind, said["kinds"]))
    samples = Samples(record.seq, device, names, kinds, batch, texts, historical=True)
    batch, values, _ = json_samples.plain(samples)
    zone = wanted.zone
    for place, time_ns, value, quality in zip(
        batch.tag.tolist(), batch.time.tolist(), values, batch.quality.tolist(), strict=True
    ):
        if asked[place] and wanted.at(time_ns):
            yield {
                "time": iso(time_ns, zone), "tag": tags[place], "value": value, "quality": class_name(quality),
                "reason": reason_name(quality) or None, "seq": record.seq,
            }  # fmt: skip


def _state(record: Record, wanted: Wanted) -> Iterator[Row]:
    change = records.unpack_state(record.body)
    if wanted.at(change.since):
        yield {
            "time": iso(change.since, wanted.zone), "machine": change.machine, "state": change.state.name,
            "reason": change.reason or None, "seq": record.seq,
        }  # fmt: skip


def _kpi(record: Record, wanted: Wanted) -> Iterator[Row]:
    report = records.unpack_report(record.body)
    if wanted.at(report.window.start):
        yield _plain({"seq": record.seq, **kpi_record(report)})


def _rollup(record: Record, wanted: Wanted) -> Iterator[Row]:
    rollup = unpack_rollup(record.body)
    if wanted.at(rollup.window.start):
        yield _plain({"seq": record.seq, **rollup_record(rollup)})


def _alarm(record: Record, wanted: Wanted) -> Iterator[Row]:
    device, spans = records.unpack_alarms(record.body)
    if wanted.at(record.time):
        for span in spans:
            yield {"seq": record.seq, "device": device, **json_alarms.alarm(span)}


def _gap(record: Record, wanted: Wanted) -> Iterator[Row]:
    gap = asdict(records.unpack_gap(record.body))
    if wanted.at(record.time):
        told = {name: iso(gap[name], wanted.zone) if gap[name] else None for name in ("start", "end")}
        yield {"seq": record.seq, "time": iso(record.time, wanted.zone), **gap, **told}


def _event(record: Record, wanted: Wanted) -> Iterator[Row]:
    if wanted.at(record.time):
        yield {"seq": record.seq, "time": iso(record.time, wanted.zone), "event": orjson.loads(record.body)}


def _plain(row: Row) -> Row:
    """Fractions as numbers, as in the messages."""
    return dict(orjson.loads(orjson.dumps(row, default=exact, option=orjson.OPT_NON_STR_KEYS)))


KINDS: Final[dict[str, tuple[RecordKind, Callable[[Record, Wanted], Iterator[Row]]]]] = {
    "samples": (RecordKind.SAMPLES, _samples),
    "state": (RecordKind.STATE, _state),
    "kpi": (RecordKind.REPORT, _kpi),
    "rollup": (RecordKind.ROLLUP, _rollup),
    "alarm": (RecordKind.ALARM, _alarm),
    "gap": (RecordKind.GAP, _gap),
    "event": (RecordKind.EVENT, _event),
}
