"""What a replay needs of a site: its tags, its machines and the window asked for. Picklable, and without secrets."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import Site, machine_specs, scopes
from edge_agent.core.machine import MachineSpec
from edge_agent.core.rollup import Scope
from edge_agent.core.tags import Kind, TagTable
from edge_agent.replay.window import CUSTOM, Asked


@dataclass(frozen=True)
class Plan:
    """Machines in the order of the site file; their tags are those of `table`. Of `scopes` every machine is here.

    What a history holds are final values, so the tags of `table` have no scale. `open`: positions of tags of
    which the site file does not say whether they hold numbers or texts (an OPC UA node tells when connected):
    what is found in the history decides. `drawn`: positions of what all machines asked for draw from, also those
    that `only` leaves out.
    """

    table: TagTable
    specs: tuple[MachineSpec, ...]
    scopes: tuple[Scope, ...]
    asked: Asked
    watermark_ns: int
    restate_ns: int
    flush_ns: int
    zone: str
    open: frozenset[int]
    drawn: frozenset[int]

    def wanted(self) -> NDArray[np.bool_]:
        """Shape (tags,): those that a machine draws from."""
        mask = np.zeros(len(self.table), np.bool_)
        for spec in self.specs:
            mask[[tag.position for tag in spec.tags()]] = True
        return mask

    @property
    def needed_until(self) -> int | None:
        """What comes later changes nothing, ns UTC; None: everything is needed."""
        if self.asked.kind != CUSTOM:
            return self.asked.as_of
        due = self.asked.end + self.watermark_ns
        return due if self.asked.as_of is None else min(due, self.asked.as_of)

    def only(self, machines: Collection[str]) -> Plan:
        """The same for some of the machines."""
        return replace(self, specs=tuple(spec for spec in self.specs if spec.id in machines))


def make_plan(site: Site, asked: Asked, machines: Collection[str] | None = None) -> Plan:
    """`machines`: only these; None: all. ValueError for one that the site does not have."""
    table = site.tag_table()
    for tag in table:
        tag.scale, tag.offset = 1.0, 0.0
    every = machine_specs(site, table)
    specs = [_without_site(spec) for spec in every if machines is None or spec.id in machines]
    known = {spec.id for spec in specs}
    whole = tuple(scope for scope in scopes(site, every) if known.issuperset(scope.machines))
    return Plan(
        table, tuple(specs), whole, asked, site.kpi.watermark, site.kpi.restate, site.journal.flush,
        site.agent.timezone, frozenset(position for spec in specs for position in _open(spec)),
        frozenset(tag.position for spec in specs for tag in spec.tags()),
    )  # fmt: skip


def _without_site(spec: MachineSpec) -> MachineSpec:
    """Its counters are copies of fresh ones, not made by asking the site, which holds passwords."""
    return replace(spec, counters={source: partial(copy, make()) for source, make in spec.counters.items()})


def _open(spec: MachineSpec) -> list[int]:
    """Where a text may stand: what tells job or state, unless its kind is known or it is needed as a number."""
    numbers = {tag.position for tag in (*spec.counts.values(), spec.order) if tag is not None}
    told = [tag for way in spec.state_sources() for role, tag in way.inputs.items() if role not in way.exact]
    named = [*told, *([] if spec.job is None else [spec.job])]
    return [tag.position for tag in named if tag.kind is Kind.FLOAT and tag.position not in numbers]
