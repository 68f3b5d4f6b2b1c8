"""The KPI record: what is published, stored for others and compared of one machine in one window.

Times are seconds, ideal times too; whole numbers as such, others as the nearest float; undefined is null.
Names of KPIs are those of `core.catalog`, which has their formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from edge_agent.core import capability, catalog, energy, kpi
from edge_agent.core.cell import Cell
from edge_agent.core.losses import six_big_losses
from edge_agent.core.report import OPEN, Report, Window
from edge_agent.core.semi import e10_times

VERSION: Final = 1
"""The `v` of a record; grows only when a key changes its meaning or goes."""

_SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTS: Final = ("pq", "gq", "sq", "rq", "ip", "gp", "n_stop", "n_micro", "fe", "n_ttr_closed")
_IDEALS: Final = ("ipt", "igt")
_TIMES: Final = (
    "ct", "pot", "pbt", "nst", "pdot", "apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot",
    "unk", "unk_raw", "promoted", "credited",
)  # fmt: skip


def kpi_record(report: Report) -> dict[str, Any]:
    """The record of a report, JSON-safe."""
    zone = ZoneInfo(report.window.zone)
    return {
        "v": VERSION,
        "machine": report.machine,
        "window": window_record(report.window, zone),
        "rev": report.revision,
        "final": report.final,
        "as_of": iso(report.as_of, zone),
        "config_hash": report.config_hash,
        **figures(report.cell, report.window.kind),
        **_spc(report.cell),
        **({"carbon": dict(report.carbon)} if report.carbon else {}),
        **({"products": _products(report.products)} if report.products else {}),
        "flags": list(report.flags),
    }


def window_record(window: Window, zone: ZoneInfo) -> dict[str, Any]:
    """The window, as every record has it."""
    told: dict[str, Any] = {
        "kind": window.kind,
        "name": window.name,
        "start": iso(window.start, zone),
        "end": None if window.end >= OPEN else iso(window.end, zone),
        "production_date": window.production_date.isoformat(),
    }
    return told | ({"order": window.order} if window.order else {})


def figures(cell: Cell, kind: str) -> dict[str, Any]:
    """Everything a record says of a cell, of a window of this kind."""
    order = catalog.order_kpis_of(cell) if kind == "job" else {}
    return {
        **sums(cell),
        "losses_s": numbers(kpi.waterfall(cell)),
        "six_losses_s": numbers(six_big_losses(cell)),
        "semi_e10_s": {state: number(Fraction(ns, _SECOND)) for state, ns in e10_times(cell).items()},
        "kpi": numbers({**catalog.values(cell), **order, **catalog.energy_values(cell)}),
        "capped": numbers(kpi.capped(cell)),
        "bounds": {name: [number(low), number(high)] for name, (low, high) in kpi.bounds(cell).items()},
    }


def sums(cell: Cell) -> dict[str, Any]:
    """The additive part."""
    return {
        "time_s": {name: number(Fraction(getattr(cell, name), _SECOND)) for name in _TIMES},
        "counts": {name: getattr(cell, name) for name in _COUNTS},
        "ideal_s": {name: number(getattr(cell, name)) for name in _IDEALS},
        **energies(cell),
    }


def energies(cell: Cell) -> dict[str, Any]:
    """Energy by state, Wh, and how much of the meters' time it is known of; nothing where nobody has a meter."""
    if not cell.energy.metered:
        return {}
    told = numbers(catalog.energy_elements(cell))
    return {
        "energy_wh": {name: told[name] for name in ("e_total", *energy.GROUPS)},
        "energy_s": {name: told[name] for name in ("metered", "unmetered")},
    }


def _spc(cell: Cell) -> dict[str, Any]:
    """What was measured of the pieces of a machine; nothing for one without gauges."""
    if not cell.measured.parts:
        return {}
    return {"spc": {one.name: capability.told(one, stats) for one, stats in cell.measured.parts}}


def _products(products: Mapping[str, Cell]) -> dict[str, Any]:
    return {
        name: {**sums(cell), "kpi": numbers({**kpi.kpis(cell), **catalog.energy_values(cell)}), **_spc(cell)}
        for name, cell in products.items()
    }


def numbers(values: Mapping[str, Fraction | None]) -> dict[str, int | float | None]:
    """`number` of each."""
    return {name: number(value) for name, value in values.items()}


def number(value: Fraction | None) -> int | float | None:
    """A whole number as such, any other as the nearest float; undefined stays undefined."""
    if value is None:
        return None
    return value.numerator if value.denominator == 1 else float(value)


def exact(value: object) -> int | float | None:
    """`number`, for an encoder that meets a fraction; TypeError for anything else."""
    if isinstance(value, Fraction):
        return number(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def iso(time_ns: int, zone: ZoneInfo) -> str:
    """ISO 8601 in `zone`, with its offset; exact: as many digits behind the second as it takes, none, 6 or 9."""
    microseconds, ns = divmod(time_ns, 1000)
    moment = (_EPOCH + timedelta(microseconds=microseconds)).astimezone(zone)
    if not ns:
        return moment.isoformat()
    written = moment.isoformat(timespec="microseconds")
    point = written.index(".") + 7
    return f"{written[:point]}{ns:03}{written[point:]}"
