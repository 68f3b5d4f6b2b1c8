"""The timeline: each step begins and ends at its time, whatever the others do."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable

from edge_agent_hil.runner.played import Fault
from edge_agent_hil.runner.scenario_file import Step
from edge_agent_hil.runner.stage import Stage
from edge_agent_hil.wire_faults import wire_fault

LISTENS_S = 30.0


async def play(stage: Stage, begin: int, faults: list[Fault]) -> None:
    """All steps of the scenario; what was done is noted in `faults`. ValueError if the plant refuses one."""
    async with asyncio.TaskGroup() as group:
        for step in stage.loaded.file.timeline:
            group.create_task(_step(stage, begin, step, faults))


async def sleep_until(moment: int) -> None:
    """ns UTC."""
    await asyncio.sleep(max(0, moment - time.time_ns()) / 1e9)


async def _step(stage: Stage, begin: int, step: Step, faults: list[Fault]) -> None:
    await sleep_until(begin + step.at)
    began = time.time_ns()
    faults.append(Fault(step, began, began + step.length, _touched(stage, step)))
    place = len(faults) - 1
    until = sleep_until(begin + step.end)
    touched, end = _touched(stage, step), 0
    if step.wire is not None:
        await _on_wire(stage, step, until)
    elif step.equipment is not None:
        touched, end = await _on_equipment(stage, step, until, begin + stage.loaded.file.duration)
    elif step.broker is not None:
        await _on_broker(stage, step, until)
    else:
        await _on_gateway(stage, step, until)
    faults[place] = Fault(step, began, end or time.time_ns(), touched)


def _touched(stage: Stage, step: Step) -> frozenset[str]:
    if step.equipment is not None:
        return frozenset({step.equipment})
    return stage.behind(step.wire or "broker")


async def _on_wire(stage: Stage, step: Step, until: Awaitable[None]) -> None:
    wire, fault = stage.wires.get(str(step.wire)), step.wire_fault()
    if wire is None:
        raise ValueError(f"{step}: {stage.urls[str(step.wire)]} is reached without a wire; TCP without TLS has one")
    wire.apply(fault)
    await until
    wire.clear(fault.name)


async def _on_equipment(
    stage: Stage, step: Step, until: Awaitable[None], end: int
) -> tuple[frozenset[str], int]:
    """The machines it reached (some share a server) and when it is over, ns UTC: at `end`, if it lasts."""
    answer = await stage.ask({"fault": step.order()})
    await until
    return frozenset(answer["machines"]), int(answer["until"] or end)


async def _on_broker(stage: Stage, step: Step, until: Awaitable[None]) -> None:
    broker = stage.broker
    if step.broker == "freeze":
        broker.signal(signal.SIGSTOP)
        await until
        broker.signal(signal.SIGCONT)
        return
    # Nobody is let in before the subscriber listens again: what a broker takes for nobody is acknowledged and gone.
    wire, shut = stage.wires["broker"], wire_fault("refuse")
    wire.apply(shut)
    await asyncio.to_thread(broker.kill if step.broker == "kill" else broker.stop)
    stage.heard.listens.clear()
    await until
    await asyncio.to_thread(broker.start)
    if not await asyncio.to_thread(stage.heard.listens.wait, LISTENS_S):
        raise OSError("the subscriber is not let in again by the broker")
    wire.clear(shut.name)


async def _on_gateway(stage: Stage, step: Step, until: Awaitable[None]) -> None:
    gateway, fault = stage.gateway, step.gateway_fault()
    await asyncio.to_thread(gateway.apply, fault)
    await until
    await asyncio.to_thread(gateway.clear, fault.name)
