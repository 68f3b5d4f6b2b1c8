"""What a running agent does all the time: a loop a duty, each a task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from edge_agent.api import DriverPlugin, Server, Tag
from edge_agent.clock import SteadyClock
from edge_agent.config import Site
from edge_agent.core.engine import Engine
from edge_agent.core.machine import Machine
from edge_agent.core.report import Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode import columns, records
from edge_agent.encode.rollup_body import pack_rollup
from edge_agent.health import Count, Health
from edge_agent.journal import Alive, Journal, RecordKind
from edge_agent.lookup import is_here
from edge_agent.north.follow import Follower
from edge_agent.serve import Look
from edge_agent.south.command import Commander
from edge_agent.south.intake import Intake
from edge_agent.south.operator import Operators
from edge_agent.south.reader import Reader

log = logging.getLogger(__name__)

# Larger records would make messages that brokers refuse; smaller ones only cost.
SAMPLES_A_RECORD = 20_000
ALARMS_A_RECORD = 500
# How often the journal says "still here" while nothing else is written: how exactly the end of the
# agent is known after a power cut. Each costs one block of flash, so not every second.
ALIVE_EVERY_S = 10.0
STATUS_EVERY_S = 60.0
DIGITAL_EVERY_S = 60.0
DIGITAL_FIRST_S = 5.0       # when devices have had their time to answer
# In minutes: what a crash may cost of seven days of evidence. That of single tags takes a hundred times the room.
EVIDENCE_KEPT_EVERY = 10
TAGS_KEPT_EVERY = 60
# A destination that takes what it gets acknowledges at least the status, every minute.
DELIVERING_NS = 90_000_000_000
# A commit takes milliseconds, on a tired SD card a second or two.
COMMIT_IS_STUCK_S = 10.0
# NTP corrects smaller steps all the time.
LEAD_WORTH_SAYING_NS = 1_000_000_000


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
    keys: dict[str, int] = field(default_factory=dict)      # device → its definition in the journal
    kinds: dict[str, list[int]] = field(default_factory=dict)


async def keep_watching(parts: Parts) -> None:
    """Every second: mark stale tags, pack what checkpoints need, look at the clock and at the journal."""
    ahead = False
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


async def keep_reporting(parts: Parts) -> None:
    """Publish the KPIs of open windows every `kpi.every`, and journal those that are final."""
    while True:
        await asyncio.sleep(parts.site.kpi.every / 1e9)
        # Taken before the machines': so a window of theirs is final no later than their line's.
        now = parts.clock()
        for machine in parts.engine.machines.values():
            _report(parts, machine)
            await asyncio.sleep(0)      # many machines must not hold up the readers
        for scope in parts.engine.rollups.scopes.values():
            for rollup in parts.engine.rollups_of(scope, now):
                if rollup is not None:
                    _report_rollup(parts, rollup)
                await asyncio.sleep(0)


def _report(parts: Parts, machine: Machine) -> None:
    for report in parts.engine.reports_of(machine, parts.clock()):
        parts.look.note(report)
        parts.engine.told.note(report)
        if report.final:
            parts.journal.append(RecordKind.REPORT, records.pack_report(report))
        for follower in parts.followers:
            follower.tell(follower.profile.report, report, over=report.final)


def _report_rollup(parts: Parts, rollup: Rollup) -> None:
    parts.engine.told.note(rollup)
    if rollup.final:
        parts.journal.append(RecordKind.ROLLUP, pack_rollup(rollup))
    for follower in parts.followers:
        follower.tell(follower.profile.rollup, rollup, over=rollup.final)


def digital(parts: Parts) -> dict[str, Any]:
    """How digital the plant is now, see `core.plant`."""
    return parts.engine.evidence.summary(parts.clock(), parts.health.down())


async def keep_telling_digital(parts: Parts) -> None:
    """Publish how digital the plant is every minute, soon for the first time, and keep the evidence in the journal."""
    kept_ns, minute = parts.clock(), 0
    while True:
        await asyncio.sleep(DIGITAL_EVERY_S if minute else DIGITAL_FIRST_S)
        now, minute = parts.clock(), minute + 1
        said = digital(parts)
        for follower in parts.followers:
            follower.tell(follower.profile.digital, said, now, whole="digital")
        if minute % EVIDENCE_KEPT_EVERY == 1:
            snapshot = parts.engine.evidence.snapshot(kept_ns, tags=minute % TAGS_KEPT_EVERY == 1)
            parts.journal.append(RecordKind.EVENT, orjson.dumps({"evidence": snapshot}))
            kept_ns = now


def keep_evidence(parts: Parts) -> None:
    """Append all the evidence to the journal."""
    snapshot = parts.engine.evidence.snapshot(exact=True)
    parts.journal.append(RecordKind.EVENT, orjson.dumps({"evidence": snapshot}))


async def keep_telling_status(parts: Parts) -> None:
    """Publish the status every minute, and soon after a device came or went or the disk failed."""
    told: object = None
    since = 0.0
    while True:
        await asyncio.sleep(1.0)
        since += 1.0
        news = status(parts)
        now = (dict(news.devices), dict(news.commands), bool(news.journal), bool(news.audit))
        if now != told or since >= STATUS_EVERY_S:
            told, since = now, 0.0
            for follower in parts.followers:
                follower.tell(follower.profile.status, news, whole="status")


def status(parts: Parts) -> Status:
    """The agent's status now."""
    _count(parts)
    return Status(
        online=True,
        time=parts.clock(),
        devices=parts.health.device_states(),
        backlog={follower.line.name: follower.places.backlog for follower in parts.followers},
        draining={follower.line.name: told for follower in parts.followers if (told := _draining(follower))},
        counts={str(count): n for count, n in parts.health.counts.items()},
        journal=parts.journal.failing or _stuck(parts.commits),
        commands={follower.line.name: follower.commands.state for follower in parts.followers if follower.commands},
        audit=parts.commander.witness.failing,
    )


def _draining(follower: Follower) -> dict[str, float | None]:
    progress = follower.progress()
    if progress is None:
        return {}
    left_s = None if progress.left_s is None else round(progress.left_s, 1)
    return {"records": progress.records, "records_s": round(progress.records_s, 1), "left_s": left_s}


def _stuck(commits: Commits) -> str:
    if commits.since is None:
        return ""
    waited = asyncio.get_running_loop().time() - commits.since
    return f"the disk has not answered for {waited:.0f} s" if waited >= COMMIT_IS_STUCK_S else ""


def _count(parts: Parts) -> None:
    counts = parts.health.counts
    counts[Count.SAMPLES_BAD] = parts.engine.bad_samples
    counts[Count.VALUES_UNNAMED] = sum(machine.unnamed.count for machine in parts.engine.machines.values())
    counts[Count.SAMPLES_REPORTED] = parts.engine.reported_samples
    counts[Count.RECORDS_EVICTED] = sum(follower.places.evicted for follower in parts.followers)
    counts[Count.FACTS_TOO_LATE] = parts.engine.too_late
    counts[Count.RECORDS_DROPPED] = parts.journal.dropped
