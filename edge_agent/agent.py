"""The agent on a page: `build` makes the parts of a site, `run` lets them work until told to stop.

Start order is top to bottom, stop order is back: readers stop first, what they brought is
committed, the journal closes last. Followers are simply ended: what they had not seen
acknowledged stays with their cursor.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import orjson

from edge_agent import registry
from edge_agent.api import (
    Clock,
    ConfigError,
    Driver,
    DriverPlugin,
    Mistake,
    Profile,
    Publisher,
    PublisherPlugin,
    Server,
    Tag,
    Value,
)
from edge_agent.clock import SteadyClock
from edge_agent.clock_sync import has_no_battery_clock, is_synchronised
from edge_agent.config import Site, machine_specs, plant, scopes
from edge_agent.core.engine import Engine
from edge_agent.core.tags import TagTable
from edge_agent.core.writing import held
from edge_agent.destinations import follower, forget_others, profile
from edge_agent.duties import ALIVE_EVERY_S, put_aside
from edge_agent.encode import records
from edge_agent.encode.rollup_body import unpack_rollup
from edge_agent.errors import made_of_all
from edge_agent.health import Health
from edge_agent.journal import Alive, Audit, Journal, Record, RecordKind
from edge_agent.parts import Parts
from edge_agent.running import at_work, run
from edge_agent.serve import Look
from edge_agent.shown import Standing, api
from edge_agent.south.command import Commander
from edge_agent.south.intake import Intake
from edge_agent.south.judge import Judge
from edge_agent.south.operator import Operators, pseudonym_key
from edge_agent.south.reader import Reader
from edge_agent.south.witness import Witness
from edge_agent.web import tls

__all__ = ["Kept", "Prepared", "at_work", "build", "prepare", "run"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What works on when a site file changes: drivers by device, in the order of the file, and the table in which
    their tags have their places."""

    table: TagTable
    drivers: Mapping[str, Driver]


