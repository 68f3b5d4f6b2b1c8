"""From the site file to the core: machines and their rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from edge_agent.config.carbon import factors, label
from edge_agent.config.machine import MachineModel
from edge_agent.config.site import Site
from edge_agent.config.state_names import by_code_and_text
from edge_agent.core.fitted import Fitted
from edge_agent.core.machine import MachineSpec
from edge_agent.core.meter import MeterSpec
from edge_agent.core.rates import Versions
from edge_agent.core.readings import Gauge
from edge_agent.core.tags import Tag, TagTable
from edge_agent.core.wall import wall_to_ns


def machine_specs(site: Site, table: TagTable) -> list[MachineSpec]:
    """One spec a machine, in the order of the file; tags are those of `table`."""
    return [_spec(site, name, model, table) for name, model in site.machines.items()]


def _spec(site: Site, name: str, model: MachineModel, table: TagTable) -> MachineSpec:
    def tag(reference: str) -> Tag:
        return table[table.position(reference)]

    counts = model.counts.tags()
    work = {what: tag(reference) for what, reference in model.work_tags().items()}
    ideals = model.ideals().values()
    meters = [one.spec(key, site.tag_config(one.tag)) for key, one in model.meters().items()]
    return MachineSpec(
        id=name,
        line=site.line_of(name),
        counts={source: tag(reference) for source, reference in counts.items()},
        counters={source: partial(site.counter, name, source) for source in counts},
        job=work.get("job"),
        products=model.products(),
        ideal=model.ideal_cycle,
        versions=_versions(model, site.agent.timezone),
        order=work.get("order"),
        number=work.get("number"),
        planned_scrap=model.planned_scrap(),
        calendar=site.plan(name),
        policy=replace(model.policy(), fitted=_fitted(site, model, meters)),
        zone=site.agent.timezone,
        config_hash=site.config_hash(name),
        min_coverage=site.kpi.min_coverage,
        patience_ns=model.patience_ns(),
        grain_ns=_grain_ns(site, model),
        units=model.units_per_count,
        units_of=model.units_of(),
        runs=model.counts.runs,
        **model.state.to_core(tag, max(ideals, default=Fraction(0)), model.micro_stop),
        meters=tuple((tag(model.meters()[spec.name].tag), spec) for spec in meters),
        gauges=tuple(
            Gauge(key, tag(one.tag), tag(one.trigger) if one.trigger else None)
            for key, one in model.characteristics.items()
        ),
        carbon=label(site.carbon) if meters else {},
    )


def _fitted(site: Site, model: MachineModel, meters: Sequence[MeterSpec]) -> Fitted:
    return Fitted(
        tuple((spec.name, spec.limit) for spec in meters),
        tuple((one.core(name), one.trigger is not None) for name, one in model.characteristics.items()),
        factors(site.carbon),
    )


def _grain_ns(site: Site, model: MachineModel) -> int:
    """How often the counter of strokes is read, ns."""
    tags = model.counts.tags()
    stroke = tags.get("total") or tags.get("good")
    if stroke is None:
        return 0
    return site.devices[stroke.partition(".")[0]].period_ns(site.tag_config(stroke))


def _versions(model: MachineModel, zone: str) -> Versions:
    """By the name of the product in the ledger, which is the text of the tag's value."""
    return {
        str(product): sorted((wall_to_ns(since, zone), ideal) for since, ideal in many.items())
        for product, many in by_code_and_text(model.versions()).items()
    }
