"""What a reader hands on of alarms."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from edge_agent.api import AlarmChange, AlarmingSession, AlarmMark, Batch, NotConnected, empty
from edge_agent.health import Health
from edge_agent.south import reader as south
from edge_agent.south.reader import Nobody, Reader
from edge_agent.supervise import Backoff

CHANGE = AlarmChange("hot", 1, 2, True, 500, "too hot", "Spindle", "LimitAlarmType")


class Plain:
    """A session that tells nothing and ends."""

    confirms, lag_ns, skipped = True, 0, 0

    async def read(self) -> Batch:
        raise NotConnected("cable pulled")

    async def close(self) -> None:
        pass


class Alarming(Plain):
    """Brings one list of alarms a read."""

    def __init__(self, *told: Sequence[Any]) -> None:
        self._left = list(told)
        self._told: Sequence[Any] = ()

    async def read(self) -> Batch:
        if not self._left:
            return await super().read()
        self._told = self._left.pop(0)
        return empty()

    def alarms(self) -> Sequence[Any]:
        told, self._told = self._told, ()
        return told


async def heard(monkeypatch: pytest.MonkeyPatch, *sessions: Plain) -> list[Any]:
    """What comes out of a reader with these sessions, one after the other."""
    monkeypatch.setattr(south, "BACKOFF", Backoff(first=0.0, longest=0.0))
    out: list[Any] = []
    waiting, done = list(sessions), asyncio.Event()

    class Device:
        groups = ()

        async def connect(self) -> Plain:
            if not waiting:
                done.set()
                await asyncio.Event().wait()
            return waiting.pop(0)

        def why(self, _tag: Any) -> Sequence[str]:
            return ()

    reader = Reader(
        "cnc", Device(), [], np.zeros(0, np.int64), lambda *_: None, Health(), lambda: 0, ("told://",),
        Nobody(), lambda device, told: out.append((device, tuple(told))),
    )  # fmt: skip
    task = asyncio.create_task(reader.keep_reading())
    async with asyncio.timeout(60):
        await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return out


async def test_what_a_session_tells_is_handed_on_in_order_and_its_end_is_a_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = Alarming([AlarmMark.BEGIN, CHANGE], [], [AlarmMark.END])
    assert isinstance(first, AlarmingSession)
    assert await heard(monkeypatch, first, Alarming([CHANGE])) == [
        ("cnc", (AlarmMark.BEGIN, CHANGE)), ("cnc", (AlarmMark.END,)), ("cnc", (AlarmMark.LOST,)),
        ("cnc", (CHANGE,)), ("cnc", (AlarmMark.LOST,)),
    ]  # fmt: skip


async def test_a_session_without_alarms_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(Plain(), AlarmingSession)
    assert await heard(monkeypatch, Plain(), Plain()) == []
