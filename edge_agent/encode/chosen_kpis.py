"""Which figures of a KPI record are told one by one, where a platform wants single values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from edge_agent.core import catalog

DEFAULT: Final = (
    "oee", "availability_classic", "performance_classic", "quality_count", "line_oee", "data_coverage",
    "pq", "gq", "sq",
)  # fmt: skip

_DEFINED: Final = (*catalog.ALL, *catalog.ORDER, *catalog.ENERGY)
_UNITS: Final = {one.name: one.unit or "1" for one in _DEFINED}
# Counts of a machine, and what only a serial line has (`core.lineup.line_figures`).
_OTHERS: Final = (
    "pq", "gq", "sq", "rq", "entered", "good", "line_oee", "constraint_oee", "line_quality", "line_quality_rty",
)  # fmt: skip


def check_names(names: Iterable[str]) -> None:
    """ValueError if one is no figure of a KPI record."""
    for name in names:
        if name not in _UNITS and name not in _OTHERS:
            raise ValueError(f"{name!r} is no figure of a KPI record; such are {', '.join(DEFAULT)}")


def chosen(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, int | float | None]:
    """Those of `names` that a record has; None: it is not defined, as nothing was planned or made."""
    found = {**record["kpi"], **record["counts"]}
    return {name: found[name] for name in names if name in found}


def unit(name: str) -> str:
    """Of a figure; a ratio and a count have `1`."""
    return _UNITS.get(name, "1")
