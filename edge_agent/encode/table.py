"""The profile `table`: records as rows, for files that are read as tables.

A message is some rows of one kind and one local day: its topic is `{kind}/{day}`, its payload a JSON list of rows, its
token the number of the journal record they are of, by which rows that are sent again are known. Nothing is sent of what
is only of interest while it is new. Times are ISO 8601 UTC with microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.quality import CLASS_NAMES
from edge_agent.core.report import Gap, Report, Samples, StateChange
from edge_agent.core.rollup import Rollup
from edge_agent.core.tags import Kind
from edge_agent.encode import json_samples
from edge_agent.encode.kpi_record import exact, kpi_record
from edge_agent.encode.message import Message
from edge_agent.encode.profile import Profile
from edge_agent.encode.rollup_record import rollup_record

COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "samples": {"time": "time", "tag": "text", "value": "number", "text": "text", "quality": "text"},
    "states": {"time": "time", "machine": "text", "state": "text", "reason": "text"},
    "kpis": {
        "time": "time", "scope": "text", "id": "text", "window": "text", "name": "text", "start": "time",
        "production_date": "text", "revision": "whole", "oee": "number", "availability_classic": "number",
        "performance_classic": "number", "quality_count": "number", "line_oee": "number", "data_coverage": "number",
        "pq": "number", "gq": "number", "sq": "number", "rq": "number", "record": "text",
    },
    "alarms": {
        "time": "time", "device": "text", "alarm": "text", "revision": "whole", "active": "text", "severity": "whole",
        "source": "text", "type": "text", "reason": "text", "start": "time", "end": "time", "acknowledged": "text",
    },
    "gaps": {
        "time": "time", "lane": "text", "first": "whole", "last": "whole", "records": "whole", "why": "text",
    },
}  # fmt: skip
"""Kind → its columns and their types (time, text, number, whole), behind `seq`, which all have first."""

_FIGURES: Final = (
    "oee", "availability_classic", "performance_classic", "quality_count", "line_oee", "data_coverage",
    "pq", "gq", "sq", "rq",
)  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Row = list[Any]


class TableProfile(Profile):
    """Encodes rows; pure."""

    heeds = "agent"

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)

    def numbered(self, seq: int, messages: list[Message]) -> list[Message]:
        """See `Profile.numbered`."""
        return [replace(message, token=b"%d" % seq) for message in messages]

    def samples(self, samples: Samples) -> list[Message]:
        """A row each, in time order. `value` of numbers and truth values (1, 0), `text` of texts."""
        if not len(samples.batch):
            return []
        batch, values, classes = json_samples.plain(samples)
        tags = [f"{samples.device}.{name}" for name in samples.names]
        is_text = [kind == Kind.TEXT for kind in samples.kinds]
        times = np.datetime_as_string((batch.time // 1000).astype("datetime64[us]")).tolist()
        rows: dict[str, list[Row]] = {}
        day, until = "", -1
        for at, (tag, time_ns, value) in enumerate(zip(batch.tag.tolist(), batch.time.tolist(), values, strict=True)):
            if time_ns >= until:
                day, until = self._day(time_ns)
            text = is_text[tag]
            rows.setdefault(day, []).append([
                f"{times[at]}Z", tags[tag], None if text or value is None else value + 0, value if text else None,
                CLASS_NAMES[classes[at]] if classes else "good",
            ])  # fmt: skip
        return [_message("samples", day, some) for day, some in rows.items()]

    def state(self, change: StateChange) -> list[Message]:
        """A row."""
        return self._one("states", change.since, [change.machine, change.state.name, change.reason or None])

    def report(self, report: Report) -> list[Message]:
        """A row at the end of the window, once it is final."""
        return self._figures("machine", report.machine, report, kpi_record(report)) if report.final else []

    def rollup(self, rollup: Rollup) -> list[Message]:
        """A row at the end of the window, once it is final."""
        return self._figures(rollup.kind, rollup.id, rollup, rollup_record(rollup)) if rollup.final else []

    def _figures(self, scope: str, id: str, told: Report | Rollup, record: Mapping[str, Any]) -> list[Message]:
        window = told.window
        found = {**record["kpi"], **record["counts"]}
        figures = [found.get(name) for name in _FIGURES]
        whole = orjson.dumps(record, default=exact).decode()
        row = [
            scope, id, window.kind, window.name, _iso(window.start), window.production_date.isoformat(), told.revision,
            *figures, whole,
        ]  # fmt: skip
        return self._one("kpis", window.end, row)

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """A row for each change of each alarm."""
        told: list[Message] = []
        for span in spans:
            active = None if span.point else str(span.end is None).lower()
            acknowledged = None if span.acknowledged is None else str(span.acknowledged).lower()
            told += self._one("alarms", span.newest_ns, [
                device, span.key, span.revision, active, span.severity, span.source, span.type, span.reason,
                _iso(span.start), None if span.end is None else _iso(span.end), acknowledged,
            ])  # fmt: skip
        return told

    def gap(self, gap: Gap) -> list[Message]:
        """A row."""
        return self._one("gaps", gap.end, [gap.lane, gap.first, gap.last, gap.records, gap.why])

    def _one(self, kind: str, time_ns: int, row: Row) -> list[Message]:
        return [_message(kind, self._day(time_ns)[0], [[_iso(time_ns), *row]])]

    def _day(self, time_ns: int) -> tuple[str, int]:
        """The local date of an instant, and when the next one begins, ns UTC."""
        day = (_EPOCH + timedelta(microseconds=time_ns // 1000)).astimezone(self._zone).date()
        return day.isoformat(), _midnight(day + timedelta(days=1), self._zone)


def _midnight(day: date, zone: ZoneInfo) -> int:
    moment = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _iso(time_ns: int) -> str:
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06}Z"


def _message(kind: str, day: str, rows: Iterable[Row]) -> Message:
    return Message(f"{kind}/{day}", orjson.dumps(list(rows), default=exact))
