"""The config hash: KPIs are comparable only where everything that moves them is the same (domain 2.2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from edge_agent.api import TagConfig
from edge_agent.config.carbon import CarbonModel, factors
from edge_agent.config.counts import RUNS
from edge_agent.config.line import LineModel
from edge_agent.config.machine import MachineModel
from edge_agent.core.counters import Counter

# 48 bits: a plant that changed its rules every minute for a century would not meet one twice.
_CHARS: Final = 12


def config_hash(
    machine: MachineModel,
    plan: str,
    counters: Mapping[str, Counter],
    tags: Mapping[str, TagConfig],
    carbon: CarbonModel | None = None,
) -> str:
    """12 hex digits of everything that moves the machine's KPIs.

    `plan` is the identity of its calendar, which knows the zone; `counters` are those in force by source, `tags`
    the configurations of the tags it draws from. A default and the same value written out, another order of keys,
    another name of the machine or another address of a device give the same hash.
    """
    named = _renamed(machine)
    told: dict[str, Any] = {
        "plan": plan,
        "state": machine.state.rules(),
        "counters": {source: one.rules for source, one in counters.items()},
        "tags": _pairs({what: named.get(tag, tag) for what, tag in _tags(machine).items()}),
        "scaling": {named.get(name, name): _scaling(tag) for name, tag in tags.items()},
        "ideals": {product: str(ideal) for product, ideal in machine.ideals().items()},
        "later": {
            product: sorted([since.isoformat(), str(ideal)] for since, ideal in many.items())
            for product, many in machine.versions().items()
        },
        "planned scrap": {product: str(share) for product, share in machine.planned_scrap().items()},
        "policy": [
            machine.micro_stop,
            machine.policy().unknown,
            machine.hold_max,
            machine.outside_plan,
            machine.no_order_is_planned_stop,
            *_more(machine),
        ],
        **_instruments(machine, tags, carbon),
    }
    if machine.estimate_cycle:
        told["estimate"] = True
    if machine.counts.runs:
        told["total"] = RUNS
    if machine.units_per_count != 1 or machine.units_of():
        told["units"] = [machine.units_per_count, machine.units_of()]
    return _digest(told)


def scope_hash(kind: str, machines: Mapping[str, str], line: LineModel | None, calendar: str) -> str:
    """12 hex digits of everything that moves a roll-up: the hashes of its machines by id, how they are lined up,
    and the identity of its calendar."""
    told: dict[str, Any] = {"kind": kind, "machines": sorted(machines.values()), "calendar": calendar}
    if line is not None and line.stations is not None:
        told["stations"] = [sorted(machines[one] for one in station) for station in line.stations]
        told["constraint"] = machines.get(line.constraint or "", "")
        told["design"] = str(line.design_cycle)
    return _digest(told)


def _digest(told: Mapping[str, Any]) -> str:
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_CHARS]


def _more(machine: MachineModel) -> list[str]:
    return [str(machine.startup_window), str(machine.capacity)]


def _instruments(
    machine: MachineModel, tags: Mapping[str, TagConfig], carbon: CarbonModel | None
) -> dict[str, Any]:
    """Nothing for a machine without meters and gauges, so that its hash stays what it was."""
    told: dict[str, Any] = {}
    if meters := machine.meters():
        specs = {name: one.spec(name, tags[one.tag]) for name, one in meters.items()}
        grid = factors(carbon)
        told["meters"] = [
            [name, one.tag, str(specs[name].energy), specs[name].modulus, str(specs[name].rate), specs[name].limit]
            for name, one in sorted(meters.items())
        ]
        told["carbon"] = [str(grid.grid), str(grid.coal)]
    if machine.characteristics:
        told["characteristics"] = [
            [name, one.tag, one.trigger, *one.core(name)[1:]] for name, one in sorted(machine.characteristics.items())
        ]
    return told


def _scaling(tag: TagConfig) -> list[Any]:
    shape = tag.shape()
    return [tag.scale, tag.offset, list(tag.range or ()), *([shape] if shape else [])]


def _tags(machine: MachineModel) -> dict[str, str]:
    told = machine.counts.tags() | machine.work_tags()
    if not machine.state.form and not machine.state.sources:
        return told | machine.state.inputs()
    return told | {f"state.{role}": tag for role, tag in machine.state.inputs().items()}


def _renamed(machine: MachineModel) -> dict[str, str]:
    """The tags that were added for an instance, without the machine's name in them."""
    instance = machine.instance
    if instance is None:
        return {}
    added = {**machine.counts.tags(), **machine.state.inputs()}
    return {tag: f"{instance.device}.{what}" for what, tag in added.items() if tag.startswith(f"{instance.device}.")}


def _pairs(mapping: Mapping[str, Any]) -> list[list[str]]:
    return sorted([key, _name(value)] for key, value in mapping.items())


def _name(value: Any) -> str:
    return str(getattr(value, "name", value))
