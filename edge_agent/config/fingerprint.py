"""The config hash: KPIs are comparable only where everything that moves them is the same (domain 2.2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from edge_agent.api import TagConfig
from edge_agent.config.calendar import CalendarModel
from edge_agent.config.machine import MachineModel
from edge_agent.core.counters import Counter

# 48 bits: a plant that changed its rules every minute for a century would not meet one twice.
_CHARS: Final = 12


def config_hash(
    machine: MachineModel,
    calendar: CalendarModel | None,
    zone: str,
    counters: Mapping[str, Counter],
    tags: Mapping[str, TagConfig],
) -> str:
    """12 hex digits of everything that moves the machine's KPIs.

    `counters` are those in force by source, `tags` the configurations of the tags it draws from. A
    default and the same value written out, another order of keys, another name of the machine or
    another address of a device give the same hash.
    """
    told: dict[str, Any] = {
        "zone": zone,
        "calendar": None if calendar is None else _calendar(calendar),
        "state": [_pairs(machine.state.map), _name(machine.state.default), machine.state.dwell],
        "counters": {source: [one.bits, str(one.max_rate), one.jitter] for source, one in counters.items()},
        "tags": _pairs({**machine.counts.tags(), **_others(machine)}),
        "scaling": {name: _scaling(tag) for name, tag in tags.items()},
        "ideals": {product: str(ideal) for product, ideal in machine.ideals().items()},
        "policy": [machine.micro_stop, machine.unknown, machine.hold_max, machine.outside_plan],
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_CHARS]


def _scaling(tag: TagConfig) -> list[Any]:
    shape = tag.shape()
    return [tag.scale, tag.offset, list(tag.range or ()), *([shape] if shape else [])]


def _others(machine: MachineModel) -> dict[str, str]:
    named = {"state": machine.state, "job": machine.job, "order": machine.order}
    return {name: model.tag for name, model in named.items() if model is not None}


def _calendar(calendar: CalendarModel) -> list[Any]:
    shifts = [
        [name, list(s.days), str(s.start), str(s.end), sorted([str(b.start), b.for_] for b in s.breaks)]
        for name, s in sorted(calendar.shifts.items())
    ]
    planned = sorted([down.start.isoformat(), down.end.isoformat()] for down in calendar.planned_down)
    return [shifts, planned, sorted([day.isoformat(), kind] for day, kind in calendar.exceptions.items())]


def _pairs(mapping: Mapping[str, Any]) -> list[list[str]]:
    return sorted([key, _name(value)] for key, value in mapping.items())


def _name(value: Any) -> str:
    return str(getattr(value, "name", value))
