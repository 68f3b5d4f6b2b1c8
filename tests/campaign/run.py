"""One run of the campaign: a stage, faults on it that overlap as they please, and the verdict.

Every kind of fault is a track of its own with dice of its own, so the same seed gives the same faults, whatever the
computer was busy with; what they meet the agent at is the computer's to say.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.campaign import source
from tests.campaign.faults import NORTH, Agent, Clock, Disk, North, overwrite
from tests.campaign.ledger import (
    Verdict,
    finals,
    heard_first,
    in_journal,
    judge_finals,
    judge_losses,
    judge_order,
    judge_twins,
)
from tests.campaign.subscriber import Subscriber
from tests.peers.mosquitto import Mosquitto
from tests.peers.opcua_world import Process, Wire
from tests.peers.waiting import free_port

HOUR_NS = 3_600_000_000_000
SETTLE_S = 90.0

SITE = """\
agent: {{id: {id}, timezone: "{zone}", data_dir: "{data}"}}
devices:
  m1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{source}?unit={unit}"
    poll: 50ms
    timeout: 2s
    tags: {{{tags}}}
machines:
  m1:
    state: {{tag: m1.state, map: {map}}}
    counts: {{total: m1.total, scrap: m1.scrap}}
    counter: {{bits: 32, max_rate: 1000}}
    order: {{number: m1.order}}
    ideal_cycle: 50ms
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", profile: json, ack_timeout: 3s{publish}}}
journal: {{flush: 50ms, segment: 64KB{journal}}}
kpi: {{every: 300ms, windows: [day, job], watermark: 1s}}
api: {{listen: off}}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in a run. Spans are seconds: the shortest and the longest."""

    name: str
    kills: int = 0
    seconds: float = 0.0
    """how long the run goes on at least, before everything is mended"""
    north: tuple[str, ...] = tuple(NORTH)
    outage_s: tuple[float, float] = (0.5, 3.0)
    pause_s: tuple[float, float] = (0.5, 3.0)
    damage: float = 0.0
    """the share of kills after which the journal is damaged"""
    steps: bool = False
    """whether the clock is set"""
    disk_full_s: tuple[float, float] | None = None
    disk_mb: int = 0
    """0: whatever the folder is on"""
    twin: bool = False
    """whether an undisturbed agent reads the same machine, to compare final records with"""
    publish: str = ""
    """more keys of the destination"""
    journal: str = ""
    """more keys of the journal, which make it too small for what waits"""


@dataclass(slots=True)
class Stage:
    """Everything that takes part."""

    source: Process
    ledger: Path
    north: North
    agent: Agent
    twin: Agent | None
    twin_heard: Subscriber | None
    verdict: Verdict = field(default_factory=Verdict)
    committed: set[int] = field(default_factory=set)
    destroyed: set[int] = field(default_factory=set)
    read_until: int = 0
    """the seq up to which the journal was read after a life"""
    whole: asyncio.Lock = field(default_factory=asyncio.Lock)
    """held by a fault during which no other may end the process"""

    def read_journal(self) -> None:
        """Note what the life that has just ended left committed."""
        for seq, number in in_journal(self.agent.journal, self.read_until):
            self.committed.add(number)
            self.read_until = max(self.read_until, seq)


def _zone() -> str:
    """A zone in which midnight is far away, however the clock is set during a run."""
    east = 12 - time.gmtime().tm_hour
    return f"Etc/GMT{-east:+d}"


@contextmanager
def stage(folder: Path, plan: Plan) -> Iterator[Stage]:
    """Set it up; nothing of it stays behind."""
    port, ledger = free_port(), folder / "source.ledger"
    keeps = ("allow_anonymous true", "max_inflight_messages 0", "persistence true", f"user {getpass.getuser()}")
    with ExitStack() as stack:
        script = str(Path(source.__file__))
        machine = Process([sys.executable, script, str(port), str(ledger)])
        stack.callback(machine.kill)

        def agent(name: str, unit: int, broker: int, clock: Clock, disk_mb: int) -> Agent:
            disk = Disk(folder / name, disk_mb)
            stack.callback(disk.close)
            site = folder / f"{name}.yaml"
            site.write_text(SITE.format(
                id=name, zone=_zone(), data=disk.inside, source=port, unit=unit, tags=source.TAGS, map=source.MAP,
                broker=broker, publish=plan.publish, journal=plan.journal,
            ))  # fmt: skip
            made = Agent(site, clock, disk)
            stack.callback(made.close)
            return made

        def broker(name: str) -> Mosquitto:
            (folder / name).mkdir()
            return stack.enter_context(Mosquitto(folder / name, *keeps, f"persistence_location {folder / name}/"))

        def subscriber(at: Mosquitto, agent: str) -> Subscriber:
            heard = Subscriber(at.port, f"edge/{agent}")
            stack.callback(heard.close)
            return heard

        disturbed = broker("broker")
        wire = Wire(disturbed.port)
        stack.callback(wire.close)
        north = North(disturbed, wire, subscriber(disturbed, "gw-1"))
        twin = heard = None
        if plan.twin:
            quiet = broker("quiet-broker")
            heard = subscriber(quiet, "twin")
            twin = agent("twin", 2, quiet.port, Clock(folder / "twin.clock"), 0)
        one = agent("gw-1", 1, wire.port, Clock(folder / "gw-1.clock"), plan.disk_mb)
        yield Stage(machine, ledger, north, one, twin, heard)


async def run(folder: Path, plan: Plan, seed: int) -> Verdict:
    """Play it once, and judge."""
    with stage(folder, plan) as on:
        on.agent.start()
        if on.twin:
            on.twin.start()
        await _until(lambda: on.north.subscriber.on("/m1/tags"), 30, "the first samples")
        over = asyncio.Event()
        dice = {track: random.Random(f"{seed} {track}") for track in ("kill", "north", "clock", "disk")}
        tracks = [_keep_failing_north(on, plan, dice["north"], over)]
        if plan.steps:
            tracks.append(_keep_setting_the_clock(on, dice["clock"], over))
        if plan.disk_full_s:
            tracks.append(_keep_filling_the_disk(on, plan.disk_full_s, dice["disk"], over))
        async with asyncio.TaskGroup() as group:
            for track in tracks:
                group.create_task(track)
            ends = time.monotonic() + plan.seconds
            for _ in range(plan.kills):
                await _kill(on, plan, dice["kill"])
            await asyncio.sleep(max(0.0, ends - time.monotonic()))
            over.set()
        await _settle(on, plan)
        return _judged(on, plan)


async def _kill(on: Stage, plan: Plan, dice: random.Random) -> None:
    """Let the agent live for a moment, mostly until it reads; kill it, and start it again."""
    agent, verdict = on.agent, on.verdict
    began = agent.lives[-1].began_ns
    if dice.random() < 0.8:
        await _until(lambda: source.answers(on.ledger, 1)[-1].at_ns > began, 30, "an answer")
    await asyncio.sleep(dice.uniform(0.0, 1.5))
    async with on.whole:
        agent.kill()
    verdict.kills += 1
    on.read_journal()
    if dice.random() < plan.damage:
        _damage(on, dice)
    agent.start()


def _damage(on: Stage, dice: random.Random) -> None:
    before = {number for _, number in in_journal(on.agent.journal)}
    if overwrite(on.agent.journal, dice):
        on.verdict.happened["damage"] += 1
        on.destroyed |= before - {number for _, number in in_journal(on.agent.journal)}


async def _keep_failing_north(on: Stage, plan: Plan, dice: random.Random, over: asyncio.Event) -> None:
    while not over.is_set():
        name, seconds = dice.choice(plan.north), dice.uniform(*plan.outage_s)
        on.verdict.happened[name] += 1
        await NORTH[name](on.north, seconds)
        await _sleep(dice.uniform(*plan.pause_s), over)


async def _keep_setting_the_clock(on: Stage, dice: random.Random, over: asyncio.Event) -> None:
    """Ahead and back, by up to three hours; never far from the truth for good."""
    clock = on.agent.clock
    while not over.is_set():
        await _sleep(dice.uniform(2.0, 5.0), over)
        aim = dice.choice((0, 0, dice.randrange(-3 * HOUR_NS, 3 * HOUR_NS)))
        clock.step(aim - clock.ahead_ns)
        on.verdict.happened["clock set"] += 1


async def _keep_filling_the_disk(
    on: Stage, span_s: tuple[float, float], dice: random.Random, over: asyncio.Event
) -> None:
    while not over.is_set():
        await _sleep(dice.uniform(2.0, 4.0), over)
        async with on.whole:
            on.agent.disk.fill(on.agent.pid)
            on.verdict.happened[f"disk full ({on.agent.disk.kind})"] += 1
            await asyncio.sleep(dice.uniform(*span_s))
            on.agent.disk.free(on.agent.pid)
            await asyncio.sleep(2.0)    # what waited in memory is committed


async def _settle(on: Stage, plan: Plan) -> None:
    """All is mended; the source says no more, and all that it has told this life arrives. Then agents stop in good
    manners."""
    began = on.agent.lives[-1].began_ns
    await _until(lambda: source.answers(on.ledger, 1)[-20].at_ns > began, 30, "some answers for the last life")
    if on.twin:
        await asyncio.sleep(source.ORDER_S + 2.0)   # one more order, with nothing in its way, becomes final
    os.kill(on.source.pid, signal.SIGSTOP)
    last = source.answers(on.ledger, 1)[-1]
    await _until(lambda: last.number in _told(on), SETTLE_S, "everything that was given")
    if not plan.damage:     # what counted the pieces may be destroyed with what was heard of them
        first = next(one for one in source.answers(on.ledger, 1) if one.number in _told(on))
        made = last.total - first.total
        await _until(lambda: _pieces(on.north.subscriber) == made, 15, f"{made} pieces")
    for agent in (on.agent, on.twin):
        if agent:
            agent.stop()
    on.read_journal()


def _told(on: Stage) -> set[int]:
    """The numbers that were heard."""
    groups = (group for payload in on.north.subscriber.on("/m1/tags") for group in payload["samples"])
    return {int(group["values"].get("n0") or 0) for group in groups}


def _pieces(subscriber: Subscriber) -> int:
    records = subscriber.on("/m1/kpi/day")
    return int(records[-1]["counts"]["pq"]) if records else -1


def _judged(on: Stage, plan: Plan) -> Verdict:
    verdict, payloads = on.verdict, on.north.subscriber.on("/m1/tags")
    numbers = heard_first(payloads, verdict)
    judge_order(numbers, verdict)
    gaps = on.north.subscriber.on("/gap")
    judge_losses(
        source.answers(on.ledger, 1), on.agent.lives, numbers, on.committed, on.destroyed, gaps, verdict,
        evicts=bool(plan.journal),
    )  # fmt: skip
    mine = finals(on.north.subscriber.on("/m1/kpi/job"))
    if not plan.damage:     # what was destroyed cannot be replayed; what was evicted is compared with nothing
        judge_finals(mine, finals(_replayed(on.agent)), verdict)
    if on.twin_heard:
        twins = finals(on.twin_heard.on("/m1/kpi/job"))
        orders = sorted(twins, key=int)[1:]     # in the first the two began at different moments
        judge_twins(mine, twins, orders, verdict)
    if "Traceback" in on.agent.log():
        verdict.faults.append("a traceback in the agent's log: " + on.agent.log()[-5000:])
    return verdict


def _replayed(agent: Agent) -> list[dict[str, Any]]:
    """KPI records that its journal gives."""
    site, data = agent.site, agent.disk.inside
    options = ("--window", "job", "--format", "json")
    command = [*agent.disk.prefix, sys.executable, "-m", "edge_agent.cli", "replay", str(site), str(data), *options]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return list(json.loads(done.stdout))


async def _until(what: Callable[[], Any], seconds: float, why: str) -> None:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {why}")
        await asyncio.sleep(0.05)


async def _sleep(seconds: float, over: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(over.wait(), seconds)
    except TimeoutError:
        return
