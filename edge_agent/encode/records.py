"""State changes, reports and alarms as journal bodies: JSON, exact (`Cell.to_dict` writes fractions as text).

Numbers of enums are stored, not names; `v` is the version of the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.cell import Cell
from edge_agent.core.report import Gap, Report, StateChange, Window
from edge_agent.core.states import MachineState

VERSION: Final = 1


def pack_state(change: StateChange) -> bytes:
    """The body of a STATE record."""
    return orjson.dumps(
        {
            "v": VERSION,
            "machine": change.machine,
            "state": int(change.state),
            "reason": change.reason,
            "since": change.since,
            **({} if change.shown else {"shown": False}),
        }
    )


def unpack_state(body: bytes) -> StateChange:
    """What `pack_state` wrote; ValueError if it is no such thing."""
    said = opened(body)
    try:
        state, shown = MachineState(said["state"]), said.get("shown", True)
        return StateChange(said["machine"], state, said["reason"], said["since"], shown)
    except (KeyError, TypeError) as problem:
        raise ValueError(f"not a state change: {problem!r}") from problem


def pack_report(report: Report) -> bytes:
    """The body of a REPORT record."""
    return orjson.dumps(
        {
            "v": VERSION,
            "machine": report.machine,
            "window": pack_window(report.window),
            "revision": report.revision,
            "final": report.final,
            "as_of": report.as_of,
            "config_hash": report.config_hash,
            "cell": report.cell.to_dict(),
            "flags": report.flags,
            "products": {name: cell.to_dict() for name, cell in report.products.items()},
            **({"carbon": report.carbon} if report.carbon else {}),
        }
    )


def unpack_report(body: bytes) -> Report:
    """What `pack_report` wrote; ValueError if it is no such thing."""
    said = opened(body)
    try:
        return Report(
            said["machine"],
            unpack_window(said["window"]),
            said["revision"],
            said["final"],
            said["as_of"],
            said["config_hash"],
            Cell.from_dict(said["cell"]),
            tuple(said["flags"]),
            {name: Cell.from_dict(cell) for name, cell in said.get("products", {}).items()},
            said.get("carbon", {}),
        )
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a report: {problem!r}") from problem


def pack_window(window: Window) -> dict[str, Any]:
    """A window, as bodies have it."""
    return {
        "kind": window.kind,
        "name": window.name,
        "start": window.start,
        "end": window.end,
        "production_date": window.production_date.isoformat(),
        "zone": window.zone,
        "order": window.order,
    }


def unpack_window(said: Mapping[str, Any]) -> Window:
    """What `pack_window` wrote; KeyError or TypeError if it is no such thing."""
    day = date.fromisoformat(said["production_date"])
    return Window(said["kind"], said["name"], said["start"], said["end"], day, said["zone"], said.get("order", ""))


def pack_alarms(device: str, spans: Sequence[AlarmSpan]) -> bytes:
    """The body of an ALARM record: spans of one device as they are now, in the order of their changes."""
    return orjson.dumps({"v": VERSION, "device": device, "spans": [span.to_dict() for span in spans]})


def unpack_alarms(body: bytes) -> tuple[str, list[AlarmSpan]]:
    """What `pack_alarms` wrote; ValueError if it is no such thing."""
    said = opened(body)
    try:
        return str(said["device"]), [AlarmSpan.from_dict(told) for told in said["spans"]]
    except (KeyError, TypeError) as problem:
        raise ValueError(f"no alarms: {problem!r}") from problem


def pack_gap(gap: Gap) -> bytes:
    """The body of a GAP record."""
    return orjson.dumps(
        {
            "v": VERSION,
            "destination": gap.destination,
            "lane": gap.lane,
            "first": gap.first,
            "last": gap.last,
            "records": gap.records,
            "start": gap.start,
            "end": gap.end,
            "why": gap.why,
        }
    )


def unpack_gap(body: bytes) -> Gap:
    """What `pack_gap` wrote; ValueError if it is no such thing."""
    said = opened(body)
    try:
        return Gap(
            said["destination"], said["lane"], said["first"], said["last"], said["records"],
            said["start"], said["end"], said["why"],
        )  # fmt: skip
    except KeyError as problem:
        raise ValueError(f"no gap: {problem!r}") from problem


def opened(body: bytes) -> dict[str, Any]:
    """The JSON of a body of this version; ValueError if it is of another."""
    said = orjson.loads(body)
    version = said.get("v") if isinstance(said, dict) else None
    if version != VERSION:
        raise ValueError(f"a record of version {version}, this is version {VERSION}")
    return dict(said)
