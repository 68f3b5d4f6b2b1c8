"""What the configuration says of one machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from edge_agent.core import kpi
from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.counters import Counter
from edge_agent.core.inputs import Inputs
from edge_agent.core.judges import RolesJudge
from edge_agent.core.ledger import Policy
from edge_agent.core.meter import MeterSpec
from edge_agent.core.models import MapModel, StateModel
from edge_agent.core.rates import Versions
from edge_agent.core.readings import Gauge
from edge_agent.core.sources import Rank, Sources, SourceSpec
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Tag


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """What the configuration says of one machine; tags are positions in the tag table.

    Its state comes from one tag, `state`, whose values `states` names; or, where `state` is None, from the
    `inputs` of a `model`, by role; or from `sources`, which come before both.
    """

    id: str
    state: Tag | None
    states: Mapping[int | str, MachineState | tuple[MachineState, str]]
    calendar: Calendar
    policy: Policy
    counts: Mapping[str, Tag]                       # of total, good, scrap, rework, inspected, first_pass
    line: str = ""
    otherwise: MachineState | None = None           # for values that `states` does not name
    dwell_ns: int = 0
    counters: Mapping[str, Callable[[], Counter]] = field(default_factory=dict)     # a fresh one per count
    job: Tag | None = None
    products: Mapping[int | str, Fraction] = field(default_factory=dict)    # ideal cycle, seconds
    ideal: Fraction | None = None                   # for a machine without a job tag
    versions: Versions = field(default_factory=dict)                        # later ideal cycles
    order: Tag | None = None
    number: Tag | None = None                       # the order's number, or name
    planned_scrap: Mapping[str, Fraction] = field(default_factory=dict)     # product → share
    zone: str = "UTC"
    config_hash: str = ""
    min_coverage: float = 0.9
    patience_ns: int | None = None                  # so long it may run without a piece
    model: StateModel | None = None
    inputs: Mapping[str, Tag] = field(default_factory=dict)
    units: int = 1                                  # pieces of one stroke, which is what total and good count
    units_of: Mapping[str, int] = field(default_factory=dict)               # product → its own
    grain_ns: int = 0                               # how coarsely strokes are read in time
    runs: bool = False                              # the total is inferred from when it runs, not counted
    sources: Sequence[SourceSpec] = ()
    meters: tuple[tuple[Tag, MeterSpec], ...] = ()
    gauges: tuple[Gauge, ...] = ()
    carbon: Mapping[str, Any] = field(default_factory=dict)     # what `policy.fitted.factors` are, for the record

    def tags(self) -> list[Tag]:
        """Every tag the machine draws from."""
        named = [*self.state_tags(), *self.counts.values(), self.job, self.order, self.number]
        named += [tag for tag, _ in self.meters]
        named += [tag for gauge in self.gauges for tag in (gauge.tag, gauge.trigger)]
        return [tag for tag in named if tag is not None]

    def flags(self, cell: Cell) -> tuple[str, ...]:
        """What a reader must know before trusting the figures of a cell of this machine."""
        return tuple(kpi.flags(cell, self.min_coverage, self.patience_ns))

    def state_tags(self) -> list[Tag]:
        """Every tag that tells the state."""
        return [tag for source in self.state_sources() for tag in source.inputs.values()]

    def state_model(self) -> StateModel:
        """What tells the state from the values of `state_inputs`."""
        return self.model or MapModel(self.states, self.otherwise)

    def state_inputs(self) -> Mapping[str, Tag]:
        """Role → tag of what the state model draws from."""
        return self.inputs if self.state is None else {"state": self.state}

    def state_sources(self) -> Sequence[SourceSpec]:
        """What tells the state, each with its own judge."""
        if self.sources:
            return self.sources
        inputs = self.state_inputs()
        return [SourceSpec(Rank.NATIVE, RolesJudge(self.state_model(), tuple(inputs), dwell_ns=self.dwell_ns), inputs)]

    @property
    def lag_ns(self) -> int:
        """So long after a state has begun it is certain at the latest."""
        return max((source.judge.lag_ns for source in self.state_sources()), default=0)

    def state_of(self) -> Inputs | Sources:
        """What turns samples into states; the short way where one source tells it and nothing has to last."""
        if self.sources or self.dwell_ns:
            return Sources(self.state_sources())
        return Inputs(self.state_model(), self.state_inputs())
