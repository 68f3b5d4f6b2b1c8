"""One run of the campaign: a stage, faults on it that overlap as they please, and the verdict.

Every kind of fault is a track of its own with dice of its own, so the same seed gives the same faults, whatever the
computer was busy with; what they meet the agent at is the computer's to say. A run goes on until every kind of its
plan has been there.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_agent_hil.gateway import Gateway
from edge_agent_hil.gateway_damage import overwrite
from edge_agent_hil.gateway_faults import gateway_fault
from tests.campaign import source
from tests.campaign.committed import judge_events
from tests.campaign.faults import NORTH, PATIENCE_S
from tests.campaign.ledger import heard_first, judge_gaps, judge_losses, judge_order
from tests.campaign.orders import finals, judge_counts, judge_replay, judge_twins, pieces_of, seen_by_both
from tests.campaign.stage import Plan, Stage, stage
from tests.campaign.subscriber import Subscriber
from tests.campaign.verdict import Verdict

HOUR_NS = 3_600_000_000_000
# What waits is sent within seconds of the last repair; the wait between two attempts to connect is 10 s at most.
QUIET_S = 60.0
# What an agent has read is committed a moment later, `flush` is 50 ms; a busy disk may take a second or two.
UNCOMMITTED_MS = 3000.0
LOGGED = re.compile(r"^.* (?:ERROR|CRITICAL) .*|^Traceback .*", re.MULTILINE)


async def run(folder: Path, plan: Plan, seed: int) -> Verdict:
    """Play it once, and judge."""
    with stage(folder, plan) as on, _noting(on.agent):
        on.agent.start()
        if on.twin:
            on.twin.start()
        await _until(lambda: on.north.subscriber.on("/m1/tags"), PATIENCE_S, "the first samples")
        mended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            if plan.forgets:
                group.create_task(_keep_reading_the_journal(on, mended))
            await _fail(on, plan, seed)
            mended.set()
        await _settle(on, plan)
        return await asyncio.to_thread(_judged, on, plan)


@contextmanager
def _noting(agent: Gateway) -> Iterator[None]:
    """With an error, what became of the agent."""
    try:
        yield
    except Exception as error:
        error.add_note(f"the agent's exit code is {agent.exit_code}; it said last: {agent.log()[-1000:]}")
        raise


async def _fail(on: Stage, plan: Plan, seed: int) -> None:
    """All faults of the plan, to the end of the last."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for track in _tracks(on, plan, seed, over):
            group.create_task(track)
        ends = time.monotonic() + plan.seconds
        dice = random.Random(f"{seed} kill")
        for _ in range(plan.kills):
            await _kill(on, plan, dice)
        await asyncio.sleep(max(0.0, ends - time.monotonic()))
        await _until(lambda: not _did_not_happen(on, plan), 20 * PATIENCE_S, "every fault of the plan")
        over.set()


