"""What a replay prints: the very KPI records that go out over MQTT, as JSON or CSV; or a table to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from edge_agent.core import kpi
from edge_agent.core.report import OPEN, Window
from edge_agent.core.rollup import Rollup
from edge_agent.core.told import Record
from edge_agent.core.wall import local
from edge_agent.encode.kpi_record import kpi_record
from edge_agent.encode.rollup_record import rollup_record
from edge_agent.replay.window import CUSTOM

_SHARES: Final = ("oee", "availability_classic", "performance_classic", "quality_count")


def as_json(reports: Sequence[Record]) -> str:
    """One JSON document: the list of KPI records, one a line."""
    return "[" + ",\n ".join(orjson.dumps(_record(report)).decode() for report in reports) + "]"


def _record(report: Record) -> dict[str, Any]:
    return rollup_record(report) if isinstance(report, Rollup) else kpi_record(report)


def as_csv(reports: Sequence[Record]) -> str:
    """A row for each machine and window, a column for each value of the KPI record: `time_s.ct`, `kpi.oee` …"""
    rows = [dict(_flat("", _record(report))) for report in reports]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().removesuffix("\n")


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list) and name.startswith("bounds."):
        yield from zip((f"{name}.low", f"{name}.high"), value, strict=True)
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for one in value:       # members by machine, stations by name
            who = one.get("machine", one.get("station"))
            yield from _flat(f"{name}.{who}", {key: inner for key, inner in one.items() if inner != who})
    elif isinstance(value, list):
        yield name, " ".join(map(str, value))
    elif isinstance(value, bool):
        yield name, str(value).lower()
    else:
        yield name, value


def as_table(reports: Sequence[Record]) -> str:
    """Machine or line, window, OEE and what explains it (classic A and P, counted Q), pieces, coverage, remarks."""
    head = ("machine", "window", "OEE %", "A %", "P %", "Q %", "pieces", "scrap", "data %", "remarks")
    rows = [head, *(_row(report) for report in reports)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    lines = []
    for row in rows:
        cells = [text.ljust(width) if at in (0, 1, 9) else text.rjust(width)
                 for at, (text, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(report: Record) -> tuple[str, ...]:
    values, pieces = kpi.kpis(report.cell), report.cell.pq
    if isinstance(report, Rollup) and report.line is not None:
        line = report.line.kpi
        values = {**values, **line, "oee": line["line_oee"], "quality_count": line["line_quality"]}
        pieces = report.line.entered
    zone = ZoneInfo(report.window.zone)
    remarks = list(report.flags)
    if not report.final:
        remarks.insert(0, f"provisional as of {local(report.as_of, zone):%Y-%m-%d %H:%M:%S}")
    return (
        f"{report.kind} {report.id}" if isinstance(report, Rollup) else report.machine,
        _window(report.window, zone),
        *(_percent(values[name], 2) for name in _SHARES),
        str(pieces),
        str(report.cell.sq),
        _percent(values["data_coverage"], 1),
        " ".join(remarks),
    )


def _window(window: Window, zone: ZoneInfo) -> str:
    """`2026-11-23 day 06:00-14:00`."""
    start = local(window.start, zone)
    if window.kind == "job":
        named = " ".join(filter(None, (window.name, window.order)))
        until = "…" if window.end >= OPEN else f"{local(window.end, zone):%Y-%m-%d %H:%M}"
        return f"{named} {start:%Y-%m-%d %H:%M} - {until}"
    end = local(window.end, zone)
    if window.kind == CUSTOM or (end.date() != start.date() and window.kind == "hour" and not _is_midnight(end)):
        return f"{start:%Y-%m-%d %H:%M} - {end:%Y-%m-%d %H:%M}"
    if window.kind in ("day", "production_day"):
        return window.production_date.isoformat()
    name = f"{window.name} " if window.kind == "shift" else ""
    return f"{window.production_date.isoformat()} {name}{start:%H:%M}-{end:%H:%M}"


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second) == (0, 0, 0)


def _percent(value: Fraction | None, digits: int) -> str:
    return "-" if value is None else f"{float(value * 100):.{digits}f}"
