"""What different sources say of one machine, held against each other (domain 4.6, consistency).

Two things are compared: the counters with the state, by each final report; and a power tag with the state,
every minute, where the site file says above which power the machine is running.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.asset import Asset
from edge_agent.core.batch import Floats, Int64s
from edge_agent.core.kpi import COUNT_SKEW, COUNT_WITHOUT_RUN, RUN_WITHOUT_COUNT
from edge_agent.core.machine import Machine
from edge_agent.core.report import Report
from edge_agent.core.states import MachineState

Flags = NDArray[np.bool_]

EVERY_NS: Final = 60_000_000_000
# State and power come at different times; only what has stood for so long is compared.
_SETTLED_NS: Final = 60_000_000_000

Check = tuple[list[int], bool]
"""Positions of the tags that were compared, and whether they agree."""


def by_report(machine: Machine, report: Report) -> Iterator[Check]:
    """What the counts of a window say of its states, and of each other."""
    cell, flags = report.cell, report.flags
    counts = [tag.position for tag in machine.spec.counts.values()]
    if cell.pq or cell.apt:
        state = [tag.position for tag in machine.spec.state_tags()]
        yield [*state, *counts], not {COUNT_WITHOUT_RUN, RUN_WITHOUT_COUNT} & set(flags)
    if len(counts) > 1 and (cell.pq or cell.sq):
        yield counts, COUNT_SKEW not in flags


def by_power(
    assets: Sequence[Asset], machines: Mapping[str, Machine], values: Floats, good: Flags, seen: Int64s
) -> Iterator[Check]:
    """Whether machines draw power when they run and none when they do not, as of the latest samples."""
    for asset in assets:
        machine = machines.get(asset.machine)
        if asset.power is None or machine is None:
            continue
        position, running_above = asset.power
        state = [tag.position for tag in machine.deciding()]
        known = min((int(seen[at]) for at in [*state, position]), default=0)
        settled = known - machine.current.since >= _SETTLED_NS and all(good[at] for at in [*state, position])
        if settled and machine.current.state is not MachineState.UNKNOWN:
            runs = machine.current.state is MachineState.RUN
            yield [*state, position], runs == (float(values[position]) > running_above)
