"""Roll-ups as journal bodies: JSON, exact, with the cells of the members; see `records`."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import orjson

from edge_agent.core.cell import Cell
from edge_agent.core.lineup import LineFigures, Plan
from edge_agent.core.report import Report, Window
from edge_agent.core.rollup import Rollup
from edge_agent.encode.records import VERSION, opened, pack_window, unpack_window


def pack_rollup(rollup: Rollup) -> bytes:
    """The body of a ROLLUP record."""
    line = rollup.line
    return orjson.dumps(
        {
            "v": VERSION,
            "kind": rollup.kind,
            "id": rollup.id,
            "window": pack_window(rollup.window),
            "revision": rollup.revision,
            "final": rollup.final,
            "as_of": rollup.as_of,
            "config_hash": rollup.config_hash,
            "cell": rollup.cell.to_dict(),
            "machines": rollup.machines,
            "members": [_member(one) for one in rollup.members],
            "unlike": sorted(rollup.unlike),
            "flags": rollup.flags,
            "line": None if line is None else _line(line),
        }
    )


def unpack_rollup(body: bytes) -> Rollup:
    """What `pack_rollup` wrote; ValueError if it is no such thing."""
    said = opened(body)
    try:
        window = unpack_window(said["window"])
        return Rollup(
            said["kind"],
            said["id"],
            window,
            said["revision"],
            said["final"],
            said["as_of"],
            said["config_hash"],
            Cell.from_dict(said["cell"]),
            said["machines"],
            tuple(_unpack_member(one, window) for one in said["members"]),
            frozenset(said["unlike"]),
            tuple(said["flags"]),
            None if said["line"] is None else _unpack_line(said["line"]),
        )
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a roll-up: {problem!r}") from problem


def _member(report: Report) -> dict[str, Any]:
    return {
        "machine": report.machine,
        "revision": report.revision,
        "final": report.final,
        "as_of": report.as_of,
        "config_hash": report.config_hash,
        "cell": report.cell.to_dict(),
        "flags": report.flags,
    }


def _unpack_member(said: Mapping[str, Any], window: Window) -> Report:
    cell, flags = Cell.from_dict(said["cell"]), tuple(said["flags"])
    return Report(
        said["machine"], window, said["revision"], said["final"], said["as_of"], said["config_hash"], cell, flags
    )


def _line(line: LineFigures) -> dict[str, Any]:
    return {
        "plan": list(line.plan),
        "entered": line.entered,
        "good": line.good,
        "ideal": _text(line.ideal),
        "constraint": line.constraint,
        "kpi": _texts(line.kpi),
        "stations": {name: _texts(values) for name, values in line.stations.items()},
    }


def _unpack_line(said: Mapping[str, Any]) -> LineFigures:
    return LineFigures(
        Plan(*said["plan"]),
        said["entered"],
        said["good"],
        _exact(said["ideal"]),
        said["constraint"],
        _exacts(said["kpi"]),
        {name: _exacts(values) for name, values in said["stations"].items()},
    )


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)


def _texts(values: Mapping[str, Fraction | None]) -> dict[str, str | None]:
    return {name: _text(value) for name, value in values.items()}


def _exact(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def _exacts(texts: Mapping[str, str | None]) -> dict[str, Fraction | None]:
    return {name: _exact(text) for name, text in texts.items()}
