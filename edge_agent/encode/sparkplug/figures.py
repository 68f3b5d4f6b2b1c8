"""Machines, lines, areas, the site, the plant's digitalisation and the agent itself as metrics.

    state, state_code, reason, since, line, area       of a machine
    {window}/{kpi}                                      oee, availability_iso …: the KPI record's names
    {window}/counts/total|good|scrap|rework …
    {window}/time/{category}                            seconds
    {window}/energy/{group}                             Wh, of machines with a meter
    {window}/name|start|end|revision|final|flags

The time of a window's figures is when they were computed, but never later than the window's end: what is said of a
window that is over is history once the next has begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from edge_agent.core import catalog
from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.cell import Cell
from edge_agent.core.report import OPEN, Gap, Report, StateChange, Status, Window
from edge_agent.core.rollup import Rollup
from edge_agent.encode.kpi_record import numbers, sums
from edge_agent.encode.rollup_record import rollup_record
from edge_agent.encode.sparkplug.datatype import DataType
from edge_agent.encode.sparkplug.metric import DataSet, Metric

STATE: Final = {
    "state": DataType.STRING, "state_code": DataType.INT32, "reason": DataType.STRING, "since": DataType.DATETIME,
}  # fmt: skip
"""what is told with the time of the device that told it"""

_MS: Final = 1_000_000
_COUNTS: Final = {"pq": "total", "gq": "good", "sq": "scrap", "rq": "rework"}
_INDICES: Final = ("indices", "declared", "by_value", "by_planned_time")
_ASSET: Final = (
    ("level", DataType.INT32), ("declared_level", DataType.INT32), ("connected", DataType.BOOLEAN),
    ("cloud", DataType.BOOLEAN), ("online_ratio", DataType.DOUBLE),
)  # fmt: skip


def of_state(change: StateChange) -> Iterator[Metric]:
    """A machine's state. That it is unknown since ever is newer than nothing."""
    since = change.since // _MS or None
    values = change.state.name, int(change.state), change.reason, since
    for (name, datatype), value in zip(STATE.items(), values, strict=True):
        yield Metric(name, datatype, value, since)


def of_machine(area: str, line: str, windows: Sequence[str]) -> Iterator[Metric]:
    """All that will be told of a machine, without values yet, and where it stands."""
    yield Metric("line", DataType.STRING, line)
    yield Metric("area", DataType.STRING, area)
    for name, datatype in STATE.items():
        yield Metric(name, datatype)
    for kind in windows:
        said = [*_frame(kind, None), *_figures(kind, _told(Cell(), kind), 0)]
        yield from (Metric(one.name, one.datatype) for one in said)


def of_report(report: Report) -> Iterator[Metric]:
    """A machine's KPIs in one window."""
    kind, time = report.window.kind, _time(report.window, report.as_of)
    yield from _frame(kind, report.window, time, report.revision, report.final, report.flags)
    yield from _figures(kind, _told(report.cell, kind), time)


def of_rollup(rollup: Rollup) -> Iterator[Metric]:
    """The KPIs of a line, an area or the site in one window."""
    place = f"{rollup.kind.capitalize()}s/{rollup.id}" if rollup.kind != "site" else "Site"
    kind, time = f"{place}/{rollup.window.kind}", _time(rollup.window, rollup.as_of)
    record = rollup_record(rollup)
    yield from _frame(kind, rollup.window, time, rollup.revision, rollup.final, rollup.flags)
    yield from _figures(kind, record, time)
    if "constraint" in record:
        yield Metric(f"{kind}/constraint", DataType.STRING, record["constraint"] or "", time)


def of_digital(payload: Mapping[str, Any], time_ns: int) -> Iterator[Metric]:
    """How digital the plant is, and each of its assets."""
    time = time_ns // _MS
    for group in _INDICES:
        for name, rate in payload.get(group, {}).items():
            yield Metric(f"Digital/{group}/{name}", DataType.DOUBLE, rate, time)
    yield Metric("Digital/levels", DataType.INT32_ARRAY, payload.get("levels", ()), time)
    for name, asset in payload.get("devices", {}).items():
        for key, datatype in _ASSET:
            value = asset.get(key)
            yield Metric(f"Digital/Assets/{name}/{key}", datatype, value, time)


