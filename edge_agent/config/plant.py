"""From the site file to the core: the asset register, and which tags tell what of each entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from edge_agent.config.asset import AssetModel
from edge_agent.config.identifier import scheme_of
from edge_agent.config.machine import MachineModel
from edge_agent.config.plan import calendar_of, chain
from edge_agent.config.site import Site
from edge_agent.core.asset import Asset
from edge_agent.core.asset_class import ALARM, CLASSES, CYCLE, ENERGY, IDENTITY, JOB, SCRAP, STATE, TOTAL
from edge_agent.core.calendar import Calendar
from edge_agent.core.plant import Plant
from edge_agent.core.tags import TagTable
from edge_agent.core.units import Unit

# UCUM codes of power and energy, and the same as people write them: what tells of such a tag without being named.
POWER_UNITS: Final = frozenset(
    {"W", "kW", "MW", "VA", "kVA", "W.h", "kW.h", "MW.h", "Wh", "kWh", "MWh", "J", "kJ", "MJ", "GJ"}
)
# The specification by which a machine given as an instance is read.
_COMPANIONS: Final = {"packml": "OPC 30050", "machinery": "OPC 40001-1", "machinetool": "OPC 40501-1"}

Told = dict[str, set[str]]
"""Item → the `device.tag`s that tell it; none for what needs no tag."""


def plant(site: Site, table: TagTable) -> Plant:
    """The register; without one each device is an asset of its own, which needs no name to be counted."""
    assets = [_entry(site, table, name, model) for name, model in site.assets.items()]
    units = [Unit(name, _positions(table, [name], ()), (name,)) for name in site.devices]
    entries = [Unit(asset.unit, _of(site, table, site.assets[asset.id]), asset.devices) for asset in assets]
    return Plant(
        tuple(assets) or tuple(_device(site, table, name) for name in site.devices),
        {name: _protocol(device.url) or device.driver for name, device in site.devices.items()},
        (*units, *entries),
        tuple(unlisted(site)),
    )


def unlisted(site: Site) -> Iterator[str]:
    """`devices.x` and `machines.x` that belong to no entry of a register that is kept."""
    if not site.assets:
        return
    linked = {device for model in site.assets.values() for device in _devices(site, model)}
    machines = {model.machine for model in site.assets.values()}
    yield from (f"devices.{name}" for name in site.devices if name not in linked)
    yield from (f"machines.{name}" for name in site.machines if name not in machines)


def _entry(site: Site, table: TagTable, name: str, model: AssetModel) -> Asset:
    machine = site.machines[model.machine] if model.machine else None
    told = Told() if machine is None else machine_told(machine)
    for item, tag in model.tags.named().items():
        told.setdefault(item, set()).add(tag)
    own = [table[int(position)] for position in _of(site, table, model)]
    power = {tag.id for tag in own if tag.unit in POWER_UNITS} | ({model.power.tag} if model.power else set())
    if power:
        told[ENERGY] = told.get(ENERGY, set()) | power
    if any(site.devices[device].tells_alarms() for device in model.devices):
        told[ALARM] = set()
    return Asset(
        id=name,
        name=model.name,
        kind=model.kind,
        type=model.type,
        location=model.location,
        identifier=model.identifier or "",
        scheme=scheme_of(model.identifier or "") or "",
        is_production=model.is_production,
        status=model.status,
        key_operation=model.key_operation,
        automatic=CLASSES[model.kind].automatic if model.automatic is None else model.automatic,
        value=model.value,
        declared=frozenset(model.declared),
        semantic_model=model.semantic_model,
        data_grade=model.data_grade,
        companion=next((text for form, text in _COMPANIONS.items() if getattr(machine, form, None) is not None), ""),
        machine=model.machine or "",
        devices=tuple(_devices(site, model)),
        told=_told(table, told),
        machines=(model.machine,) if model.machine and _is_rated(site, model.machine) else (),
        calendars=_plan(site, model),
        power=(table.position(model.power.tag), model.power.running_above) if model.power else None,
    )


def _plan(site: Site, model: AssetModel) -> tuple[Calendar, ...]:
    """When it is planned to be busy: as its machine, else as it says itself."""
    if model.machine:
        return (site.plan(model.machine),)
    links = chain(site.calendars, model.calendar or (), site.agent.calendar or ())
    return (calendar_of(links, site.agent.timezone),) if links else ()


def _device(site: Site, table: TagTable, name: str) -> Asset:
    """A device that stands for itself: it tells what machines draw from it."""
    power = {tag.id for tag in table.device_tags(name) if tag.unit in POWER_UNITS}
    told: Told = {ENERGY: power} if power else {}
    if site.devices[name].tells_alarms():
        told[ALARM] = set()
    machines: list[str] = []
    for machine, model in site.machines.items():
        drawn = _drawn(model, name)
        for item, tags in drawn.items():
            told[item] = told.get(item, set()) | tags
        first = next(iter(model.state.inputs().values()))       # the others only add to it
        if _is_rated(site, machine) and _of_device(first) == name and {TOTAL, SCRAP} & drawn.keys():
            machines.append(machine)
    return Asset(
        id=name,
        devices=(name,),
        told=_told(table, told),
        machines=tuple(machines),
        calendars=tuple(site.plan(machine) for machine in machines),
        is_entry=False,
    )


def _is_rated(site: Site, machine: str) -> bool:
    """Whether it has a calendar and an ideal cycle that somebody gave: an estimate is no measure."""
    return bool(site.calendars_of(machine) and site.machines[machine].ideals())


def _drawn(model: MachineModel, device: str) -> Told:
    """What a machine draws from one device."""
    told = {item: {tag for tag in tags if _of_device(tag) == device} for item, tags in machine_told(model).items()}
    return {item: tags for item, tags in told.items() if tags}


def machine_told(model: MachineModel) -> Told:
    """What a machine's tags tell of it. Its cycle is known from its counts, for it has an ideal one.

    Pieces inferred from runs are not told by any tag.
    """
    counts = model.counts.tags()
    sorted_ = {counts[name] for name in ("good", "scrap") if name in counts}
    told: Told = {STATE: set(model.state.inputs().values())}
    if pieces := {counts["total"]} if "total" in counts else sorted_:
        told |= {TOTAL: pieces, CYCLE: pieces}
    if sorted_ and not model.counts.are_unsorted:
        told[SCRAP] = sorted_
    if jobs := {tag for what, tag in model.work_tags().items() if what != "order"}:
        told[JOB] = jobs
    if meters := {meter.tag for meter in model.meters().values()}:
        told[ENERGY] = meters
    if model.alarms is not None:
        told[ALARM] = set()
    return told


def _told(table: TagTable, told: Told) -> dict[str, tuple[int, ...]]:
    found = {item: tuple(sorted(table.position(tag) for tag in tags)) for item, tags in told.items()}
    return {IDENTITY: (), **found}


def _devices(site: Site, model: AssetModel) -> list[str]:
    """Devices from which anything of the asset comes, each once."""
    tags = [*(site.machines[model.machine].tags() if model.machine else []), *model.links()]
    return list(dict.fromkeys([*map(_of_device, tags), *model.devices]))


def _of(site: Site, table: TagTable, model: AssetModel) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The positions of all tags of an entry."""
    tags = [*(site.machines[model.machine].tags() if model.machine else []), *model.links()]
    return _positions(table, model.devices, tags)


def _positions(
    table: TagTable, devices: Iterable[str], tags: Iterable[str]
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    found = {tag.position for device in devices for tag in table.device_tags(device)}
    found |= {table.position(tag) for tag in tags}
    return np.array(sorted(found), np.intp)


def _of_device(tag: str) -> str:
    return tag.partition(".")[0]


def _protocol(url: str) -> str:
    """`modbus+tcp`, `opc.tcp`: the scheme of its address."""
    scheme, has_one, _ = url.partition("://")
    return scheme if has_one else ""
