"""What came of a scenario: everything that verdicts and pictures are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent_hil.runner.heard import Heard
from edge_agent_hil.runner.load import Loaded
from edge_agent_hil.runner.scenario_file import BROKER, Step
from edge_agent_hil.runner.shown import Shown


@dataclass(frozen=True, slots=True)
class Fault:
    """A step as it was carried out, ns UTC."""

    step: Step
    begin: int
    end: int
    devices: frozenset[str]
    """whose data it touches"""

    @property
    def is_north(self) -> bool:
        """Between agent and broker, or the broker itself: nothing keeps the agent from seeing its machines."""
        return self.step.broker is not None or self.step.wire == BROKER

    @property
    def is_gateway(self) -> bool:
        """The agent's own process, clock or disk."""
        return self.step.gateway is not None


@dataclass(frozen=True, slots=True)
class Gauge:
    """The agent, looked at from outside, at one moment."""

    t: int
    """ns UTC"""
    memory: int
    """resident bytes; 0 while there is no process"""
    backlog: int | None
    """what it says waits for the broker"""
    disk: int
    """bytes its data folder takes"""
    written: int
    """bytes given to the disk by all its processes so far"""
    problems: tuple[str, ...]
    """what it says is wrong"""


@dataclass(frozen=True, slots=True)
class Machine:
    """One simulated machine: what it did."""

    name: str
    driver: str
    shown: Mapping[str, Shown]
    """by tag"""
    states: Shown
    """names of states"""
    vectors: Mapping[int, Mapping[str, Any]]
    """by instant, that of the newest KPI record among them: the truth from the beginning of the shift until then"""
    slowest: int
    """the longest ideal cycle of its products, ns"""


@dataclass(slots=True)
class Played:
    """One run of one scenario."""

    loaded: Loaded
    seed: int
    begin: int
    """of the shift, ns UTC"""
    end: int
    machines: dict[str, Machine] = field(default_factory=dict)
    """those whose truth is known: none that stands for real equipment"""
    devices: tuple[str, ...] = ()
    """all of the site file that are judged"""
    faults: list[Fault] = field(default_factory=list)
    heard: Heard = field(default_factory=lambda: Heard(""))
    gauges: list[Gauge] = field(default_factory=list)
    connections: dict[str, int] = field(default_factory=dict)
    """by device: the most at once"""
    log: str = ""
    exit_code: int | None = 0
    drained: int | None = None
    """when nothing waited for the broker any more after the last fault, ns UTC"""
    trouble: str = ""
    """what kept the scenario from being played; there are no verdicts then"""
    skipped: str = ""
    """why this computer cannot play it; there are no verdicts then, and none is missed"""
    seconds: float = 0.0
    """it took"""
    settled: bool = True
    """whether the end was heard of before the patience ran out"""

    def concerning(self, device: str) -> list[Fault]:
        """Faults that touch the data of a device."""
        return [fault for fault in self.faults if device in fault.devices]
