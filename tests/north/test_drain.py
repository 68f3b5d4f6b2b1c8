"""What goes next: events first, what is new before what has waited, and neither starves the other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from edge_agent.journal import Record
from edge_agent.north import drain as module
from edge_agent.north import turns
from edge_agent.north.drain import Drain, Order
from edge_agent.north.pace import Pace


def record(seq: int, size: int = 10) -> Record:
    return Record(seq, 3, 0, seq, bytes(size))


class Stretch:
    def __init__(self, seqs: Sequence[int] = ()) -> None:
        self.waiting = deque(map(record, seqs))
        self.released: list[int] = []
        self.backlog_records = self.backlog_bytes = 0

    @property
    def pending(self) -> bool:
        return bool(self.waiting)

    async def read(self, max_records: int = 1000, max_bytes: int = 1 << 20) -> list[Record]:
        return [self.waiting.popleft() for _ in range(min(max_records, len(self.waiting)))]

    def release(self, seq: int) -> None:
        self.released.append(seq)


class Places:
    def __init__(self, *seqs: int) -> None:
        self.stretches = [Stretch(seqs)]
        self.rewound = 0
        self.waited = 0

    @property
    def ranges(self) -> list[Stretch]:
        closed = [one for one in self.stretches[:-1] if one.pending]
        return [*closed, self.stretches[-1]]

    def split(self, worth_bytes: int) -> bool:
        self.stretches.append(Stretch())
        return True

    def rewind(self) -> None:
        self.rewound += 1


class Destination:
    """Takes what comes."""

    def __init__(self, events: Places, samples: Places, order: Order, rate: float = 0.0) -> None:
        self.got: list[list[int]] = []
        self.takes_s_a_record = 0.0
        self.news = asyncio.Event()
        self.at: list[float] = []
        self.on_delivery: Callable[[], None] = lambda: None
        self.drain = Drain(events, samples, order, Pace(rate), self._deliver, self._more)

    async def _deliver(self, records: list[Record]) -> int:
        await asyncio.sleep(self.takes_s_a_record * len(records))
        self.got.append([one.seq for one in records])
        self.at.append(time.monotonic())
        self.on_delivery()
        return sum(len(one.body) for one in records)

    async def _more(self) -> None:
        await self.news.wait()
        self.news.clear()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.drain.keep_sending())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, what: Callable[[], object]) -> None:
        for _ in range(10_000):
            if what():
                return
            await asyncio.sleep(0.002)
        pytest.fail("waited in vain")


async def test_events_go_first_and_what_is_new_goes_before_what_has_waited() -> None:
    events, samples = Places(1, 4), Places(*range(10, 20))
    there = Destination(events, samples, "live-first")
    samples.split = lambda worth_bytes: samples.stretches.append(Stretch([90, 91]))  # type: ignore[method-assign]
    async with there.sending():
        await there.until(lambda: sum(map(len, there.got)) == 14)
    assert [seq for part in there.got for seq in part] == [1, 4, 90, 91, *range(10, 20)]
    assert (events.rewound, samples.rewound) == (1, 1)
    assert samples.stretches[0].released[-1] == 19


async def test_strict_order_sends_all_in_the_order_it_came() -> None:
    samples = Places(*range(10, 20))
    there = Destination(Places(), samples, "strict")
    async with there.sending():
        await there.until(lambda: sum(map(len, there.got)) == 10)
    assert len(samples.stretches) == 1
    assert [seq for part in there.got for seq in part] == list(range(10, 20))


async def test_a_backlog_has_its_turn_however_much_comes_in() -> None:
    events, samples = Places(), Places(5)
    there = Destination(events, samples, "live-first")

    def flood() -> None:
        samples.stretches[-1].waiting.append(record(100))
        events.stretches[0].waiting.append(record(200))

    there.on_delivery = flood
    events.stretches[0].waiting.append(record(200))
    async with there.sending():
        await there.until(lambda: [5] in there.got)
        await there.until(lambda: len(there.got) > 30)
    turns = there.got
    longest = max(len(row) for row in "".join("e" if one == [200] else " " for one in turns).split())
    assert longest <= module.TURNS
    assert any(100 in one for one in turns)


async def test_a_backlogs_turns_are_small_where_the_link_is_slow_and_it_rests_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TURN_S", 0.02)
    monkeypatch.setattr(turns, "TURN_S", 0.02)
    samples = Places(*range(1000))
    there = Destination(Places(), samples, "live-first")
    there.takes_s_a_record = 0.03
    async with there.sending():
        await there.until(lambda: len(there.got) >= 8)
    assert {len(one) for one in there.got} <= {1, 2}
    pauses = [b - a for a, b in zip(there.at, there.at[1:], strict=False)]
    assert min(pauses) > 0.03 + 0.02 * 0.9


async def test_whatever_it_is_no_more_is_sent_at_once_than_a_thin_link_carries_in_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.02)
    there = Destination(Places(*range(500)), Places(*range(1000, 1500)), "strict")
    there.takes_s_a_record = 0.01
    async with there.sending():
        await there.until(lambda: len(there.got) >= 30)
    assert max(map(len, there.got)) <= 16       # of a link that is lost now and then something is done each time


async def test_strict_order_sends_what_an_order_that_was_another_before_has_left_first() -> None:
    samples = Places(*range(10, 20))
    samples.stretches += [Stretch(range(20, 30)), Stretch(range(30, 40))]
    there = Destination(Places(), samples, "strict")
    async with there.sending():
        await there.until(lambda: sum(map(len, there.got)) == 30)
    assert [seq for part in there.got for seq in part] == list(range(10, 40))


async def test_a_backlog_may_be_held_to_so_many_bytes_a_second() -> None:
    samples = Places(*range(400))
    there = Destination(Places(), samples, "live-first", rate=10_000.0)
    began = time.monotonic()
    async with there.sending():
        await there.until(lambda: sum(map(len, there.got)) == 400)
    # 4,000 bytes, of which a second's worth may come at once: nothing to wait for.
    assert time.monotonic() - began < 1.0
    samples.stretches.insert(0, Stretch(range(3000)))
    began = time.monotonic()
    async with there.sending():
        await there.until(lambda: sum(map(len, there.got)) == 3400)
    assert time.monotonic() - began > 1.5


def test_a_pace_lets_a_second_s_worth_through_and_asks_to_wait_for_what_was_too_much() -> None:
    pace = Pace(10.0)
    assert pace.wait(5.0) == 0
    pace.take(10, 5.0)
    assert pace.wait(5.0) == 0
    pace.take(5, 5.0)
    assert pace.wait(5.0) == pytest.approx(0.5)
    assert pace.wait(5.4) == pytest.approx(0.1)
    assert pace.wait(9.0) == 0
    assert (pace.wait(9.0, 10), pace.wait(9.0, 1000)) == (0, 0)
    pace.take(10, 9.0)
    assert (pace.wait(9.0, 5), pace.wait(9.0, 1000)) == (pytest.approx(0.5), pytest.approx(1.0))
    assert Pace(0.0).wait(1.0) == 0
