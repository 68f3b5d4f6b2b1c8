"""Plays a scenario from the first process to the last, and brings back everything that came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from edge_agent.core.quantity import duration_ns
from edge_agent_hil.broker import BrokerError
from edge_agent_hil.gateway import GatewayError
from edge_agent_hil.gateway_limits import NotPossible
from edge_agent_hil.part import PartError, Parts
from edge_agent_hil.runner import gauges, timeline
from edge_agent_hil.runner.heard import Heard, Kpi
from edge_agent_hil.runner.load import Loaded
from edge_agent_hil.runner.played import Machine, Played
from edge_agent_hil.runner.shown import shown, story
from edge_agent_hil.runner.site import MICRO_STOP
from edge_agent_hil.runner.stage import Options, Stage

# From a site file to the first sample an agent takes about half the time in which plant and broker come up, on any
# computer: after one and a half times that it reads, unless the computer is busy with something else.
START_S = 3.0
# How often another shift is begun, each time after twice the wait, because the agent was late for the one before.
SHIFTS = 4
# How long the end may take to be heard of: what has waited arrives, the last records come. Longer than any back-off.
SETTLE_S = 60.0
GOODBYE_S = 5.0
LOG_SHOWN = 2000
# Points of a curve that is 900 pixels wide.
VECTORS = 150

Tell = Callable[[str, float], None]
"""What is going on, and which part of it is done, 0 to 1"""


async def conduct(loaded: Loaded, options: Options, folder: Path, parts: Parts, tell: Tell) -> Played:
    """One run. What keeps it from being played is in `trouble`."""
    started = time.monotonic()
    played = Played(loaded, 0, 0, 0)
    try:
        async with Stage(loaded, options, folder, parts) as stage:
            await _play(stage, played, time.monotonic() - started, tell)
    except* NotPossible as group:
        played.skipped = "; ".join(str(error) for error in _leaves(group))
    except* (PartError, BrokerError, GatewayError, OSError, ValueError) as group:
        played.trouble = "; ".join(str(error) for error in _leaves(group))
    played.seconds = time.monotonic() - started
    return played


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    found = ([one] if not isinstance(one, BaseExceptionGroup) else _leaves(one) for one in group.exceptions)
    return [leaf for leaves in found for leaf in leaves]


async def _play(stage: Stage, played: Played, took_s: float, tell: Tell) -> None:
    file = stage.loaded.file
    played.seed, played.heard = stage.ready["seed"], stage.heard
    real = set(stage.options.targets)
    judged = file.judged or tuple(stage.ready["machines"])
    played.devices = judged
    machines = [name for name in stage.ready["machines"] if name in judged]
    await _begin(stage, played, machines, max(START_S, 1.5 * took_s), tell)
    playing = asyncio.create_task(timeline.play(stage, played.begin, played.faults))
    looking = asyncio.create_task(gauges.keep_looking(played.gauges, stage.gateway, stage.api_port))
    counting = asyncio.create_task(_keep_counting(stage, played.connections))
    try:
        await _watch(stage, played, tell, playing)
        await _settle(stage, played, machines, tell)
    finally:
        for task in (playing, looking, counting):
            task.cancel()
        await asyncio.gather(playing, looking, counting, return_exceptions=True)
    tell("judged", 1.0)
    vectors = {name: await _vectors(stage, played, name) for name in machines if name not in real}
    try:
        played.exit_code = await asyncio.to_thread(stage.gateway.stop)
    except GatewayError:
        played.exit_code = stage.gateway.exit_code
    await _until(lambda: stage.heard.goodbye, GOODBYE_S)
    played.log = stage.gateway.log()
    truth = await stage.stop_plant()
    played.machines = {name: _machine(name, truth["machines"][name], stage.ready, vectors[name]) for name in vectors}


async def _begin(stage: Stage, played: Played, machines: list[str], wait: float, tell: Tell) -> None:
    """An agent that is there in time for its shift. PartError if it does not come."""
    for left in reversed(range(SHIFTS)):
        tell("starts", 0.0)
        played.begin = await stage.start_agent(wait)
        played.end = played.begin + stage.loaded.file.duration
        first = partial(_first, stage.heard, played.begin)
        await _until(lambda: all(map(first, machines)) or stage.gateway.pid is None, wait + 10.0)  # noqa: B023
        records = [first(name) for name in machines]
        if all(record and not record.record["time_s"]["unk"] for record in records):
            return
        if stage.gateway.pid is None or not left:
            what = "has ended" if stage.gateway.pid is None else "did not see every machine when its shift began"
            raise PartError(f"the agent {what}; it said:\n{stage.gateway.log().strip()[-LOG_SHOWN:]}")
        await asyncio.to_thread(stage.gateway.stop)
        wait *= 2


def _first(heard: Heard, since: int, name: str) -> Kpi | None:
    """The first KPI record of a machine of after `since`."""
    return next((kpi for kpi in heard.kpis[name] if kpi.as_of > since), None)


async def _watch(stage: Stage, played: Played, tell: Tell, playing: asyncio.Task[None]) -> None:
    """Until the scenario is over."""
    duration = played.end - played.begin
    while (now := time.time_ns()) < played.end or not playing.done():
        if playing.done():
            playing.result()
        stage.check()
        going_on = [str(fault.step) for fault in played.faults if fault.end > now]
        tell(", ".join(going_on) or "runs", min(1.0, (now - played.begin) / duration))
        await asyncio.sleep(0.2)
    playing.result()


async def _settle(stage: Stage, played: Played, machines: list[str], tell: Tell) -> None:
    """Until all that was told up to the end has arrived, and of every machine a record of after it."""
    tell("settles", 1.0)
    heard = stage.heard

    def over() -> bool:
        if played.drained is None:
            since = played.begin + played.loaded.file.last_fault
            played.drained = next((g.t for g in played.gauges if g.t > since and g.backlog == 0), None)
        records = all(heard.kpis[name] and heard.kpis[name][-1].as_of >= played.end for name in machines)
        last = played.gauges[-1] if played.gauges else None
        return records and bool(last and last.t > played.end and last.backlog == 0)

    played.settled = await _until(over, SETTLE_S)


async def _keep_counting(stage: Stage, connections: dict[str, int]) -> None:
    while True:
        for name in stage.urls:
            wire = stage.wires.get(name)
            if wire:
                connections[name] = max(connections.get(name, 0), wire.counters()["open"])
        await asyncio.sleep(0.1)


async def _vectors(stage: Stage, played: Played, name: str) -> dict[int, dict[str, Any]]:
    """The truth at even moments, for the picture, and at that of the newest KPI record."""
    last = max(stage.heard.kpis[name], key=lambda kpi: kpi.as_of, default=None)
    newest = last.as_of if last else played.end
    every = max(1, (min(newest, time.time_ns()) - played.begin) // VECTORS)
    question = {"machine": name, "start": played.begin, "micro_stop": duration_ns(MICRO_STOP)}
    moments = [*range(played.begin + every, min(newest, time.time_ns()), every), newest]
    vectors = {moment: await stage.ask({**question, "end": moment}) for moment in moments}
    if last and last.arrived < newest:      # an agent whose clock is ahead cannot know what has not happened yet
        vectors[newest] = await stage.ask({**question, "end": last.arrived})
    return vectors


def _machine(name: str, truth: Mapping[str, Any], ready: Mapping[str, Any], vectors: dict[int, Any]) -> Machine:
    said = ready["machines"][name]
    slowest = max(duration_ns(product["ideal_cycle"]) for product in said["products"].values())
    states = story((t, state) for t, state, _ in truth["states"])
    return Machine(name, said["driver"], shown(truth, said, ready["start"]), states, vectors, slowest)


async def _until(what: Callable[[], object], seconds: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.05)
    return True
