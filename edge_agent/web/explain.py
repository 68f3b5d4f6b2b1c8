"""Why a figure is what it is: its formula with the inputs filled in, the stretches of time and the tags behind them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final, Literal, cast

from edge_agent.core import catalog, kpi
from edge_agent.core import cell as cells
from edge_agent.core.catalog import Definition
from edge_agent.core.engine import Engine
from edge_agent.core.machine import Machine
from edge_agent.core.quality import class_name, reason_name
from edge_agent.core.quantity import SECOND
from edge_agent.core.slices import Slice
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Tag
from edge_agent.encode.kpi_record import number
from edge_agent.web.answers import Answer, QualityName, Shown, StateName
from edge_agent.web.chosen import Looked, Windows
from edge_agent.web.kpis import NotThere
from edge_agent.web.losses import Bounds, Number
from edge_agent.web.times import Times
from edge_agent.why import plain

# Stretches of time in one answer: a page shows them in a table.
MOST: Final = 500
_NEAR: Final = 5

_BUSY: Final = ("apt", "micro", "aust", "adet_fault", "adet_other", "maint", "adot", "unk")
_BEHIND: Final[Mapping[str, tuple[str, ...]]] = {
    "ct": (*_BUSY, "excluded", "pdot", "nst"), "pot": (*_BUSY, "excluded", "pdot"), "pbt": _BUSY,
    "promoted": ("apt",), "held": ("apt",), "credited": ("unk",), "unk_raw": ("unk", "excluded"), "trial": ("aust",),
    "cmt": ("adet_fault", "maint"), "pmt": ("maint", "pdot"), "ttr_sum": ("adet_fault",), "fe": ("adet_fault",),
    "n_ttr_closed": ("adet_fault",), "n_stop": ("adet_fault", "adet_other"), "n_micro": ("micro",),
    **dict.fromkeys(("pq", "gq", "sq", "rq", "ipt", "igt", "ip", "gp"), ("apt",)),
    "PRD": ("apt",), "SBY": ("adet_other", "micro", "adot"), "UDT": ("adet_fault", "maint"), "SDT": ("aust", "pdot"),
    "ENG": ("aust",), "NST": ("nst",), "UNKNOWN": ("unk",),
}  # fmt: skip
"""Element → the buckets it is made of, where it is not a bucket itself."""
_UNITS: Final = {**dict.fromkeys((*cells.COUNTS, "psq", "epc"), "1"), "coal": "kg", "co2": "kg"}


class InputAnswer(Answer):
    """A name in the formula, and what it stands for here."""

    name: str
    value: Number | None
    unit: str
    """s, Wh, kg, or 1 for counts and ratios"""


class StretchAnswer(Answer):
    """A stretch of time that is in one of the inputs."""

    start: str
    end: str
    seconds: Number
    bucket: str
    state: StateName
    reason: str | None


class SourceAnswer(Answer):
    """A tag that the machine draws from."""

    role: str
    """state, or the role of the state's model; total, good, scrap, rework, job, order, number, energy, gauge"""
    tag: str
    value: Shown | None
    unit: str
    quality: QualityName
    why: str | None
    """in one word, where it is not plainly good"""


class ExplainAnswer(Looked):
    """A figure, and all that it rests on."""

    name: str
    value: Number | None
    unit: str
    formula: str | None
    """over the names of the inputs; null: it is measured, not computed"""
    source: str
    """the standard it is from; "" for ours"""
    better: Literal["higher", "lower", ""]
    inputs: list[InputAnswer]
    bounds: Bounds | None
    """what it could be, given the time without data; null where nothing is open"""
    coverage: Number | None
    """share of the planned busy time with data"""
    total: int
    """stretches of time behind it"""
    stretches: list[StretchAnswer]
    """the longest, in the order of time"""
    tags: list[SourceAnswer]


