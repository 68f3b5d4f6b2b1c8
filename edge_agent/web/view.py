"""What the API shows of a running agent: the views on its parts, and its health and status in one look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, cast

import numpy as np

from edge_agent import __version__
from edge_agent.api import Clock, Driver
from edge_agent.config import Site
from edge_agent.core.engine import Engine
from edge_agent.core.machine import Machine
from edge_agent.core.quality import BAD
from edge_agent.core.report import Status
from edge_agent.health import Health
from edge_agent.journal import Journal
from edge_agent.web import answers
from edge_agent.web.alarms import AlarmsView
from edge_agent.web.chosen import Windows
from edge_agent.web.digital import DigitalView
from edge_agent.web.explain import ExplainView
from edge_agent.web.history import HistoryView
from edge_agent.web.kpis import KpiView
from edge_agent.web.lines import Followed, LinesView, Read
from edge_agent.web.losses import LossesView
from edge_agent.web.making import MakingView
from edge_agent.web.overview import OverviewView
from edge_agent.web.tags import TagsView
from edge_agent.web.times import Times
from edge_agent.why import line_chain

# Bad tags told by name: more makes no line that anybody reads.
_NAMED: Final = 3
# Machines in the status, which is to stay something one can read.
_MACHINES: Final = 100


class View:
    """Reads the agent's parts and changes nothing; every method is quick and does no I/O."""

    def __init__(
        self,
        site: Site,
        engine: Engine,
        drivers: Mapping[str, Driver],
        health: Health,
        journal: Journal,
        clock: Clock,
        status: Callable[[], Status],
        readers: Sequence[Read] = (),
        followers: Sequence[Followed] = (),
        asked: Callable[[str], Sequence[str]] = lambda _device: (),
        started_ns: int = 0,
    ) -> None:
        """`asked`: what a device is asked, in words; `started_ns`: when the agent began to work, if not just now."""
        self.site = site
        self.engine = engine
        self.clock = clock
        self.times = times = Times(site.zone)
        self._health = health
        self._status = status
        self._started = started_ns or clock()
        said_of = frozenset(
            name for name, one in site.machines.items() if one.operator is not None and "api" in one.operator.through
        )
        windows = Windows(site, engine, clock, times)
        self.tags = TagsView(site, engine, drivers, health, clock, times, self._started)
        self.history = HistoryView(site, engine, clock, times)
        self.past = AlarmsView(site, engine, clock, times)
        self.kpis = KpiView(site, engine, clock, times.iso)
        self.overview = OverviewView(site, engine, clock, times, self.kpis)
        self.losses = LossesView(windows, times, said_of)
        self.making = MakingView(windows, times, clock)
        self.explain = ExplainView(windows, times, engine)
        self.digital = DigitalView(engine, clock, health.down)
        self.lines = LinesView(site, engine, health, journal, times, status, readers, followers, asked)

    def health(self) -> answers.Health:
        """Whether all lines stand and the journal is fine."""
        problems = self._problems(self._status())
        return answers.Health(ok=not problems, problems=problems)

    def status(self) -> answers.StatusAnswer:
        """Everything at a glance."""
        status = self._status()
        devices = self.lines.device_states()
        unnamed = [str(one) for machine in self.engine.machines.values() for one in machine.unnamed.met.values()]
        problems = [*self._problems(status), *_of_tags(devices, self.engine), *unnamed]
        return answers.StatusAnswer(
            agent=self.site.agent.id,
            version=__version__,
            time=self.times.iso(status.time),
            started=self.times.iso(self._started),
            ok=not problems,
            problems=problems,
            devices=devices,
            destinations=self.lines.destination_states(),
            kpis=self.kpis.figures(),
            machines={name: self._machine(one) for name, one in islice(self.engine.machines.items(), _MACHINES)},
            backlog=dict(status.backlog),
            counts=dict(status.counts),
            journal=self.lines.journal_state(status),
        )

    def _problems(self, status: Status) -> list[str]:
        """Lines that do not stand, then the journal and the audit log."""
        lines = [*self._health.devices.values(), *self._health.destinations.values()]
        now = self.clock()
        problems = [
            f"{line.name}: {'; '.join(line_chain(line, now, self.times.zone))}"
            for line in lines
            if line.state != "connected"
        ]
        if status.journal:
            problems.append(f"journal: {status.journal}")
        if status.audit:
            problems.append(f"audit log: {status.audit}; nothing is written to equipment until it can be")
        return problems

    def _machine(self, machine: Machine) -> answers.MachineAnswer:
        span = machine.shown(self.clock())
        return answers.MachineAnswer(
            state=cast(answers.StateName, span.state.name),
            reason=span.reason or None,
            since=self.times.iso(span.start),
            source="operator" if span.source else None,
        )


def _of_tags(devices: Mapping[str, answers.Device], engine: Engine) -> Iterator[str]:
    """Devices whose line stands and some of whose tags are bad all the same, and which."""
    for name, device in devices.items():
        if device.state == "connected" and (bad := device.tags.bad):
            number = sum((device.tags.good, device.tags.uncertain, bad))
            classes = engine.ring.latest.quality[engine.table.device_slice(name)] >> 6
            first = np.flatnonzero(classes == BAD >> 6)[:_NAMED]
            names = ", ".join(engine.table.device_tags(name)[position].name for position in first)
            more = f" and {bad - len(first)} more" if bad > len(first) else ""
            yield f"{name}: {bad} of {number} tags without a good value ({names}{more}); edge-agent why TAG tells why"
