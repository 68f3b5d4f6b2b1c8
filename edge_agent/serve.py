"""Servers: what they are told of the running agent, and keeping them listening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_agent.api import Batch, Clock, Kind, Listening, Server, Tag, Value
from edge_agent.core import kpi
from edge_agent.core.engine import Engine
from edge_agent.core.report import Report
from edge_agent.core.ring import NEVER
from edge_agent.health import Health, Line, Phrases
from edge_agent.supervise import Backoff, keep_connected

# Whoever has the port lets it go within seconds, if at all: mostly it is an agent that is still ending.
BACKOFF: Final = Backoff(first=0.5, longest=5.0)

PHRASES: Final = Phrases("listening on", "does not listen on", "it can")


@dataclass(slots=True)
class _Told:
    """The last report of an open window, and its figures once somebody has asked for one."""

    report: Report
    figures: dict[str, float | None] | None = None


class Look:
    """The agent as servers see it; see `api.Source`.

    KPIs are those of the reports last made (every `kpi.every`), so that a server shows what was published:
    two numbers for one KPI at one time would be one too many.
    """

    def __init__(self, engine: Engine, health: Health, clock: Clock) -> None:
        self.health = health
        self.now = clock
        self._reports: dict[tuple[str, str], _Told] = {}
        self.work_for(engine)

    def work_for(self, engine: Engine) -> None:
        """From now on it is this engine that is looked at."""
        self._engine = engine
        self._positions = np.arange(len(engine.table.places), dtype=np.int32)
        self._positions.flags.writeable = False

    def take_over(self, before: Look) -> None:
        """Show what was published so far, and be told together with `before` from now on."""
        self.health, self._reports = before.health, before._reports

    def note(self, report: Report) -> None:
        """Take a report as it is published."""
        if not report.final:
            self._reports[report.machine, report.window.kind] = _Told(report)

    def tags(self) -> Sequence[Tag]:
        """See `Source.tags`."""
        return tuple(self._engine.table)

    def machines(self) -> Sequence[str]:
        """See `Source.machines`."""
        return tuple(self._engine.machines)

    def windows(self) -> Sequence[str]:
        """See `Source.windows`."""
        return self._engine.kinds

    def latest(self) -> Batch:
        """See `Source.latest`."""
        latest = self._engine.ring.latest
        return Batch(self._positions, latest.time, latest.value, latest.quality)

    def value(self, tag: str) -> tuple[Value | None, int, int] | None:
        """See `Source.value`."""
        position = self._engine.table.position(tag)
        latest = self._engine.ring.latest
        time = int(latest.time[position])
        if time == NEVER:
            return None
        value: float = latest.value[position].item()
        quality = int(latest.quality[position])
        return self._as_kind(position, value), quality, int(self._engine.seen[position]) or time

    def _as_kind(self, position: int, value: float) -> Value | None:
        if value != value:
            return None
        tag = self._engine.table[position]
        if tag.kind is Kind.TEXT:
            return tag.vocabulary.proper(value)
        if tag.kind is Kind.BOOL:
            return bool(value)
        return int(value) if tag.kind is Kind.INT and value.is_integer() else value

    def kpi(self, machine: str, window: str, name: str) -> float | None:
        """See `Source.kpi`."""
        told = self._reports.get((machine, window))
        if told is None or self.now() >= told.report.window.end:
            return None
        if told.figures is None:
            figures = kpi.figures(told.report.cell)
            told.figures = {key: None if value is None else float(value) for key, value in figures.items()}
        return told.figures[name]

    def state(self, machine: str) -> int:
        """See `Source.state`."""
        return int(self._engine.machines[machine].shown(self.now()).state)

    def connected(self, device: str) -> bool:
        """See `Source.connected`."""
        line = self.health.devices.get(device)
        return line is not None and line.state == "connected"


async def keep_serving(name: str, listen: str, server: Server, health: Health, clock: Clock) -> None:
    """Listen, for ever; a port that is taken, and a fault of the server, cost nobody else anything."""
    line = health.servers.setdefault(name, Line(name, listen, phrases=PHRASES))
    await keep_connected(line, server.listen, _until_closed, lambda _reason: None, clock, BACKOFF)


async def _until_closed(listening: Listening) -> None:
    await listening.closed()
