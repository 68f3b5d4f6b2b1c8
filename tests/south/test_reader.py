"""One device's samples and the marks of what is missing."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from edge_agent.api import Batch, NotConnected, Reason, Tag, bad, empty, scan_group
from edge_agent.health import Count, Health
from edge_agent.south import reader as south
from edge_agent.south.reader import MARK_AFTER_NS, Reader
from edge_agent.supervise import Backoff

S = 1_000_000_000
T0 = 1_000_000 * S
LOST, STALE = bad(Reason.COMM_LOST), bad(Reason.STALE)


class Script:
    """A session that brings these batches, then fails."""

    def __init__(self, batches: list[Batch], *, confirms: bool = False, lag_ns: int = 0, ends: bool = True) -> None:
        self.confirms = confirms
        self.lag_ns = lag_ns
        self.skipped = 0
        self.brought = asyncio.Event()
        self._batches = batches
        self._ends = ends

    async def read(self) -> Batch:
        if self._batches:
            return self._batches.pop(0)
        self.brought.set()
        if not self._ends:
            await asyncio.Event().wait()
        raise NotConnected("cable pulled")

    async def close(self) -> None:
        pass


class Bench:
    """A reader of tags 5, 6, 7 of a table of ten, a clock under the test's hand, and what came out."""

    def __init__(self, *sessions: Script, n: int = 3) -> None:
        self.tags = [Tag(5 + i, "plc", f"t{i}", stale_ns=(10 + 10 * i) * S) for i in range(n)]
        self.seen = np.zeros(10, np.int64)
        self.now = T0
        self.out: list[tuple[int, int, int]] = []       # tag, time, quality
        self.ages: list[list[int]] = []                 # of samples as they came, s
        self.said: list[str] = []                       # evidence of how it is read
        self.health = Health()
        self._sessions = list(sessions)
        self.reader = Reader(
            "plc",
            self,
            self.tags,
            self.seen,
            self._take,
            self.health,
            lambda: self.now,
            ("modbus+tcp://10.0.0.5",),
            self,
        )
        self.groups = ()
        self.idle = asyncio.Event()

    def reads(self, _device: str, *, polled: bool) -> None:
        self.said.append("polls" if polled else "follows")

    def failed(self, _device: str) -> None:
        self.said.append("failed")

    def heard(self, _device: str, now_ns: int, batch: Batch) -> None:
        self.ages.append(((now_ns - batch.time) // S).tolist())

    def _take(self, device: str, batch: Batch) -> None:
        assert device == "plc"
        self.out += zip(batch.tag.tolist(), batch.time.tolist(), batch.quality.tolist(), strict=True)

    async def connect(self) -> Script:
        if not self._sessions:
            self.idle.set()
            await asyncio.Event().wait()
        return self._sessions.pop(0)

    async def read_all(self) -> None:
        task = asyncio.create_task(self.reader.keep_reading())
        async with asyncio.timeout(60):
            await self.idle.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(south, "BACKOFF", Backoff(first=0.0, longest=0.0))


def rows(*samples: tuple[int, int]) -> Batch:
    """(tag, seconds after T0) …"""
    tags, times = zip(*samples, strict=True)
    n = len(samples)
    return Batch(np.array(tags, np.int32), np.array(times, np.int64) * S + T0, np.ones(n), np.zeros(n, np.uint8))


async def test_a_lost_line_is_marked_after_the_last_known_time_of_each_tag_and_once() -> None:
    bench = Bench(Script([rows((5, 0), (6, 0)), rows((5, 4))]), Script([]), Script([]))
    await bench.read_all()
    marks = [row for row in bench.out if row[2] == LOST]
    assert marks == [(5, T0 + 4 * S + MARK_AFTER_NS, LOST), (6, T0 + MARK_AFTER_NS, LOST)]
    assert bench.health.counts[Count.SESSIONS_OPENED] == bench.health.counts[Count.SESSIONS_LOST] == 3
    assert bench.health.counts[Count.SAMPLES_READ] == 3


async def test_a_tag_that_never_came_is_not_marked() -> None:
    bench = Bench(Script([rows((5, 0))]))
    await bench.read_all()
    assert {tag for tag, _, _ in bench.out} == {5}


async def test_a_tag_that_is_back_may_be_marked_again() -> None:
    bench = Bench(Script([rows((5, 0))]), Script([rows((5, 9))]))
    await bench.read_all()
    assert [quality for _, _, quality in bench.out] == [0, LOST, 0, LOST]


async def test_what_comes_after_a_mark_is_later_than_it_whatever_the_device_says() -> None:
    ahead = rows((5, 3), (6, 0))        # the device's clock is 3 s ahead, then it says so no more
    bench = Bench(Script([ahead]), Script([rows((5, 1), (6, 1))]))
    await bench.read_all()
    of_5 = [(time, quality) for tag, time, quality in bench.out if tag == 5]
    assert of_5[:3] == [(T0 + 3 * S, 0), (T0 + 3 * S + MARK_AFTER_NS, LOST), (T0 + 3 * S + MARK_AFTER_NS + 1, 0)]
    assert [time for tag, time, _ in bench.out if tag == 6][2] == T0 + 1 * S


async def test_a_confirming_session_keeps_silent_tags_known_and_lost_marks_stand_there() -> None:
    script = Script([rows((5, 0)), empty()], confirms=True, lag_ns=2 * S)
    bench = Bench(script)
    bench.now = T0 + 100 * S
    await bench.read_all()
    assert bench.seen[5:8].tolist() == [T0 + 98 * S] * 3
    assert bench.out[-1] == (5, T0 + 98 * S + MARK_AFTER_NS, LOST)


async def test_the_watchdog_marks_each_tag_after_its_own_time_and_once() -> None:
    script = Script([rows((5, 0), (6, 0))], ends=False)
    bench = Bench(script)
    task = asyncio.create_task(bench.reader.keep_reading())
    await script.brought.wait()
    for second in range(40):
        bench.now = T0 + second * S
        bench.reader.watch()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert bench.out[2:] == [(5, T0 + MARK_AFTER_NS, STALE), (6, T0 + MARK_AFTER_NS, STALE)]
    assert bench.health.counts[Count.SAMPLES_STALE] == 2


async def test_a_stale_tag_is_not_marked_lost_again_and_a_lost_line_is_not_watched() -> None:
    script = Script([rows((5, 0))], ends=False)
    bench = Bench(script)
    task = asyncio.create_task(bench.reader.keep_reading())
    await script.brought.wait()
    bench.now = T0 + 15 * S
    bench.reader.watch()
    bench.reader._lost(NotConnected("cable pulled"))
    bench.reader.line.state = "lost"
    bench.now = T0 + 1000 * S
    bench.reader.watch()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [quality for _, _, quality in bench.out] == [0, STALE]


async def test_a_device_without_tags_connects_and_is_lost_in_peace() -> None:
    bench = Bench(Script([empty()], confirms=True), n=0)
    bench.reader.watch()
    await bench.read_all()
    assert bench.out == []
    assert bench.health.counts[Count.SESSIONS_LOST] == 1


async def test_other_tags_of_the_shared_vector_are_left_alone() -> None:
    group = scan_group(Tag(6, "plc", "t1") for _ in range(1))
    bench = Bench(Script([Batch(group, np.array([T0]), np.ones(1), np.zeros(1, np.uint8))]))
    await bench.read_all()
    assert bench.seen.tolist() == [0] * 6 + [T0] + [0] * 3


async def test_the_age_of_changes_is_told_but_not_of_the_old_values_a_session_begins_with() -> None:
    script = Script([rows((5, -900), (6, 0)), empty(), rows((5, 1)), rows((5, -7), (6, 2))], confirms=True)
    bench = Bench(script)
    await bench.read_all()
    assert bench.ages == [[-1], [7, -2]]
    assert bench.said == ["follows"]


async def test_the_age_of_every_polled_sample_is_told() -> None:
    bench = Bench(Script([rows((5, -9), (6, 0)), rows((5, -7))]))
    await bench.read_all()
    assert bench.ages == [[9, 0], [7]]
    assert bench.said == ["polls"], "what breaks is told by the marks"
