"""One destination following a real journal over a link under the test's hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import numpy as np
import orjson
import pytest

from edge_agent.api import Kind, Message, NotConnected, Rejected
from edge_agent.core.batch import concat, row
from edge_agent.core.cell import Cell
from edge_agent.core.report import Gap, Report, StateChange, Window
from edge_agent.core.states import MachineState
from edge_agent.encode import columns, records
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.health import Count, Health
from edge_agent.journal import Journal, RecordKind
from edge_agent.north import drain, follow
from edge_agent.north.drain import Order
from edge_agent.supervise import Backoff
from tests.peers.follower import follower_of

ROOT = "edge/gw"


class Broker:
    """Hands out links; what each received is in `links`, what `refuse` answers is refused."""

    def __init__(self) -> None:
        self.links: list[FakeLink] = []
        self.refuse: Callable[[Message], str] = lambda message: ""
        self.hold = False           # acknowledge nothing
        self.holds = "-"            # acknowledge nothing on topics that end so

    async def connect(self) -> FakeLink:
        self.links.append(FakeLink(self))
        return self.links[-1]

    @property
    def received(self) -> list[Message]:
        return [message for link in self.links for message in link.received]

    def on(self, ending: str) -> list[dict[str, object]]:
        return [orjson.loads(m.payload) for m in self.received if m.topic.endswith(ending)]

    def seqs(self) -> list[object]:
        return [payload["seq"] for payload in self.on("/tags")]


class FakeLink:
    def __init__(self, broker: Broker) -> None:
        self.received: list[Message] = []
        self.closed_times = 0
        self._broker = broker
        self._end = asyncio.Event()

    async def send(self, messages: Sequence[Message]) -> None:
        if self._end.is_set():
            raise NotConnected("cut")
        self.received += messages
        if self._broker.hold or any(m.topic.endswith(self._broker.holds) for m in messages):
            await self._end.wait()
            raise NotConnected("cut")
        await asyncio.sleep(0)
        refused = {n: why for n, m in enumerate(messages) if (why := self._broker.refuse(m))}
        if refused:
            raise Rejected(tuple(refused), refused)

    async def closed(self) -> None:
        await self._end.wait()
        raise NotConnected("cut")

    async def close(self) -> None:
        self.closed_times += 1

    def cut(self) -> None:
        self._end.set()


class SmallLink(FakeLink):
    largest = 500


class Bench:
    def __init__(self, journal: Journal, order: Order = "live-first") -> None:
        self.journal = journal
        self.folder = journal.folder.parent
        self.broker = Broker()
        self.health = Health()
        self.follower = follower_of(journal, self.broker, JsonProfile(ROOT, "gw", "0"), self.health, order=order)
        definition = {"device": "plc", "names": ["x"], "kinds": [int(Kind.INT)]}
        self._key = journal.define("plc", orjson.dumps(definition))
        self._group = np.zeros(1, np.int32)

    async def write(self, n: int = 1) -> list[int]:
        seqs = []
        for value in range(n):
            batch = row(self._group, time.time_ns(), np.array([float(value)]))
            seqs.append(self.journal.append(RecordKind.SAMPLES, columns.pack(batch, 0, {}), self._key))
        await self.journal.flush()
        return seqs

    @asynccontextmanager
    async def following(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.follower.keep_following())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, what: Callable[[], object]) -> None:
        for _ in range(2500):
            if what():
                return
            await asyncio.sleep(0.002)
        pytest.fail("waited in vain")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "BACKOFF", Backoff(first=0.001, longest=0.001))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with await Journal.open(
        tmp_path / "journal", max_bytes=10_000_000, max_age_ns=None, clock=time.time_ns
    ) as journal:
        yield Bench(journal)


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Bench]:
    async with await Journal.open(
        tmp_path / "journal", max_bytes=10_000_000, max_age_ns=None, clock=time.time_ns
    ) as journal:
        yield Bench(journal, order="strict")


def report(*, final: bool, start: int = 0) -> Report:
    window = Window("hour", "hour", start, start + 3_600_000_000_000, date(2026, 11, 23), "UTC")
    return Report("m", window, 0, final, start + 1, "h", Cell())


async def test_records_arrive_in_order_and_only_then_the_cursor_moves(bench: Bench) -> None:
    seqs = await bench.write(250)
    async with bench.following():
        await bench.until(lambda: bench.follower.places.backlog == 0)
    assert bench.broker.seqs() == seqs
    assert bench.follower.places.samples.ranges[0].released == seqs[-1]


async def test_without_acknowledgement_the_cursor_stays_and_all_of_it_comes_again(bench: Bench) -> None:
    async with bench.following():
        await bench.until(lambda: bench.broker.on("/status"))
        bench.broker.hold = True
        seqs = await bench.write(7)
        await bench.until(bench.broker.seqs)
        in_vain = bench.broker.seqs()
        assert bench.follower.places.backlog == 7
        bench.broker.hold = False
        bench.broker.links[0].cut()
        await bench.until(lambda: bench.follower.places.backlog == 0)
    assert in_vain == seqs[: len(in_vain)]
    assert bench.broker.seqs() == in_vain + seqs
    assert bench.health.counts[Count.LINKS_LOST] == 1
    assert bench.health.counts[Count.LINKS_OPENED] == 2


async def test_what_is_refused_for_good_is_counted_said_once_and_left_behind(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.broker.refuse = lambda m: "Not authorized" if m.topic.endswith("/tags") else ""
    async with bench.following():
        seqs = await bench.write(20)
        await bench.until(lambda: bench.follower.places.backlog == 0)
        seqs += await bench.write(20)
        await bench.until(lambda: bench.follower.places.backlog == 0)
    assert len(bench.broker.links) == 1
    assert bench.health.counts[Count.MESSAGES_REJECTED] == 40
    refused = [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]
    assert len(refused) == 1
    letters = [orjson.loads(line) for line in (bench.folder / "dead/platform.jsonl").read_bytes().splitlines()]
    assert [orjson.loads(letter["payload"])["seq"] for letter in letters] == seqs
    assert {(letter["topic"], letter["reason"]) for letter in letters} == {(f"{ROOT}/plc/tags", "Not authorized")}
    assert "Not authorized" in refused[0]
    assert f"{ROOT}/plc/tags" in refused[0]


async def test_a_record_that_cannot_be_encoded_does_not_keep_back_what_follows(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench.following():
        first = await bench.write(1)
        for body in (b"no batch at all", b"\x07", b""):
            bench.journal.append(RecordKind.SAMPLES, body, bench._key)
        bench.journal.append(RecordKind.SAMPLES, b"without a definition")
        bench.journal.append(RecordKind.STATE, b'{"v": 99}')
        bench.journal.append(RecordKind.REPORT, b"[]")
        bench.journal.append(100, b"of a later version")
        last = await bench.write(1)
        await bench.until(lambda: bench.follower.places.backlog == 0)
    assert bench.broker.seqs() == first + last
    assert len(bench.broker.links) == 1
    assert bench.health.counts[Count.RECORDS_UNREADABLE] == 6
    assert sum("cannot encode" in record.getMessage() for record in caplog.records) == 3      # once a kind


async def test_every_new_link_gets_the_birth_first_and_all_that_is_latest(bench: Bench) -> None:
    bench.follower.latest.put([Message("a", b"1"), Message("b", b"1")])
    async with bench.following():
        await bench.until(lambda: len(bench.broker.received) == 3)
        bench.follower.latest.put([Message("b", b"2")])
        await bench.until(lambda: len(bench.broker.received) == 4)
        bench.broker.links[0].cut()
        await bench.until(lambda: len(bench.broker.links) == 2 and len(bench.broker.links[1].received) == 3)
    first, second = ([(m.topic, m.payload) for m in link.received] for link in bench.broker.links)
    assert first[1:4] == [("a", b"1"), ("b", b"1"), ("b", b"2")]
    assert second[1:3] == [("a", b"1"), ("b", b"2")]
    assert first[0][0] == second[0][0] == f"{ROOT}/status"


async def test_a_final_report_drops_the_provisional_one_of_its_topic(bench: Bench) -> None:
    profile = bench.follower.profile
    bench.follower.latest.put(profile.report(report(final=False)))
    async with bench.following():
        await bench.until(lambda: bench.broker.on("/kpi/hour"))
        bench.follower.latest.drop(profile.report(report(final=True)))
        bench.journal.append(RecordKind.REPORT, records.pack_report(report(final=True)))
        await bench.journal.flush()
        await bench.until(lambda: len(bench.broker.on("/kpi/hour")) == 2)
        bench.broker.links[0].cut()
        await bench.until(lambda: len(bench.broker.links) == 2 and bench.broker.links[1].received)
        await asyncio.sleep(0.02)
    assert [payload["final"] for payload in bench.broker.on("/kpi/hour")] == [False, True]


async def test_what_is_no_longer_part_of_the_whole_is_forgotten(bench: Bench) -> None:
    bench.follower.latest.put([Message("here", b"a", about="a"), Message("here", b"b", about="b")], "status")
    bench.follower.latest.put([Message("gone", b"a", about="a")], "status")
    assert [(one.topic, one.about) for one in bench.follower.latest.take()] == [("gone", "a")]
    bench.follower.latest.renew()
    assert [one.topic for one in bench.follower.latest.take()] == ["gone"]


async def test_news_that_cannot_be_encoded_are_counted_and_end_nothing(bench: Bench) -> None:
    bench.follower.tell(bench.follower.profile.report, None)
    assert bench.health.counts[Count.RECORDS_UNREADABLE] == 1
    assert not bench.follower.latest.take()


async def test_states_and_reports_keep_their_order_and_go_before_samples_that_came_earlier(bench: Bench) -> None:
    await bench.write(1)
    bench.journal.append(RecordKind.STATE, records.pack_state(StateChange("m", MachineState.RUN, "", 1)))
    bench.journal.append(RecordKind.ALIVE, b"")
    bench.journal.append(RecordKind.REPORT, records.pack_report(report(final=True)))
    await bench.write(1)
    async with bench.following():
        await bench.until(lambda: bench.follower.places.backlog == 0)
    topics = [message.topic.removeprefix(ROOT) for message in bench.broker.received]
    assert [t for t in topics if t != "/status"] == ["/m/state", "/m/kpi/hour", "/plc/tags", "/plc/tags"]


async def test_a_stop_says_goodbye_and_closes_the_link_once(bench: Bench) -> None:
    async with bench.following() as task:
        await bench.until(lambda: bench.broker.on("/status"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [payload["online"] for payload in bench.broker.on("/status")] == [True, False]
    assert bench.broker.links[0].closed_times == 1


async def test_a_stop_does_not_wait_for_a_broker_that_does_not_listen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "GOODBYE_S", 0.05)
    bench.broker.hold = True        # not even the birth is acknowledged
    async with bench.following() as task:
        await bench.until(lambda: bench.broker.received)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=1)
        assert done
    assert [payload["online"] for payload in bench.broker.on("/status")] == [True, False]


async def test_what_was_journalled_before_the_link_opened_is_historical(bench: Bench) -> None:
    await bench.write(1)
    async with bench.following():
        await bench.until(lambda: bench.follower.places.backlog == 0)
        await bench.write(1)
        await bench.until(lambda: bench.follower.places.backlog == 0)
    assert [payload["historical"] for payload in bench.broker.on("/tags")] == [True, False]


async def test_after_an_outage_what_is_new_goes_before_what_has_waited_and_each_says_what_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "WORTH_BYTES", 0)
    before = await bench.write(300)
    async with bench.following():
        await bench.until(lambda: bench.broker.seqs())
        new = await bench.write(1)
        await bench.until(lambda: bench.follower.places.backlog == 0)
    told = bench.broker.seqs()
    assert sorted(told) == before + new     # type: ignore[type-var]
    assert [seq for seq in told if seq in before] == before
    assert told.index(new[0]) < len(told) - 1
    assert {payload["seq"]: payload["historical"] for payload in bench.broker.on("/tags")} == {
        **dict.fromkeys(before, True), new[0]: False,
    }  # fmt: skip


def ascend(seqs: Sequence[object]) -> bool:
    return list(seqs) == sorted(seqs)   # type: ignore[type-var]


async def test_what_a_short_outage_left_does_not_overtake_an_older_backlog_as_history(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "WORTH_BYTES", 5000)
    bench.broker.holds = "/tags"
    before = await bench.write(300)
    async with bench.following():
        await bench.until(lambda: bench.broker.seqs())
    bench.broker.holds = "-"
    after = await bench.write(3)    # not worth a way of its own
    async with bench.following():
        await bench.until(lambda: bench.follower.places.backlog == 0)
        await bench.write(1)
        await bench.until(lambda: bench.follower.places.backlog == 0)
    told = [orjson.loads(m.payload) for m in bench.broker.links[1].received if m.topic.endswith("/tags")]
    assert sorted(payload["seq"] for payload in told)[:-1] == before + after
    for historical in (False, True):
        assert ascend([payload["seq"] for payload in told if payload["historical"] == historical])


async def test_what_is_committed_only_after_the_link_opened_is_new_however_long_ago_it_was_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "WORTH_BYTES", 0)
    before = await bench.write(300)
    batch = row(np.zeros(1, np.int32), time.time_ns(), np.array([0.0]))
    late = bench.journal.append(RecordKind.SAMPLES, columns.pack(batch, 0, {}), bench._key)
    async with bench.following():
        await bench.until(lambda: bench.broker.seqs())
        await bench.journal.flush()
        await bench.until(lambda: bench.follower.places.backlog == 0)
    told = bench.broker.on("/tags")
    assert {payload["seq"]: payload["historical"] for payload in told} == {**dict.fromkeys(before, True), late: False}


async def test_in_strict_order_what_is_new_waits_behind_what_has_waited(strict: Bench) -> None:
    before = await strict.write(300)
    async with strict.following():
        await strict.until(lambda: strict.broker.seqs())
        new = await strict.write(1)
        await strict.until(lambda: strict.follower.places.backlog == 0)
    assert strict.broker.seqs() == before + new


async def test_a_backlog_says_how_much_is_left_and_how_long_that_takes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "WORTH_BYTES", 0)
    assert bench.follower.progress() is None
    await bench.write(300)
    async with bench.following():
        await bench.until(lambda: bench.broker.seqs())
        progress = bench.follower.progress()
        assert progress is None or 0 < progress.records <= 300
        await bench.until(lambda: bench.follower.places.backlog == 0)
        await bench.until(lambda: bench.follower.progress() is None)


async def test_a_gap_is_told_to_the_destination_that_has_it_and_to_no_other(bench: Bench) -> None:
    for destination in ("platform", "other"):
        gap = Gap(destination, "samples", 3, 7, 5, 1_000_000, 2_000_000, "space")
        bench.journal.append(RecordKind.GAP, records.pack_gap(gap))
    await bench.journal.flush()
    async with bench.following():
        await bench.until(lambda: bench.follower.places.backlog == 0)
    assert bench.broker.on("/gap") == [
        {"v": 1, "lane": "samples", "from_seq": 3, "to_seq": 7, "records": 5, "from": 1, "to": 2, "why": "space"}
    ]


async def test_a_record_larger_than_the_link_takes_goes_in_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.north.test_follow.FakeLink", SmallLink)
    times = np.arange(1, 101) * 1_000_000_000
    batch = concat([row(bench._group, int(t), np.array([float(t)])) for t in times])
    bench.journal.append(RecordKind.SAMPLES, columns.pack(batch, 0, {}), bench._key)
    await bench.journal.flush()
    async with bench.following():
        await bench.until(lambda: bench.follower.places.backlog == 0)
    sent = [message for message in bench.broker.received if message.topic.endswith("/tags")]
    assert len(sent) > 5
    assert all(len(message.payload) <= 500 for message in sent)
    assert sum(len(payload["samples"]) for payload in bench.broker.on("/tags")) == 100


async def test_only_what_does_not_go_through_the_journal_is_passing(bench: Bench) -> None:
    await bench.write(1)
    bench.follower.latest.put(bench.follower.profile.report(report(final=False)))
    async with bench.following():
        await bench.until(lambda: bench.broker.on("/tags") and bench.broker.on("/kpi/hour"))
    passing = {message.topic.rpartition("/")[2] for message in bench.broker.received if message.passing}
    lasting = {message.topic.rpartition("/")[2] for message in bench.broker.received if not message.passing}
    assert (passing, lasting) == ({"hour"}, {"status", "tags"})
