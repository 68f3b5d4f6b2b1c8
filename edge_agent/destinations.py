"""The destinations of a site: their profiles, their places in the journal, and who follows it for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from edge_agent import __version__, registry
from edge_agent.api import Profile, PublishConfig, Publisher
from edge_agent.config import Site, scene
from edge_agent.core.report import StateChange
from edge_agent.core.states import MachineState
from edge_agent.core.tags import TagTable
from edge_agent.core.wall import local, to_ns, wall_to_ns
from edge_agent.health import Line
from edge_agent.journal import Cursor
from edge_agent.north.commands import Commands
from edge_agent.north.dead_letters import DeadLetters
from edge_agent.north.follow import Converse, Follower, Places, plainly
from edge_agent.north.sending import Sending
from edge_agent.parts import Parts
from edge_agent.platforms.sparkplug import SparkplugConfig
from edge_agent.south.command import Command, Outcome
from edge_agent.telling import digital, status

log = logging.getLogger(__name__)

# A worn card is tried for two seconds.
READ_WITHIN_S = 5.0


def profile(site: Site, table: TagTable, name: str) -> Profile:
    """That of the destination `name`; raises ConfigError."""
    plugin = registry.profiles()[site.publish[name].profile]
    return plugin.make(site.publish[name], scene(site, table, __version__, name))


def follower(parts: Parts, name: str, publisher: Publisher, profile: Profile) -> Follower:
    """Who follows the journal for the destination `name`; its place is made if it is new."""
    config, health = parts.site.publish[name], parts.health
    start = _start(config, parts.site)
    lanes = parts.journal.cursor(name, "events", start), parts.journal.cursor(name, "samples", start)
    dead = DeadLetters(Path(parts.site.agent.data_dir) / "dead", name)
    first, *others = config.addresses()
    return Follower(
        health.destinations.setdefault(name, Line(name, first, also=tuple(others))),
        publisher,
        profile,
        Places(*lanes, parts.journal.more),
        Sending(name, profile, dead, health, parts.clock),
        partial(status, parts),
        health,
        parts.clock,
        order=config.order,
        drain_rate=config.drain_rate,
        commands=_commands(parts, name, profile),
        converse=_conversation(parts, name, profile),
    )


def _start(config: PublishConfig, site: Site) -> Literal["now", "oldest"] | int:
    if not isinstance(config.from_, datetime):
        return config.from_
    return to_ns(config.from_) if config.from_.tzinfo else wall_to_ns(config.from_, site.zone)


def _commands(parts: Parts, name: str, profile: Profile) -> Commands | None:
    """What comes from a destination that listens; None for one that does not."""
    if not parts.site.publish[name].listens():
        return None

    # The commander and the operators may be others after a change of the site file: they are asked for each time.
    async def execute(command: Command) -> Outcome:
        return await parts.commander.execute(command)

    async def refuse(command: Command, why: str) -> Outcome:
        return await parts.commander.refuse(command, why)

    async def operate(made: str, machine: str, said: Mapping[str, Any], who: str) -> Outcome:
        return await parts.operators.take(made, machine, said, "mqtt", who)

    return Commands(name, profile, execute, refuse, lambda: parts.commander.drop(), parts.clock, operate)


def _conversation(parts: Parts, name: str, profile: Profile) -> Converse:
    """How a destination is spoken to over a link, where that is more than to send."""
    config = parts.site.publish[name]
    if not isinstance(config, SparkplugConfig):
        return plainly
    # Imported here: protobuf is loaded only where it is spoken.
    from edge_agent.encode.sparkplug.profile import SparkplugProfile
    from edge_agent.north.sparkplug import BdSeq, Sparkplug

    assert isinstance(profile, SparkplugProfile)

    def shown(machine: str) -> StateChange:
        span = parts.engine.machines[machine].shown(parts.clock())
        since = 0 if span.state is MachineState.UNKNOWN else span.start
        return StateChange(machine, span.state, span.reason, since)

    node = Sparkplug(
        name, profile, parts.look, lambda: status(parts), shown, lambda: digital(parts), parts.health,
        BdSeq(Path(parts.site.agent.data_dir) / "sparkplug" / f"{name}.bdseq"),
        config.primary_host or "", config.old_state,
    )  # fmt: skip
    return node.converse


async def forget_others(parts: Parts) -> None:
    """Let go of the places of destinations that the site file names no longer; what waited for them is told of."""
    journal, zone = parts.journal, parts.site.zone
    for name in sorted({cursor.name for cursor in journal.cursors} - set(parts.site.publish)):
        lanes = [cursor for cursor in journal.cursors if cursor.name == name]
        waiting = sum(cursor.backlog_records for cursor in lanes)
        oldest = [time for cursor in lanes if (time := await _oldest_waiting(cursor))]
        await journal.remove_cursor(name)
        again = f"; to have them, add it again with from: {local(min(oldest), zone):%Y-%m-%dT%H:%M}" if oldest else ""
        log.warning(
            "%s is not in the site file any more: %d records that waited for it are not sent%s", name, waiting, again
        )


async def _oldest_waiting(cursor: Cursor) -> int:
    """When it was appended, ns UTC; 0 if there is none. What waits may turn out to be destroyed, or not to be readable
    now: the agent does not start later for that."""
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            records = await cursor.ranges[0].read(1) if cursor.ranges[0].pending else []
    except TimeoutError:
        return 0
    return records[0].time if records else 0
