"""From the site file to the core: machines and their rules, devices and what they tell."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np

from edge_agent.config.counts import PAIR
from edge_agent.config.machine import MachineModel
from edge_agent.config.site import Site
from edge_agent.config.state import by_code_and_text
from edge_agent.core.ladder import CYCLE, IDENTITY, POWER, SCRAP, STATE, TOTAL, DeviceFacts
from edge_agent.core.machine import MachineSpec
from edge_agent.core.rates import Versions
from edge_agent.core.tags import Tag, TagTable
from edge_agent.core.wall import wall_to_ns

# UCUM codes of power and energy, and the same as people write them: all the site file says of either.
POWER_UNITS: Final = frozenset(
    {"W", "kW", "MW", "VA", "kVA", "W.h", "kW.h", "MW.h", "Wh", "kWh", "MWh", "J", "kJ", "MJ", "GJ"}
)


def machine_specs(site: Site, table: TagTable) -> list[MachineSpec]:
    """One spec a machine, in the order of the file; tags are those of `table`."""
    return [_spec(site, name, model, table) for name, model in site.machines.items()]


def _spec(site: Site, name: str, model: MachineModel, table: TagTable) -> MachineSpec:
    def tag(reference: str) -> Tag:
        return table[table.position(reference)]

    counts = model.counts.tags()
    roles = model.state.roles
    return MachineSpec(
        id=name,
        line=site.line_of(name),
        state=None if model.state.tag is None else tag(model.state.tag),
        states=model.state.states(),
        otherwise=model.state.default,
        dwell_ns=model.state.dwell,
        counts={source: tag(reference) for source, reference in counts.items()},
        counters={source: partial(site.counter, name, source) for source in counts},
        job=tag(model.job.tag) if model.job else None,
        products=model.products(),
        ideal=model.ideal_cycle,
        versions=_versions(model, site.agent.timezone),
        order=tag(model.order.tag) if model.order else None,
        calendar=site.plan(name),
        policy=model.policy(),
        zone=site.agent.timezone,
        config_hash=site.config_hash(name),
        min_coverage=site.kpi.min_coverage,
        patience_ns=model.patience_ns(),
        model=None if roles is None else roles.core(),
        units=model.units_per_count,
        units_of=model.units_of(),
        runs=model.counts.runs,
        inputs={} if roles is None else {role: tag(reference) for role, reference in roles.inputs().items()},
    )


def _versions(model: MachineModel, zone: str) -> Versions:
    """By the name of the product in the ledger, which is the text of the tag's value."""
    return {
        str(product): sorted((wall_to_ns(since, zone), ideal) for since, ideal in many.items())
        for product, many in by_code_and_text(model.versions()).items()
    }


def device_facts(site: Site, table: TagTable) -> list[DeviceFacts]:
    """The facts of each device, in the order of the file.

    Of the required profile (domain 4.7) an alarm cannot be declared and is never mapped; power or
    energy is mapped where a tag has such a unit, everything else where a machine draws it.
    """
    mapped = {device: {IDENTITY} for device in site.devices}
    ready: dict[str, list[str]] = {device: [] for device in site.devices}
    for tag in table:
        if tag.unit in POWER_UNITS:
            mapped[tag.device].add(POWER)
    for name, model in site.machines.items():
        told = set(_told(model))
        for device, what in told:
            mapped[device].add(what)
        source = _source(model)
        if site.calendars_of(name) and told & {(source, TOTAL), (source, SCRAP)}:
            ready[source].append(name)
    return [
        DeviceFacts(
            device,
            table.device_slice(device),
            np.array([tag.stale_ns for tag in table.device_tags(device)], np.int64),
            frozenset(mapped[device]),
            tuple(ready[device]),
        )
        for device in site.devices
    ]


def _told(model: MachineModel) -> Iterator[tuple[str, str]]:
    """Device and what it tells of the machine; a device that counts knows the cycle where it is fixed."""
    yield _source(model), STATE
    if model.job is not None:
        yield _device(model.job.tag), CYCLE
    counts: dict[str, set[str]] = {}
    for source, tag in model.counts.tags().items():
        if source in PAIR:
            counts.setdefault(_device(tag), set()).add(source)
    for device, sources in counts.items():
        if "total" in sources or sources >= {"good", "scrap"}:
            yield device, TOTAL
        if sources & {"good", "scrap"}:
            yield device, SCRAP
        if model.ideal_cycle is not None:
            yield device, CYCLE


def _source(model: MachineModel) -> str:
    """The device that tells the state: of several inputs the first, which the others only add to."""
    return _device(next(iter(model.state.inputs().values())))


def _device(tag: str) -> str:
    return tag.partition(".")[0]