def of_status(status: Status, destination: str) -> Iterator[Metric]:
    """The agent's own status."""
    time = status.time // _MS
    yield Metric("Agent/backlog", DataType.INT64, status.backlog.get(destination, 0), time)
    for name in ("journal", "audit"):
        yield Metric(f"Agent/{name}", DataType.STRING, getattr(status, name), time)
    for name, count in status.counts.items():
        yield Metric(f"Agent/counts/{name}", DataType.INT64, count, time)


def of_gap(gap: Gap, now_ns: int) -> Metric:
    """Records that can no longer be delivered; times in ms UTC."""
    columns = ("lane", "from_seq", "to_seq", "records", "from_ms", "to_ms", "why")
    types = (DataType.STRING, *(DataType.INT64,) * 5, DataType.STRING)
    row = (gap.lane, gap.first, gap.last, gap.records, gap.start // _MS, gap.end // _MS, gap.why)
    return Metric("Agent/gap", DataType.DATASET, DataSet(columns, types, (row,)), (gap.end or now_ns) // _MS)


def of_alarms(device: str, spans: Sequence[AlarmSpan]) -> Metric:
    """Alarms of a device that have changed, as they are now; times in ms UTC, `end_ms` 0: it holds."""
    columns = ("key", "start_ms", "end_ms", "severity", "reason", "source", "type", "acknowledged")
    # In tables only these types: the reference library for JavaScript refuses a payload with any other.
    text, number = DataType.STRING, DataType.INT64
    types = (text, number, number, number, text, text, text, DataType.BOOLEAN)
    rows = tuple(
        (one.key, one.start // _MS, (one.end or 0) // _MS, one.severity, one.reason, one.source, one.type,
         bool(one.acknowledged))
        for one in spans
    )  # fmt: skip
    time = max((one.newest_ns or one.start for one in spans), default=0) // _MS
    return Metric(f"Alarms/{device}", DataType.DATASET, DataSet(columns, types, rows), time)


def _time(window: Window, as_of: int) -> int:
    return min(as_of, window.end) // _MS


def _told(cell: Cell, kind: str) -> Mapping[str, Any]:
    order = catalog.order_kpis_of(cell) if kind == "job" else {}
    return {**sums(cell), "kpi": numbers({**catalog.values(cell), **order, **catalog.energy_values(cell)})}


def _frame(
    kind: str, window: Window | None, time: int = 0, revision: int = 0, final: bool = False, flags: Sequence[str] = ()
) -> Iterator[Metric]:
    name = start = end = None
    if window is not None:
        name, start = window.order or window.name, window.start // _MS
        end = None if window.end >= OPEN else window.end // _MS
    yield Metric(f"{kind}/name", DataType.STRING, name, time)
    yield Metric(f"{kind}/start", DataType.DATETIME, start, time)
    yield Metric(f"{kind}/end", DataType.DATETIME, end, time)
    yield Metric(f"{kind}/revision", DataType.INT32, revision, time)
    yield Metric(f"{kind}/final", DataType.BOOLEAN, final, time)
    yield Metric(f"{kind}/flags", DataType.STRING, " ".join(flags), time)


def _figures(kind: str, record: Mapping[str, Any], time: int) -> Iterator[Metric]:
    for name, ratio in record["kpi"].items():
        yield Metric(f"{kind}/{name}", DataType.DOUBLE, ratio, time)
    for name, count in record["counts"].items():
        yield Metric(f"{kind}/counts/{_COUNTS.get(name, name)}", DataType.INT64, count, time)
    for name, seconds in record["time_s"].items():
        yield Metric(f"{kind}/time/{name}", DataType.DOUBLE, seconds, time)
    for name, wh in record.get("energy_wh", {}).items():
        yield Metric(f"{kind}/energy/{name}", DataType.DOUBLE, wh, time)
