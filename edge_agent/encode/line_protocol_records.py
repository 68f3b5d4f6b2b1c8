"""KPI records in line protocol: a point a window, which a revision overwrites; and points of windows still open.

    kpi          tags machine, window, shift; at the start of the window; once it is final, and again with each revision
    kpi_product  the same, and product; of machines that have jobs
    spc          the same, and characteristic; of machines with gauges
    rollup       tags scope (line, area, site), id, window, shift
    station      tags line, station, window, shift; of serial lines
    kpi_open, rollup_open    the KPIs and counts of windows that are open, at the instant they are of

Fields are the numbers of the record (see `kpi_record`): KPIs and counts by their names (`oee`, `pq`), others with their
group before it (`time_s_apt`). Counts and `rev` are integers, all other numbers floats: a field has one type for ever,
and 28800 s today may be 28800.5 s tomorrow. What is undefined is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from edge_agent.core.report import Report, Window
from edge_agent.core.rollup import Rollup
from edge_agent.encode.kpi_record import kpi_record
from edge_agent.encode.line_protocol_text import Value
from edge_agent.encode.rollup_record import rollup_record

Point = tuple[str, dict[str, str], dict[str, Value], int]
"""Measurement, tags beside those of the destination, fields, time in ns."""

_PLAIN: Final = ("kpi", "counts")
"""Groups whose names stand alone; no name is in both."""
_APART: Final = frozenset({
    "v", "window", "rev", "final", "products", "spc", "members", "stations", "scope", "machines",
})  # fmt: skip
_MS: Final = 1_000_000


def report_points(report: Report) -> Iterator[Point]:
    """A machine's KPIs in one window."""
    record = kpi_record(report)
    tags = {"machine": report.machine, **_window_tags(report.window)}
    if not report.final:
        yield "kpi_open", tags, _open(record), report.as_of
        return
    start = report.window.start
    del record["machine"]
    yield "kpi", tags, _fields(record, report.window, report.as_of), start
    for product, part in record.get("products", {}).items():
        yield "kpi_product", {**tags, "product": product}, _of_group(part), start
        yield from _spc(part, {**tags, "product": product}, start)
    yield from _spc(record, tags, start)


def rollup_points(rollup: Rollup) -> Iterator[Point]:
    """The KPIs of a line, an area or the site in one window; its members have points of their own."""
    record = rollup_record(rollup)
    tags = {"scope": rollup.kind, "id": rollup.id, **_window_tags(rollup.window)}
    if not rollup.final:
        yield "rollup_open", tags, _open(record), rollup.as_of
        return
    start = rollup.window.start
    del record[rollup.kind]
    fields = _fields(record, rollup.window, rollup.as_of)
    yield "rollup", tags, {**fields, "machines": rollup.machines}, start
    for station in record.get("stations", ()):
        named = {"line": rollup.id, "station": station.pop("station"), **_window_tags(rollup.window)}
        yield "station", named, flat(station), start


def flat(said: Mapping[str, Any], before: str = "") -> dict[str, Value]:
    """Every number (as a float), text and truth in it, named by the way to it; no lists, but for `bounds`."""
    found: dict[str, Value] = {}
    for name, value in said.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}_")
        elif isinstance(value, bool | str):
            found[before + name] = value
        elif isinstance(value, int | float | Fraction):
            found[before + name] = float(value)
        elif before == "bounds_":
            found |= flat(dict(zip(("low", "high"), value, strict=True)), f"{before}{name}_")
    return found


def _fields(record: Mapping[str, Any], window: Window, as_of: int) -> dict[str, Value]:
    """What a closed window's point says."""
    return {
        **_of_group({name: value for name, value in record.items() if name != "as_of"}),
        "production_date": window.production_date.isoformat(),
        "end_ms": window.end // _MS,
        "as_of_ms": as_of // _MS,
        "order": window.order or None,
        "flags": ",".join(record["flags"]),
        "rev": record["rev"],
    }


def _open(record: Mapping[str, Any]) -> dict[str, Value]:
    return {**flat(record["kpi"]), **record["counts"], "flags": ",".join(record["flags"])}


def _of_group(part: Mapping[str, Any]) -> dict[str, Value]:
    plain = flat(part.get("kpi", {}))
    rest = {name: value for name, value in part.items() if name not in _APART and name not in _PLAIN}
    return {**plain, **part.get("counts", {}), **flat(rest)}


def _spc(part: Mapping[str, Any], tags: Mapping[str, str], start: int) -> Iterator[Point]:
    for name, told in part.get("spc", {}).items():
        yield "spc", {**tags, "characteristic": name}, flat(told), start


def _window_tags(window: Window) -> dict[str, str]:
    """A job's name is its product; every other kind but shifts has its kind for a name."""
    return {"window": window.kind} | ({"shift": window.name} if window.kind == "shift" else _job(window))


def _job(window: Window) -> dict[str, str]:
    return {"product": window.name} if window.kind == "job" else {}