NOTHING: Final = Kept(TagTable(()), {})


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be made without opening anything: the site is as right as it will ever be."""

    engine: Engine
    drivers: dict[str, Driver]
    publishers: dict[str, Publisher]
    profiles: dict[str, Profile]
    look: Look
    servers: dict[str, Server]


def prepare(
    site: Site,
    drivers: Mapping[str, DriverPlugin],
    publishers: Mapping[str, PublisherPlugin],
    clock: Clock = time.time_ns,
    kept: Kept = NOTHING,
) -> Prepared:
    """Build every plugin and the core; no I/O but the certificates of API and pages; raises ConfigError."""
    table = site.tag_table(kept.table, kept.drivers)
    specs = machine_specs(site, table)
    made = {
        name: kept.drivers.get(name) or drivers[device.driver].build(name, device, table.device_tags(name), clock)
        for name, device in site.devices.items()
    }
    engine = Engine(
        table,
        [group for driver in made.values() for group in driver.groups],
        specs,
        ring_bytes=site.ring.memory,
        windows=site.kpi.windows,
        restate_ns=site.kpi.restate,
        watermark_ns=site.kpi.watermark,
        plant=plant(site, table),
        scopes=scopes(site, specs),
    )
    for name, shown in (("api", site.api), ("pages", site.pages)):
        if shown.listen and shown.cert and shown.key:
            tls.server_context(shown.cert, shown.key, name)     # so that a wrong certificate shows at `check`
    look, plugins = Look(engine, Health(), clock), registry.servers()
    profiles = made_of_all(site.publish, partial(profile, site, table))
    for name, machine in site.machines.items():
        if machine.alarms and not site.devices[machine.alarms.device].tells_alarms():
            hint = f"ask for them with alarms: {{}} at devices.{machine.alarms.device}, if its driver knows alarms"
            wrong = "names a device that tells no alarms"
            raise ConfigError(Mistake(f"machines.{name}.alarms", wrong, machine.alarms.device, hint))
    return Prepared(
        engine,
        made,
        made_of_all(site.publish, lambda name: _publisher(site, publishers, name, profiles[name])),
        profiles,
        look,
        {name: plugins[server.type].build(name, server, look) for name, server in site.serve.items()},
    )


def _publisher(site: Site, publishers: Mapping[str, PublisherPlugin], name: str, profile: Profile) -> Publisher:
    destination = site.publish[name]
    if destination.listens() and not profile.command_topics():
        hint = "leave out commands:, or use profile: json"
        raise ConfigError(Mistake(f"publish.{name}.profile", "knows no commands", destination.profile, hint))
    return publishers[destination.type].build(name, destination, site.agent.id, profile)


# A gateway that boots with a network knows the time within a minute or two; one without has no time to wait for.
CLOCK_WAIT_NS = 300_000_000_000


async def build(
    site: Site,
    drivers: Mapping[str, DriverPlugin],
    publishers: Mapping[str, PublisherPlugin],
    standing: Standing | None = None,
) -> Parts:
    """Make all parts and take up where the journal ends."""
    clock = SteadyClock()
    ready = prepare(site, drivers, publishers, clock)
    parts: Parts | None = None
    journal = await Journal.open(
        Path(site.agent.data_dir) / "journal",
        max_bytes=site.journal.max_size,
        max_age_ns=site.journal.max_age,
        clock=clock,
        checkpoint=lambda: (parts or ready).engine.checkpoint(),
        segment_bytes=site.journal.segment,
        reserve=site.journal.reserve,
    )
    alive = Alive(Path(site.agent.data_dir) / "alive")
    parts = Parts(site, ready.engine, journal, alive, [], [], ready.look.health, clock, ready.look, ready.servers)
    try:
        await _take_up(parts)
    except BaseException:
        await journal.close()
        raise
    parts.plugins, parts.started_ns = drivers, clock()
    parts.intake = Intake(ready.engine, clock, _clock_wait(site), is_synchronised, time.monotonic_ns)
    parts.readers = [reader(parts, name, driver) for name, driver in ready.drivers.items()]
    parts.commander = commander(parts)
    parts.operators = await operators(parts)
    parts.followers = [
        follower(parts, name, publisher, ready.profiles[name]) for name, publisher in ready.publishers.items()
    ]
    await forget_others(parts)
    parts.api = await api(parts, standing or Standing())
    return parts


def reader(parts: Parts, name: str, driver: Driver) -> Reader:
    """Who reads the device `name`."""
    engine = parts.engine
    return Reader(
        name, driver, engine.table.device_tags(name), engine.seen, parts.intake.feed,
        parts.health, parts.clock, parts.site.devices[name].addresses(), engine.evidence.tags,
        lambda device, told: parts.engine.alarms.take(device, told, parts.clock()),
    )  # fmt: skip


def _clock_wait(site: Site) -> int:
    wait = site.agent.wait_for_clock
    if isinstance(wait, int):
        return wait
    return CLOCK_WAIT_NS if has_no_battery_clock() else 0


def commander(parts: Parts) -> Commander:
    """Who alone writes to equipment."""
    devices, table = parts.site.devices, parts.engine.table

    def last(tag: Tag) -> Value | None:
        latest = parts.engine.ring.latest
        return held(tag, latest.value[tag.position], latest.quality[tag.position])

    return Commander(
        devices,
        Judge(devices, table, {reader.device: reader for reader in parts.readers}),
        last,
        Witness(parts.journal, Audit(Path(parts.site.agent.data_dir)), parts.clock),
        parts.health,
    )


async def operators(parts: Parts) -> Operators:
    """Who takes what people say of machines."""
    allowed = {name: machine.operator for name, machine in parts.site.machines.items() if machine.operator}
    data_dir = Path(parts.site.agent.data_dir)

    async def keep() -> None:
        put_aside(parts, alive=False)
        await parts.journal.flush()

    return Operators(
        parts.engine,
        allowed,
        await asyncio.to_thread(pseudonym_key, data_dir) if allowed else b"",
        parts.site.zone,
        parts.commander.witness,
        keep,
        parts.health,
        parts.clock,
    )


async def _take_up(parts: Parts) -> None:
    """Restore the machines from the journal; the time since its last record is unknown to them."""
    ended = parts.journal.newest_ns
    for record in await parts.journal.tail():
        try:
            _remember(parts.engine, record)
        except Exception:
            # Damaged, or written by a later version: what can be known is worth more than refusing to start.
            log.exception("record %d (kind %d) of the journal is passed over", record.seq, record.kind)
    if ended:
        # The system's clock may be behind: then the file is believed as far as a record is overdue.
        at_most = max(parts.clock(), ended + round(2 * ALIVE_EVERY_S * 1e9))
        ended = await parts.journal.in_thread(parts.alive.read, ended, at_most)
        parts.clock.not_before(ended)
    now = parts.clock()
    if ended:
        log.info("took up where the journal ends, %.1f s ago", (now - ended) / 1e9)
    parts.engine.begin(now, ended)
    parts.engine.alarms.begin(ended, [name for name, device in parts.site.devices.items() if device.tells_alarms()])


def _remember(engine: Engine, record: Record) -> None:
    if record.kind == RecordKind.CHECKPOINT:
        engine.restore(record.body)
    elif record.kind == RecordKind.EVENT:
        engine.replay(orjson.loads(record.body))
    elif record.kind == RecordKind.REPORT:
        report = records.unpack_report(record.body)
        engine.settle(report)
        engine.told.note(report)
    elif record.kind == RecordKind.ROLLUP:
        rollup = unpack_rollup(record.body)
        engine.rollups.settle(rollup)
        engine.told.note(rollup)
    elif record.kind == RecordKind.ALARM:
        engine.alarms.replay(records.unpack_alarms(record.body)[1])
