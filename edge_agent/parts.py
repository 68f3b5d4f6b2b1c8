"""Everything a running agent consists of, in one place: what its duties are given."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge_agent.api import DriverPlugin, Server
from edge_agent.clock import SteadyClock
from edge_agent.config import Site
from edge_agent.core.engine import Engine
from edge_agent.health import Health
from edge_agent.journal import Alive, Journal
from edge_agent.north.follow import Follower
from edge_agent.serve import Look
from edge_agent.south.command import Commander
from edge_agent.south.intake import Intake
from edge_agent.south.operator import Operators
from edge_agent.south.reader import Reader


@dataclass(slots=True)
class Commits:
    """What the part that puts records aside and the part that commits them tell each other."""

    due: asyncio.Event = field(default_factory=asyncio.Event)
    until_ns: int = 0               # everything up to then has been put aside
    anything: bool = False          # and some of it is not committed yet
    since: float | None = None      # when the commit under way began, by the loop's time
    said: int = 0                   # of the journal's reports, how many were logged


class Serving(Protocol):
    """The HTTP API, as the other parts know it; without one its libraries are never loaded."""

    port: int

    async def keep_serving(self) -> None:
        """Serve, for ever."""
        ...

    def show(self, view: Any, hands: Any) -> None:
        """From now on requests see this, and streams that show what was before end."""
        ...


@dataclass(slots=True)
class Parts:
    """Everything a running agent consists of."""

    site: Site
    engine: Engine
    journal: Journal
    alive: Alive
    readers: list[Reader]
    followers: list[Follower]
    health: Health
    clock: SteadyClock
    look: Look
    servers: dict[str, Server]
    api: Serving | None = None      # None: off
    intake: Intake = field(init=False)          # what readers bring goes through it
    commander: Commander = field(init=False)    # every way to equipment leads through it
    operators: Operators = field(init=False)    # what people say of machines
    plugins: Mapping[str, DriverPlugin] = field(default_factory=dict)   # of its drivers, by name
    commits: Commits = field(default_factory=Commits)
    started_ns: int = 0         # when the agent began to work
    keys: dict[str, int] = field(default_factory=dict)      # device → its definition in the journal
    kinds: dict[str, list[int]] = field(default_factory=dict)
