"""A follower of a journal without the rest of the agent."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.api import Profile, Publisher
from edge_agent.core.report import Status
from edge_agent.health import Health, Line
from edge_agent.journal import Journal
from edge_agent.north.dead_letters import DeadLetters
from edge_agent.north.follow import Follower, Places
from edge_agent.north.sending import Sending


def follower_of(
    journal: Journal,
    publisher: Publisher,
    profile: Profile,
    health: Health,
    name: str = "platform",
    status: Callable[[], Status] = lambda: Status(True, time.time_ns()),
    **keys: Any,
) -> Follower:
    """Of the destination `name`; refused messages go to `dead` beside the journal's folder."""
    line = health.destinations.setdefault(name, Line(name, "mqtt://10.0.0.2"))
    places = Places(journal.cursor(name, "events"), journal.cursor(name, "samples"), journal.more)
    dead = DeadLetters(Path(journal.folder).parent / "dead", name)
    sending = Sending(name, profile, dead, health, time.time_ns)
    return Follower(
        line, publisher, profile, places, sending, status, health, time.time_ns, **keys
    )
