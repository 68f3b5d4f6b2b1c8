"""Puts a changed site file in place of the one that runs: what both say alike works on, all else begins anew.

A device whose section is the same keeps its connection, its samples and the places of its tags; a machine of which
nothing has changed goes on as it is; a destination keeps its link where it would be told the same of the plant. The
others end as at a stop of the agent, and begin as at a start. Nothing is lost between the two: from the moment when
everything is put aside until the new core is in place, nothing else runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_agent import __version__, agent
from edge_agent.agent import Kept, Prepared
from edge_agent.api import Driver, DriverPlugin, PublisherPlugin
from edge_agent.config import Site, scene
from edge_agent.core.tags import TagTable
from edge_agent.destinations import follower, forget_others
from edge_agent.duties import put_aside
from edge_agent.parts import Commits, Parts
from edge_agent.running import API, WRITING, following, reading, serving, start
from edge_agent.shown import Standing, api, look
from edge_agent.supervise import Crew
from edge_agent.telling import keep_evidence

log = logging.getLogger(__name__)

_NO_TAGS: Final = TagTable(())


@dataclass(frozen=True, slots=True)
class Same:
    """What works on."""

    devices: Mapping[str, Driver]
    machines: frozenset[str]
    destinations: frozenset[str]
    servers: bool
    writing: bool
    api: bool

    def tasks(self, site: Site) -> set[str]:
        """The names of its tasks."""
        return {
            *map(reading, self.devices),
            *map(following, self.destinations),
            *(map(serving, site.serve) if self.servers else ()),
            *([WRITING] if self.writing else ()),
            *([API] if self.api else ()),
        }


async def exchange(
    parts: Parts,
    crew: Crew,
    site: Site,
    drivers: Mapping[str, DriverPlugin],
    publishers: Mapping[str, PublisherPlugin],
    standing: Standing,
) -> bool:
    """Have `parts`, which `crew` lets work, be those of `site`; whether that could be done: if not, nothing has been.

    Raises ConfigError, and whatever the making of a part raises; what works then is of no use any more if it was
    raised after the first part had ended.
    """
    before = parts.site
    if (before.agent, before.journal) != (site.agent, site.journal):
        return False
    running = {reader.device: reader.driver for reader in parts.readers}
    kept = Kept(
        parts.engine.table,
        {name: running[name] for name, device in site.devices.items() if before.devices.get(name) == device},
    )
    # Of a large site that takes a second; meanwhile everything works on.
    ready = await asyncio.to_thread(agent.prepare, site, drivers, publishers, parts.clock, kept)
    if ready.engine.table.vacant > len(ready.engine.table):
        return False        # many small changes have left more gaps than tags
    same = _same(parts, site, kept, ready)
    await crew.end(but=same.tasks(site))
    _take_over(parts, site, same, ready)
    await _make_others(parts, same, ready, standing)
    start(parts, crew, same.tasks(site))
    log.info("%s", _told(parts, same))
    return True


def _same(parts: Parts, site: Site, kept: Kept, ready: Prepared) -> Same:
    before, same_tags = parts.site, ready.engine.table is parts.engine.table
    same_names = same_tags and list(before.machines) == list(site.machines) and before.kpi == site.kpi
    return Same(
        kept.drivers,
        _machines_alike(before, site),
        _destinations_alike(before, site, ready, same_tags),
        servers=same_names and before.serve == site.serve,
        writing=same_tags,
        api=parts.api is not None and before.api == site.api,
    )


def anew(before: Site, site: Site, ready: Prepared) -> tuple[str, ...]:
    """What of `before` begins anew where `site`, made `ready` for itself alone, takes its place: `publish.scada`, or
    `agent` for all of it. New parts are not among them."""
    if (before.agent, before.journal) != (site.agent, site.journal):
        return ("agent",)
    same_tags = list(before.devices.items()) == list(site.devices.items())
    alike = {
        "devices": {name for name, device in site.devices.items() if before.devices.get(name) == device},
        "machines": _machines_alike(before, site),
        "publish": _destinations_alike(before, site, ready, same_tags),
    }
    return tuple(
        f"{group}.{name}"
        for group, names in alike.items()
        for name in getattr(site, group)
        if name in getattr(before, group) and name not in names
    )


def _machines_alike(before: Site, site: Site) -> frozenset[str]:
    rules = [(one.calendars, one.lines, one.carbon, one.kpi) for one in (before, site)]
    if rules[0] != rules[1]:
        return frozenset()

    def is_alike(name: str) -> bool:
        machine = site.machines[name]
        devices = {tag.partition(".")[0] for tag in machine.tags()}
        return before.machines.get(name) == machine and all(
            before.devices.get(one) == site.devices[one] for one in devices
        )

    return frozenset(filter(is_alike, site.machines))


def _destinations_alike(before: Site, site: Site, ready: Prepared, same_tags: bool) -> frozenset[str]:
    """Those that are as they were, and so is what their profile is made of."""

    def is_alike(name: str) -> bool:
        if before.publish.get(name) != site.publish[name]:
            return False
        heeds = ready.profiles[name].heeds
        was, will_be = (scene(one, _NO_TAGS, __version__, name) for one in (before, site))
        if heeds == "plant":
            return same_tags and was == will_be
        return heeds == "agent" or was.machines == will_be.machines

    return frozenset(filter(is_alike, site.publish))


def _take_over(parts: Parts, site: Site, same: Same, ready: Prepared) -> None:
    """Nothing runs meanwhile, and so nothing is missed or counted twice."""
    put_aside(parts, alive=False)
    keep_evidence(parts)
    engine, now = ready.engine, parts.clock()
    damaged = engine.take_over(parts.engine, list(same.devices), same.machines, now)
    if damaged:
        log.error("what is known of %s does not fit the site file any more: it begins afresh", ", ".join(damaged))
    engine.refresh()        # a driver may have learned the kind of a tag meanwhile
    parts.site, parts.engine = site, engine
    parts.intake.work_for(engine, same.devices)
    parts.operators.work_for(engine)
    parts.look.work_for(engine)
    ready.look.take_over(parts.look)
    for reader in parts.readers:
        if reader.device in same.devices:
            reader.work_for(engine.seen, engine.evidence.tags)


async def _make_others(parts: Parts, same: Same, ready: Prepared, standing: Standing) -> None:
    """What begins anew, in the order in which `agent.build` makes it."""
    site, health = parts.site, parts.health
    readers = {one.device: one for one in parts.readers if one.device in same.devices}
    health.devices = {name: line for name, line in health.devices.items() if name in readers}
    parts.readers = [readers.get(name) or agent.reader(parts, name, driver) for name, driver in ready.drivers.items()]
    health.devices = {name: health.devices[name] for name in site.devices}
    parts.kinds = {name: kinds for name, kinds in parts.kinds.items() if name in readers}
    telling = [name for name, device in site.devices.items() if device.tells_alarms()]
    parts.engine.alarms.keep_only(telling, parts.clock())
    if not same.writing:
        parts.commander = agent.commander(parts)
    parts.operators = await agent.operators(parts)
    followers = {one.line.name: one for one in parts.followers if one.line.name in same.destinations}
    health.destinations = {name: line for name, line in health.destinations.items() if name in followers}
    parts.followers = [
        followers.get(name) or follower(parts, name, publisher, ready.profiles[name])
        for name, publisher in ready.publishers.items()
    ]
    health.destinations = {name: health.destinations[name] for name in site.publish}
    await forget_others(parts)
    if not same.servers:
        parts.servers, parts.look, health.servers = ready.servers, ready.look, {}
    parts.commits = Commits(anything=True, said=parts.commits.said)
    if parts.api is not None and same.api:
        parts.api.show(*look(parts, standing))
    else:
        parts.api = await api(parts, standing)


def _told(parts: Parts, same: Same) -> str:
    counts = (
        (len(same.devices), len(parts.readers), "devices"),
        (len(same.machines), len(parts.engine.machines), "machines"),
        (len(same.destinations), len(parts.followers), "destinations"),
    )
    return f"work on as they were: {', '.join(f'{n} of {of} {kind}' for n, of, kind in counts)}"
