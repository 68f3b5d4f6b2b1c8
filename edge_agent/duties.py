"""What a running agent does all the time between equipment and journal: a loop a duty, each a task of its own."""

from __future__ import annotations

import asyncio
import logging

import orjson

from edge_agent.api import Tag
from edge_agent.core.engine import Engine
from edge_agent.encode import columns, records
from edge_agent.health import Count
from edge_agent.journal import RecordKind
from edge_agent.lookup import is_here
from edge_agent.parts import Parts
from edge_agent.south.refused import Refused

log = logging.getLogger(__name__)

# Larger records would make messages that brokers refuse; smaller ones only cost.
SAMPLES_A_RECORD = 20_000
ALARMS_A_RECORD = 500
# How often the journal says "still here" while nothing else is written: how exactly the end of the
# agent is known after a power cut. Each costs one block of flash, so not every second.
ALIVE_EVERY_S = 10.0
# A destination that takes what it gets acknowledges at least the status, every minute.
DELIVERING_NS = 90_000_000_000
# NTP corrects smaller steps all the time.
LEAD_WORTH_SAYING_NS = 1_000_000_000


async def keep_watching(parts: Parts) -> None:
    """Every second: mark stale tags, pack what checkpoints need, look at the clock and at the journal."""
    ahead = False
    refused = _refused(parts)
    while True:
        say_of_journal(parts)
        await asyncio.sleep(1.0)
        parts.intake.watch()
        for reader in parts.readers:
            reader.watch()
        for machine in parts.engine.machines.values():
            if machine.facts.is_due:
                machine.facts.pack()
                await asyncio.sleep(0)
        _observe(parts)
        _say_of_unnamed(parts.engine)
        for one in refused.take_fresh():
            log.warning("%s", one)
        if ahead != (parts.clock.lead_ns > LEAD_WORTH_SAYING_NS):
            ahead = not ahead
            _say_of_clock(parts.clock.lead_ns / 1e9, ahead)


def _observe(parts: Parts) -> None:
    """Add this second to the evidence of how digital the plant is."""
    now = parts.clock()
    connected = {name: state == "connected" for name, state in parts.health.device_states().items()}
    # A broker on the agent's own computer is no platform that data reach.
    delivering = any(
        now - follower.acknowledged_ns < DELIVERING_NS and not is_here(follower.line.place or follower.line.address)
        for follower in parts.followers
    )
    counts = parts.health.counts
    published = counts[Count.MESSAGES_ACKNOWLEDGED], counts[Count.MESSAGES_REJECTED]
    parts.engine.observe(now, connected, delivering, published)


def say_of_journal(parts: Parts) -> None:
    """Log what the journal found wrong, and did about it, since the last call."""
    reports = parts.journal.reports
    for report in reports[parts.commits.said :]:
        log.warning("journal: %s", report)
    parts.commits.said = len(reports)


def _refused(parts: Parts) -> Refused:
    table, devices = parts.engine.table, parts.site.devices
    optional = {
        tag.position for reader in parts.readers for tag in table.device_tags(reader.device)
        if getattr(devices[tag.device].tags[tag.name], "optional", False)
    }  # fmt: skip
    return Refused(table, parts.engine.ring, {reader.device: reader.driver for reader in parts.readers}, optional)


def _say_of_unnamed(engine: Engine) -> None:
    """Each value once: it comes back with every piece."""
    for machine in engine.machines.values():
        for one in machine.unnamed.take_fresh():
            log.warning("%s", one)


def _say_of_clock(lead_s: float, ahead: bool) -> None:
    if not ahead:
        log.info("the system's clock has caught up")
        return
    log.warning(
        "the system's clock is %.1f s behind what the agent has already written; the agent's own goes on "
        "slower until it has caught up. Should the past be what is wrong, move data_dir aside",
        lead_s,
    )


async def keep_putting_aside(parts: Parts) -> None:
    """Hand what has come to the journal every `journal.flush`: into memory, which is bounded there, so
    that a disk that hangs does not fill ours."""
    period = parts.site.journal.flush / 1e9
    loop, commits = asyncio.get_running_loop(), parts.commits
    said = loop.time()
    while True:
        await asyncio.sleep(period)
        parts.engine.confirm()
        now = parts.clock()
        if put_aside(parts, alive=loop.time() - said >= ALIVE_EVERY_S):
            said, commits.anything = loop.time(), True
        commits.until_ns = now
        commits.due.set()


async def keep_committing(parts: Parts) -> None:
    """Make durable what was put aside, and note until when the agent lived."""
    commits = parts.commits
    while True:
        await commits.due.wait()
        commits.due.clear()
        until_ns = commits.until_ns
        commits.since = asyncio.get_running_loop().time()
        if commits.anything or parts.journal.failing:
            commits.anything = False
            await parts.journal.flush()
        if not parts.journal.failing:
            await parts.journal.in_thread(parts.alive.write, until_ns)
        commits.since = None


def put_aside(parts: Parts, *, alive: bool) -> bool:
    """Append all that waits to the journal, in memory; False if there was nothing.

    Events go first: a crash between the two must not leave samples whose meaning is lost.
    """
    events = parts.engine.take_events()
    changes = parts.engine.take_changes(parts.clock())
    alarms = parts.engine.alarms.take_changes()
    samples = parts.engine.take_samples()
    if not (events or changes or alarms or samples or alive):
        return False
    for event in events:
        parts.journal.append(RecordKind.EVENT, orjson.dumps(event))
    for change in changes:
        parts.journal.append(RecordKind.STATE, records.pack_state(change))
    for device, spans in alarms.items():
        for start in range(0, len(spans), ALARMS_A_RECORD):
            body = records.pack_alarms(device, spans[start : start + ALARMS_A_RECORD])
            parts.journal.append(RecordKind.ALARM, body)
    for device, batch in samples:
        key = _definition(parts, device)
        tags = parts.engine.table.device_slice(device)
        vocabularies = {tag.position: tag.vocabulary for tag in parts.engine.table.device_tags(device)}
        for start in range(0, len(batch), SAMPLES_A_RECORD):
            piece = batch.part(slice(start, start + SAMPLES_A_RECORD))
            parts.journal.append(RecordKind.SAMPLES, columns.pack(piece, tags.start, vocabularies), key)
    if alive and not (events or changes or alarms or samples):
        parts.journal.append(RecordKind.ALIVE, b"")
    return True


def _definition(parts: Parts, device: str) -> int:
    """The journal's key for the device; defined anew when a driver has learned a tag's kind."""
    tags: tuple[Tag, ...] = parts.engine.table.device_tags(device)
    kinds = [int(tag.kind) for tag in tags]
    if parts.kinds.get(device) != kinds:
        body = {"device": device, "names": [tag.name for tag in tags], "kinds": kinds}
        parts.keys[device] = parts.journal.define(device, orjson.dumps(body))
        parts.kinds[device] = kinds
        parts.engine.refresh()
    return parts.keys[device]