class ExplainView:
    """Reads ledgers and the ring and changes nothing."""

    def __init__(self, windows: Windows, times: Times, engine: Engine) -> None:
        self._windows = windows
        self._times = times
        self._engine = engine

    async def explain(self, name: str, figure: str, window: str, back: int) -> ExplainAnswer:
        """`figure`: a KPI of the catalogue, or an element that formulas name; raises NotThere."""
        chosen = self._windows.choose(name, window, back)
        cell, kind = chosen.report.cell, chosen.window.kind
        known = {**catalog.elements(cell), **catalog.kpi_values(cell, kind)}
        definitions = {one.name: one for one in catalog.definitions_of(kind, metered=bool(cell.energy.metered))}
        if figure not in known:
            raise NotThere(f"there is no figure {figure}", get_close_matches(figure, known, _NEAR, 0.4))
        definition = definitions.get(figure)
        names = definition.inputs if definition else (figure,)
        behind = _behind(await chosen.slices(), names, definitions)
        bounds = kpi.bounds(cell).get(_BOUNDED.get(figure, figure))
        return ExplainAnswer(
            **chosen.head(self._times.iso),
            name=figure,
            value=number(known[figure]),
            unit=definition.unit if definition else _unit(figure),
            formula=definition.formula if definition else None,
            source=definition.source if definition else "",
            better=definition.better if definition else "",
            inputs=[
                InputAnswer(name=one, value=number(known[one]), unit=_unit_of(one, definitions)) for one in names
            ] if definition else [],
            bounds=None if bounds is None else Bounds(low=float(bounds[0]), high=float(bounds[1])),
            coverage=number(kpi.coverage(cell)),
            total=len(behind),
            stretches=[self._stretch(one) for one in _longest(behind)],
            tags=[self._source(role, tag) for role, tag in roles(chosen.machine)],
        )  # fmt: skip

    def _stretch(self, one: Slice) -> StretchAnswer:
        return StretchAnswer(
            start=self._times.iso(one.start),
            end=self._times.iso(one.end),
            seconds=one.length / SECOND,
            bucket=one.bucket,
            state=cast(StateName, one.state.name),
            reason=one.reason or None,
        )

    def _source(self, role: str, tag: Tag) -> SourceAnswer:
        latest = self._engine.ring.latest
        quality = int(latest.quality[tag.position])
        return SourceAnswer(
            role=role,
            tag=tag.id,
            value=plain(tag, float(latest.value[tag.position])),
            unit=tag.unit,
            quality=cast(QualityName, class_name(quality)),
            why=reason_name(quality) or None,
        )


# What the bounds call availability and performance is what the standard does.
_BOUNDED: Final = {"availability_iso": "availability", "effectiveness_iso": "performance"}


def roles(machine: Machine) -> list[tuple[str, Tag]]:
    """The tags a machine draws from, each with what it is to it."""
    spec = machine.spec
    found: list[tuple[str, Tag | None]] = []
    for source in spec.state_sources():
        found += source.inputs.items()
    found += [*spec.counts.items(), ("job", spec.job), ("order", spec.order), ("number", spec.number)]
    found += [("energy", tag) for tag, _ in spec.meters]
    found += [("gauge", tag) for gauge in spec.gauges for tag in (gauge.tag, gauge.trigger)]
    return [(role, tag) for role, tag in found if tag is not None]


def _behind(slices: list[Slice], names: tuple[str, ...], definitions: Mapping[str, Definition]) -> list[Slice]:
    buckets: set[str] = set()
    for name in names:
        inner = definitions[name].inputs if name in definitions else (name,)
        buckets.update(bucket for one in inner for bucket in _BEHIND.get(one, (one,)))
    only_unknown = "unk_raw" in names
    return [one for one in slices if one.bucket in buckets and (not only_unknown or one.state is MachineState.UNKNOWN)]


def _longest(found: list[Slice]) -> list[Slice]:
    if len(found) <= MOST:
        return found
    return sorted(sorted(found, key=lambda one: -one.length)[:MOST])


def _unit_of(name: str, definitions: Mapping[str, Definition]) -> str:
    return definitions[name].unit if name in definitions else _unit(name)


def _unit(element: str) -> str:
    return _UNITS.get(element) or ("Wh" if element.startswith("e_") else "s")
