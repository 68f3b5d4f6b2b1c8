"""The record of a roll-up: what is published, stored for others and compared of a line, an area or the site.

That of machines side by side, of an area and of the site has the keys of a machine's record, over the sum of all its
machines: times are machine time. A serial line is measured by what leaves it: its times are those of its calendar,
its KPIs are `line_oee` (never `ole`, which means two things), the constraint's time losses, and yields.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.core import kpi
from edge_agent.core.energy import energy_kpis
from edge_agent.core.lineup import LineFigures
from edge_agent.core.report import Report
from edge_agent.core.rollup import Rollup
from edge_agent.encode.kpi_record import VERSION, energies, figures, iso, number, numbers, window_record

_COUNTS = ("pq", "gq", "sq", "rq")


def rollup_record(rollup: Rollup) -> dict[str, Any]:
    """The record of a roll-up, JSON-safe."""
    zone = ZoneInfo(rollup.window.zone)
    what = figures(rollup.cell, rollup.window.kind) if rollup.line is None else _line(rollup.line, rollup)
    return {
        "v": VERSION,
        "scope": rollup.kind,
        rollup.kind: rollup.id,
        "window": window_record(rollup.window, zone),
        "rev": rollup.revision,
        "final": rollup.final,
        "as_of": iso(rollup.as_of, zone),
        "config_hash": rollup.config_hash,
        **what,
        "machines": rollup.machines,
        "members": [_member(one, comparable=one.machine not in rollup.unlike) for one in rollup.members],
        "flags": list(rollup.flags),
    }


def _line(line: LineFigures, rollup: Rollup) -> dict[str, Any]:
    plan = line.plan._asdict() | {"pot": line.plan.ct - line.plan.nst}
    coverage, used = kpi.coverage(rollup.cell), rollup.cell.energy
    energy = energy_kpis(used, line.entered, line.good) if used.metered else {}
    return {
        "time_s": {name: number(Fraction(ns, kpi.SECOND)) for name, ns in plan.items()},
        "counts": {"entered": line.entered, "good": line.good},
        "ideal_s": {"igt": number(line.ideal)},
        **energies(rollup.cell),
        "kpi": {**numbers(line.kpi), "data_coverage": number(coverage), **numbers(energy)},
        "constraint": line.constraint or None,
        "stations": [{"station": name, **numbers(values)} for name, values in line.stations.items()],
    }


def _member(report: Report, *, comparable: bool) -> dict[str, Any]:
    """What a machine contributed; `comparable` false: it is judged by other rules than most (domain 2.2)."""
    values = kpi.kpis(report.cell)
    return {
        "machine": report.machine,
        "config_hash": report.config_hash,
        "comparable": comparable,
        "oee": number(values["oee"]),
        "pbt_s": number(Fraction(report.cell.pbt, kpi.SECOND)),
        "igt_s": number(report.cell.igt),
        **{name: getattr(report.cell, name) for name in _COUNTS},
        "data_coverage": number(values["data_coverage"]),
        "flags": list(report.flags),
    }
