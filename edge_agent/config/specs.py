"""From the site file to the core: what each machine draws from and by which rules."""

from __future__ import annotations

from functools import partial

from edge_agent.config.machine import MachineModel
from edge_agent.config.site import Site
from edge_agent.core.calendar import Calendar
from edge_agent.core.machine import MachineSpec
from edge_agent.core.tags import Tag, TagTable


def machine_specs(site: Site, table: TagTable) -> list[MachineSpec]:
    """One spec a machine, in the order of the file; tags are those of `table`."""
    zone = site.agent.timezone
    calendars = {name: calendar.to_core(zone) for name, calendar in site.calendars.items()}
    always = Calendar(zone, shifts=None)
    return [
        _spec(site, name, model, always if model.calendar is None else calendars[model.calendar], table)
        for name, model in site.machines.items()
    ]


def _spec(site: Site, name: str, model: MachineModel, calendar: Calendar, table: TagTable) -> MachineSpec:
    def tag(reference: str) -> Tag:
        return table[table.position(reference)]

    counts = model.counts.tags()
    return MachineSpec(
        id=name,
        line=model.line or "",
        state=tag(model.state.tag),
        states=model.state.states(),
        otherwise=model.state.default,
        dwell_ns=model.state.dwell,
        counts={source: tag(reference) for source, reference in counts.items()},
        counters={source: partial(site.counter, name, source) for source in counts},
        job=tag(model.job.tag) if model.job else None,
        products=model.products(),
        ideal=model.ideal_cycle,
        order=tag(model.order.tag) if model.order else None,
        calendar=calendar,
        policy=model.policy(),
        zone=site.agent.timezone,
        config_hash=site.config_hash(name),
        min_coverage=site.kpi.min_coverage,
    )
