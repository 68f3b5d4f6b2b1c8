"""What the agent knows as properties at a time, as thing models have them.

Values are of the kind the model has: numbers of tags that are whole stay whole, ratios are floats, a state is a text.
What is undefined has no value and is left out. A tag's bad value is none: which tags were not good at a time is said
by the property `not_good` (`temp=bad,speed=uncertain`; of an uncertain one the value is told as well).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

from edge_agent.core import kpi
from edge_agent.core.cell import Cell
from edge_agent.core.report import Report, Samples, StateChange
from edge_agent.core.rollup import Rollup
from edge_agent.encode import json_samples
from edge_agent.encode.cloud_names import Names

NOT_GOOD: Final = "not_good"
STATE: Final = ("machine_state", "machine_reason")
RATIOS: Final = {
    "oee": "oee", "availability": "availability_classic", "performance": "performance_classic",
    "quality": "quality_count", "coverage": "data_coverage",
}  # fmt: skip
"""Ratios by the name of their property, without the window's kind: `oee_shift`."""
COUNTS: Final = {"total": "pq", "good": "gq", "scrap": "sq", "rework": "rq"}
OTHERS: Final = ("flags", "final")
FIGURES: Final = (*RATIOS, *COUNTS, *OTHERS)

_MS: Final = 1_000_000
# The texts of thing models hold 2048 bytes and more; with the longest identifiers this is some thirty tags.
_LONGEST_TEXT: Final = 2000


class Group(NamedTuple):
    """Properties at one time, ms UTC."""

    time: int
    values: Mapping[str, Any]


def tag_groups(samples: Samples, names: Names) -> tuple[list[Group], list[Group]]:
    """The good and uncertain values of a device's samples, and what was not good; each in time order.

    A property stands at a time once: platforms keep one value a property and millisecond. A second sample within
    the same one is told a millisecond later.
    """
    found: list[Group] = []
    last: dict[str, int] = {}
    doubted: list[tuple[int, list[str]]] = []
    for group in json_samples.groups(samples):
        quality: Mapping[str, str] = group.get("quality", {})
        values = {
            names.of(samples.device, name): value
            for name, value in group["values"].items()
            if value is not None and quality.get(name) != "bad"
        }
        if quality:
            doubted.append((group["t"], [f"{names.of(samples.device, n)}={q}" for n, q in quality.items()]))
        if values:
            time = max(group["t"], max(last.get(name, -1) for name in values) + 1)
            last.update(dict.fromkeys(values, time))
            found.append(Group(time, values))
    return found, list(_not_good(names.of(samples.device, NOT_GOOD), doubted))


def _not_good(property: str, doubted: Iterable[tuple[int, list[str]]]) -> Iterator[Group]:
    """Texts as few as hold them all; each at a time of its own, so that none replaces another."""
    last = -1
    for time, said in doubted:
        for text in _texts(said):
            last = max(time, last + 1)
            yield Group(last, {property: text})


def _texts(said: Iterable[str]) -> Iterator[str]:
    text = ""
    for one in said:
        if text and len(text) + len(one) >= _LONGEST_TEXT:
            yield text
            text = ""
        text = f"{text},{one}" if text else one
    yield text


def state_group(change: StateChange, names: Names) -> Group:
    """A machine's new state."""
    state, reason = (names.of(change.machine, name) for name in STATE)
    return Group(change.since // _MS, {state: change.state.name, reason: change.reason})


def report_group(report: Report, names: Names) -> Group:
    """A machine's KPIs, at the instant up to which they are known, at most the window's end."""
    return _figures(report.machine, report, kpi.kpis(report.cell), report.cell, names)


def rollup_group(rollup: Rollup, names: Names) -> Group:
    """Those of a line, an area or the site; of a serial line what is its own, see `core.lineup`."""
    values = dict(kpi.kpis(rollup.cell))
    if rollup.line is not None:
        values |= {name: None for name in RATIOS.values() if name != "data_coverage"}
        values["oee"] = rollup.line.kpi.get("line_oee")
    return _figures(f"{rollup.kind}/{rollup.id}", rollup, values, rollup.cell, names)


def _figures(
    owner: str, told: Report | Rollup, ratios: Mapping[str, Fraction | None], cell: Cell, names: Names
) -> Group:
    window = told.window
    said: dict[str, Any] = {
        figure: None if (ratio := ratios[name]) is None else float(ratio) for figure, name in RATIOS.items()
    }
    if not isinstance(told, Rollup) or told.line is None:
        said |= {figure: getattr(cell, name) for figure, name in COUNTS.items()}
    said |= {"flags": ",".join(told.flags), "final": told.final}
    values = {names.of(owner, f"{name}_{window.kind}"): value for name, value in said.items() if value is not None}
    return Group(min(told.as_of, window.end) // _MS, values)


def digital_group(payload: Mapping[str, Any], time_ns: int, names: Names) -> Group:
    """The plant's indices, properties of the gateway."""
    indices = {name: float(value) for name, value in payload["indices"].items() if value is not None}
    return Group(time_ns // _MS, {names.of("", name): value for name, value in indices.items()})


Encode = Callable[[Group], bytes]


def pieces(groups: Iterable[Group], encode: Encode, room: int, points: int) -> Iterator[tuple[bytes, int]]:
    """Each group encoded, and how many values it has; halved until it has at most `room` bytes and `points` values.

    A single value that is too large goes as it is: whoever sends it has to tell that it cannot be sent.
    """
    waiting = list(groups)[::-1]
    while waiting:
        group = waiting.pop()
        n = len(group.values)
        made = encode(group) if n <= points else b""
        if n > 1 and (not made or len(made) > room):
            items = list(group.values.items())
            waiting += [Group(group.time, dict(items[n // 2 :])), Group(group.time, dict(items[: n // 2]))]
        else:
            yield made, n


def packed(encoded: Iterable[tuple[bytes, int]], room: int, points: int) -> Iterator[list[bytes]]:
    """As few lists as keep the order, each of at most `room` bytes (with commas between) and `points` values."""
    part: list[bytes] = []
    filled = held = 0
    for one, n in encoded:
        if part and (filled + len(one) + 1 > room or held + n > points):
            yield part
            part, filled, held = [], 0, 0
        part.append(one)
        filled += len(one) + 1
        held += n
    if part:
        yield part
