"""What discovery has found, written down: a device section for each unit, and the same as a tag list. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from edge_agent.api import Discovery
from edge_agent_modbus.address import Area
from edge_agent_modbus.commission.asker import told
from edge_agent_modbus.commission.asking import Target
from edge_agent_modbus.commission.explore import Findings
from edge_agent_modbus.commission.identify import NAMES

_LETTER: Final = {Area.HOLDING: "h", Area.INPUT: "i", Area.COIL: "c", Area.DISCRETE: "d"}
# A block with more values that are not 0 becomes an array: nobody reads a hundred lines.
_SINGLE: Final = 24
# Tags of one area beyond which a list is no help; all blocks are named in the comments.
_MOST: Final = 125
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
_NAME_LENGTH: Final = 40


@dataclass(slots=True)
class Unit:
    """What is known of one unit, as far as it was looked at."""

    number: int
    areas: dict[Area, Findings] = field(default_factory=dict)
    identity: dict[int, str] = field(default_factory=dict)
    alike: list[int] = field(default_factory=list)
    """other ids under which the same device answers"""
    gone: list[Area] = field(default_factory=list)
    """areas during which it fell silent"""
    cut: list[Area] = field(default_factory=list)
    """areas of which not everything is listed"""
    is_mute: bool = False
    """it says nothing where others refuse: asking again is of no use"""

    @property
    def is_readable(self) -> bool:
        """Whether anything of it can be read."""
        return any(found.runs for found in self.areas.values())

    @property
    def name(self) -> str:
        """A device id: from what it says it is, else its number."""
        said = next((self.identity[number] for number in (4, 1, 5) if number in self.identity), "unit")
        slug = _NO_NAME.sub("-", said.lower()).strip("-")[:_NAME_LENGTH].strip("-")
        return f"{slug or 'unit'}-{self.number}"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tag, or an array of `count`."""

    area: Area
    start: int
    count: int = 1

    @property
    def name(self) -> str:
        return f"{_LETTER[self.area]}{self.start}"


def listed(target: Target, units: Sequence[Unit], *, complete: bool) -> Discovery:
    """The sections and rows of all units that can be read."""
    lines = ["devices:"] if any(unit.is_readable for unit in units) else []
    rows: list[Mapping[str, str]] = []
    for unit in units:
        if unit.is_readable:
            entries = _entries(unit)
            lines += [f"  {line}" if line else "" for line in _section(target, unit, entries)]
            rows += _rows(target, unit, entries)
        else:
            lines.append(f"# unit {unit.number} answers, but nothing of it can be read: {_refusals(unit)}")
    if not complete:
        lines.append("# ended before everything was looked at")
    return Discovery("\n".join(lines) + "\n", rows)


def _section(target: Target, unit: Unit, entries: Sequence[_Entry]) -> Iterator[str]:
    yield f"{unit.name}:"
    for number, text in sorted(unit.identity.items()):
        yield f"  # {NAMES.get(number, f'object {number}')}: {text}"
    if unit.alike:
        yield f"  # answers to units {', '.join(map(str, unit.alike))} alike"
    for area, found in unit.areas.items():
        yield from (f"  # {line}" for line in _blocks(area, found, target.base, gone=area in unit.gone))
    yield "  driver: modbus"
    yield f"  url: {_scalar(target.url_of(unit.number))}"
    keys = dict(target.keys)
    for key, areas in (("max_registers", (Area.HOLDING, Area.INPUT)), ("max_bits", (Area.COIL, Area.DISCRETE))):
        caps = [cap for area in areas if area in unit.areas and (cap := unit.areas[area].cap())]
        if caps and key not in target.keys and key not in target.line.options:
            yield f"  {key}: {min(caps)}    # more was refused; edge-agent probe … --limits finds the exact number"
    for key, value in keys.items():
        yield f"  {key}: {_scalar(value)}"
    for area in unit.cut:
        yield f"  # of {area.word} only the first {_MOST} are listed; the rest can be read as well"
    yield "  tags:"
    for entry in entries:
        yield f"    {_tag(target, unit, entry)}"


def _blocks(area: Area, found: Findings, base: int, *, gone: bool) -> Iterator[str]:
    """What can be read of an area, a few blocks a line."""
    if gone:
        yield f"{area.word}: no answer any more while this was looked at"
    ends = [(start + base, end - 1 + base) for start, end in found.runs]
    runs = [f"{first}-{last}" if last > first else str(first) for first, last in ends]
    for n in range(0, len(runs), 10):
        yield f"{area.word} {', '.join(runs[n : n + 10])} can be read"


def _entries(unit: Unit) -> list[_Entry]:
    """The tags: each value that is not 0, or the whole block where those are many; one value of a unit of zeros."""
    entries: list[_Entry] = []
    for area, found in unit.areas.items():
        left = _MOST
        for start, end in found.runs:
            values = [n for n in range(start, end) if found.data.get(n)]
            if len(values) > _SINGLE:
                block = [_Entry(area, start, min(end - start, left))] if left else []
            else:
                block = [_Entry(area, n) for n in values[:left]]
            entries += block
            left -= sum(entry.count for entry in block)
        if not left:
            unit.cut.append(area)
    if entries:
        return entries
    area, found = next((area, found) for area, found in unit.areas.items() if found.runs)
    return [_Entry(area, found.runs[0][0])]


def _tag(target: Target, unit: Unit, entry: _Entry) -> str:
    where = f"{entry.area.word}:{entry.start + target.base}"
    if entry.count > 1:
        return f'{entry.name}: "{where} count={entry.count}"'
    return f'{entry.name}: "{where}"'.ljust(28) + f"# {unit.areas[entry.area].data[entry.start]}"


def _rows(target: Target, unit: Unit, entries: Sequence[_Entry]) -> Iterator[Mapping[str, str]]:
    for entry in entries:
        data = unit.areas[entry.area].data
        for n in range(entry.count):
            value = data[entry.start + n]
            yield {
                "device": unit.name,
                "tag": entry.name if entry.count == 1 else f"{entry.name}-{n}",
                "address": f"{entry.area.word}:{entry.start + n + target.base}",
                "type": "bool" if entry.area.is_bits else "uint16",
                "order": "",
                "scale": "1",
                "offset": "0",
                "unit": "",
                "value": str(value),
                "raw": str(value) if entry.area.is_bits else f"{value:04x}",
                "url": target.url_of(unit.number),
            }


def _refusals(unit: Unit) -> str:
    codes = sorted({code for found in unit.areas.values() for code in found.codes})
    return "; ".join(map(told, codes))


def _scalar(value: Any) -> str:
    """A value as it stands behind a key, in one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
