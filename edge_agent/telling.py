"""What destinations are told of beside samples and events: KPIs, how digital the plant is, the agent's own status.

A loop each; what is final or evidence goes into the journal, too.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from edge_agent.core.machine import Machine
from edge_agent.core.report import Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode import records
from edge_agent.encode.rollup_body import pack_rollup
from edge_agent.health import Count
from edge_agent.journal import RecordKind
from edge_agent.north.follow import Follower
from edge_agent.parts import Commits, Parts

STATUS_EVERY_S = 60.0
DIGITAL_EVERY_S = 60.0
DIGITAL_FIRST_S = 5.0       # when devices have had their time to answer
# In minutes: what a crash may cost of seven days of evidence. That of single tags takes a hundred times the room.
EVIDENCE_KEPT_EVERY = 10
TAGS_KEPT_EVERY = 60
# A commit takes milliseconds, on a tired SD card a second or two.
COMMIT_IS_STUCK_S = 10.0


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