def _tracks(on: Stage, plan: Plan, seed: int, over: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    tracks = [_keep_failing_north(on, plan, random.Random(f"{seed} north"), over)]
    if plan.steps:
        tracks.append(_keep_setting_the_clock(on, random.Random(f"{seed} clock"), over))
    if plan.disk_full_s:
        tracks.append(_keep_filling_the_disk(on, plan.disk_full_s, random.Random(f"{seed} disk"), over))
    return tracks


def _did_not_happen(on: Stage, plan: Plan) -> list[str]:
    wanted = [*plan.north]
    wanted += ["damage"] if plan.damage else []
    wanted += ["clock set"] if plan.steps else []
    wanted += [f"disk full ({on.agent.disk.kind})"] if plan.disk_full_s else []
    return [one for one in wanted if not on.verdict.happened[one]]


async def _kill(on: Stage, plan: Plan, dice: random.Random) -> None:
    """Let the agent live for a moment, mostly until it reads; kill it, and start it again."""
    agent, verdict = on.agent, on.verdict
    began = agent.lives[-1].began_ns
    if dice.random() < 0.8:
        await _until(lambda: source.latest(on.ledger, 1).at_ns > began, PATIENCE_S, "an answer")
    # One in ten goes on for longer than anything may wait to be committed.
    await asyncio.sleep(dice.uniform(0.0, 1.2) if dice.random() < 0.9 else UNCOMMITTED_MS / 1000 + 1.0)
    async with on.whole:
        agent.kill()
        verdict.kills += 1
        await asyncio.to_thread(on.committed.read, agent.journal)
        if dice.random() < plan.damage and overwrite(agent.journal, dice):
            verdict.happened["damage"] += 1
            await asyncio.to_thread(on.committed.missing, agent.journal)
        agent.start()


async def _keep_failing_north(on: Stage, plan: Plan, dice: random.Random, over: asyncio.Event) -> None:
    """Each before any comes again, in another order every time."""
    deck: list[str] = []
    while not over.is_set():
        deck = deck or dice.sample(plan.north, len(plan.north))
        name = deck.pop()
        await NORTH[name](on.north, dice.uniform(*plan.outage_s))
        on.verdict.happened[name] += 1
        await _sleep(dice.uniform(*plan.pause_s), over)


async def _keep_setting_the_clock(on: Stage, dice: random.Random, over: asyncio.Event) -> None:
    """Ahead and back, by up to three hours; never far from the truth for good."""
    clock = on.agent.clock
    while not over.is_set():
        await _sleep(dice.uniform(2.0, 5.0), over)
        aim = dice.choice((0, 0, dice.randrange(-3 * HOUR_NS, 3 * HOUR_NS)))
        if aim != clock.ahead_ns:
            clock.step(aim - clock.ahead_ns)
            on.verdict.happened["clock set"] += 1


async def _keep_filling_the_disk(
    on: Stage, span_s: tuple[float, float], dice: random.Random, over: asyncio.Event
) -> None:
    while not over.is_set():
        await _sleep(dice.uniform(2.0, 4.0), over)
        async with on.whole:
            on.agent.apply(gateway_fault("disk-full"))
        await asyncio.sleep(dice.uniform(*span_s))
        async with on.whole:
            on.agent.clear("disk-full")
        on.verdict.happened[f"disk full ({on.agent.disk.kind})"] += 1
        freed = source.latest(on.ledger, 1).number
        await _until(lambda n=freed: _is_committed_since(on, n), PATIENCE_S, "a commit after the disk had room again")


def _is_committed_since(on: Stage, number: int) -> bool:
    on.committed.read(on.agent.journal)
    return max(on.committed.numbers, default=0) > number


async def _keep_reading_the_journal(on: Stage, mended: asyncio.Event) -> None:
    """Before anything is evicted from it: also during the last outage."""
    while not mended.is_set():
        await asyncio.to_thread(on.committed.read, on.agent.journal)
        await _sleep(0.3, mended)


async def _settle(on: Stage, plan: Plan) -> None:
    """All is mended; the source says no more, and all that it has told this life arrives. Then agents stop in good
    manners."""
    began = on.agent.lives[-1].began_ns
    await _until(lambda: source.answers(on.ledger, 1)[-20].at_ns > began, PATIENCE_S, "some answers for the last life")
    if on.twin:
        await asyncio.sleep(source.ORDER_S)     # one more order, with nothing in its way, becomes final
    os.kill(on.source.pid, signal.SIGSTOP)
    await _until_all_is_heard(on)
    if not plan.damage:     # what counted the pieces may be destroyed with what was heard of them
        given, untold = source.answers(on.ledger, 1), on.committed.untold_orders(on.north.subscriber.below())
        await _until_counted(on.north.subscriber, given, _known(on, plan), untold)
    if on.twin_heard:
        await _until_counted(on.twin_heard, source.answers(on.ledger, 2), on.twin_heard.numbers(), set())
    await _until_all_is_heard(on)
    on.committed.due = set(on.committed.events)
    for agent in (on.agent, on.twin):
        if agent:
            assert agent.stop() == 0, agent.log()[-5000:]
    on.committed.read(on.agent.journal)


async def _until_all_is_heard(on: Stage) -> None:
    """The last answer, and all that was committed, for as long as more of it comes."""
    subscriber, last = on.north.subscriber, source.latest(on.ledger, 1).number
    ends, count, waiting = time.monotonic() + QUIET_S, -1, [""]
    while waiting:
        assert time.monotonic() < ends, f"nothing more is heard, but this is committed: {waiting[:5]}"
        await asyncio.sleep(0.3)
        await asyncio.to_thread(on.committed.read, on.agent.journal)
        waiting = await asyncio.to_thread(on.committed.waiting, subscriber.below())
        if last not in on.committed.numbers:
            waiting.append(f"number {last}, not even committed")
        if len(subscriber.on("/m1/tags")) != count:
            ends, count = time.monotonic() + QUIET_S, len(subscriber.on("/m1/tags"))


def _known(on: Stage, plan: Plan) -> set[int]:
    """The answers that the agent has taken for good: if it was never killed, all."""
    if not plan.kills:
        return {one.number for one in source.answers(on.ledger, 1)}
    return on.north.subscriber.numbers() | on.committed.numbers.keys()


async def _until_counted(
    subscriber: Subscriber, given: Sequence[source.Answer], known: set[int], untold: set[str]
) -> None:
    """The pieces of the day, and those of every order that is over, but for those of which a gap tells."""
    taken = [one for one in given if one.number in known]
    made, orders = taken[-1].total - taken[0].total, pieces_of(given, known).keys() - untold
    await _until(lambda: _pieces(subscriber) == made, PATIENCE_S, f"{made} pieces")
    why = f"final records of orders {sorted(orders)}"
    await _until(lambda: orders <= finals(subscriber.on("/m1/kpi/job")).keys(), PATIENCE_S, why)


def _pieces(subscriber: Subscriber) -> int:
    records = subscriber.on("/m1/kpi/day")
    return int(records[-1]["counts"]["pq"]) if records else -1


def _judged(on: Stage, plan: Plan) -> Verdict:
    verdict, subscriber = on.verdict, on.north.subscriber
    verdict.blame("did not happen", _did_not_happen(on, plan))
    given = source.answers(on.ledger, 1)
    numbers = heard_first(subscriber.on("/m1/tags"), given, verdict)
    judge_order(numbers, verdict)
    gaps = subscriber.on("/gap")
    judge_losses(given, on.agent.lives, numbers, on.committed, gaps, verdict, evicts=plan.evicts, forgets=plan.forgets)
    if plan.evicts and not plan.kills:      # who is killed may tell a gap again
        judge_gaps(given, numbers, on.committed, gaps, verdict)
    if verdict.oldest_ms > UNCOMMITTED_MS and not plan.disk_full_s:
        verdict.blame("uncommitted for ms", [verdict.oldest_ms])
    judge_events(subscriber.below(), on.committed, verdict, forgets=plan.forgets)
    mine = finals(subscriber.on("/m1/kpi/job"))
    if not plan.damage:
        untold = on.committed.untold_orders(subscriber.below())
        verdict.blame("final records lost, though nothing may go", () if plan.evicts else untold)
        pieces = {order: one for order, one in pieces_of(given, _known(on, plan)).items() if order not in untold}
        mine = {order: one for order, one in mine.items() if order not in untold}
        judge_counts(mine, pieces, "the agent", verdict)
        judge_replay(mine, finals(_replayed(on.agent)), {} if plan.forgets else pieces, verdict)
    if on.twin_heard:
        others = source.answers(on.ledger, 2)
        twins = finals(on.twin_heard.on("/m1/kpi/job"))
        judge_counts(twins, pieces_of(others, on.twin_heard.numbers()), "the twin", verdict)
        judge_twins(mine, twins, seen_by_both(given, others, source.STILL_S), verdict)
    for agent in (on.agent, on.twin):
        verdict.blame("errors in the log", LOGGED.findall(agent.log()) if agent else ())
    return verdict


def _replayed(agent: Gateway) -> list[dict[str, Any]]:
    """KPI records that its journal gives."""
    site, data = agent.site, agent.disk.inside
    options = ("--window", "job", "--format", "json")
    command = [*agent.disk.prefix, sys.executable, "-m", "edge_agent.cli", "replay", str(site), str(data), *options]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300)
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
