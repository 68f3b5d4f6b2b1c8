"""Any sequence of operations, crashes and restarts included, against lists."""

from __future__ import annotations

import asyncio
import bisect
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_agent.core.report import Gap
from edge_agent.encode.records import unpack_gap
from edge_agent.journal import LANES, Cursor, Journal, LaneName, RecordKind, records, stat, verify

CAP = 48_000
NAMES = ("north", "south")
KINDS = {"events": RecordKind.EVENT, "samples": RecordKind.SAMPLES}
Which = tuple[str, LaneName]


class Stretch:
    """What the model knows of a range; all are indices into the list of the lane's records."""

    def __init__(self, released: int, end: int | None = None) -> None:
        self.released = self.read = released
        self.end = end

    def evict(self, oldest: int) -> range:
        before = self.released
        self.released = max(self.released, oldest if self.end is None else min(oldest, self.end))
        self.read = max(self.read, self.released)
        return range(before, self.released)


class Followed:
    """What the model knows of one cursor."""

    def __init__(self, place: int) -> None:
        self.ranges = [Stretch(place)]
        self.saved: list[tuple[int, int | None]] | None = None

    def tidy(self) -> None:
        self.ranges = [one for one in self.ranges if one.released != one.end]

    def save(self) -> None:
        self.saved = [(one.released, one.end) for one in self.ranges]


class AgainstLists(RuleBasedStateMachine):
    """`appended` is the model: of each lane, every record ever appended and not dropped by a crash, as (seq, body)."""

    @initialize(recent=st.sampled_from([0, 1500, 1 << 20]))
    def start(self, recent: int) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.recent = recent
        self.appended: dict[LaneName, list[tuple[int, bytes]]] = {lane: [] for lane in LANES}
        self.committed: dict[LaneName, int] = dict.fromkeys(LANES, 0)
        self.count = self.now = self.newest = 0
        self.followed: dict[Which, Followed] = {}
        self.gaps: dict[int, Gap] = {}
        self.told: dict[Which, int] = {}
        """of each cursor, how many lost records it was told of, or will be by a record that is there"""
        self.forgotten = 0
        """up to this number gaps told a destination that was given up"""
        self.open()
        for lane in LANES:
            self.follow((NAMES[0], lane), oldest=True)

    def open(self) -> None:
        self.journal = self.runner.run(
            Journal.open(
                self.folder, max_bytes=CAP, max_age_ns=None, clock=self.tick, segment_bytes=3000,
                checkpoint=lambda: b"%d" % self.count, recent_bytes=self.recent,
            )
        )  # fmt: skip
        assert self.journal.reports == []

    def tick(self) -> int:
        self.now += 1
        return self.now

    def cursor(self, which: Which) -> Cursor:
        return self.journal.cursor(*which)

    def oldest(self, lane: LaneName) -> int:
        """Index of the oldest record the cap has left."""
        segments = self.journal.lane(lane).chain.segments
        first = segments[0].first if segments else 0
        return sum(1 for seq, _ in self.appended[lane][: self.committed[lane]] if seq < first)

    @rule(
        sizes=st.lists(st.tuples(st.sampled_from(LANES), st.integers(0, 400)), min_size=1, max_size=20),
        flushed=st.booleans(),
    )
    def append(self, sizes: list[tuple[LaneName, int]], flushed: bool) -> None:
        for lane, size in sizes:
            body = b"%d." % self.count + bytes(size)
            key = self.journal.define("d", b"%d" % (self.count // 10))
            seq = self.journal.append(KINDS[lane], body, key)
            assert seq > self.newest
            self.newest = seq
            self.appended[lane].append((seq, body))
            self.count += 1
        if flushed:
            self.flush()

    @rule()
    def flush(self) -> None:
        self.runner.run(self.journal.flush())
        assert self.journal.failing is None
        self.notice_gaps()
        self.committed = {lane: len(self.appended[lane]) for lane in LANES}
        for (name, lane), followed in self.followed.items():
            for one in followed.ranges:
                for place in one.evict(self.oldest(lane)):
                    if lane == "events":
                        self.untell(name, self.appended[lane][place][0])
            followed.tidy()
            followed.save()

    def notice_gaps(self) -> None:
        """The journal itself appends to the events what cursors have lost."""
        for record in records(self.folder, [RecordKind.GAP]):
            if record.seq not in self.gaps:
                gap = self.gaps[record.seq] = unpack_gap(record.body)
                assert gap.first <= gap.last < record.seq
                assert 0 < gap.start <= gap.end <= self.now
                self.told[gap.destination, gap.lane] = self.told.get((gap.destination, gap.lane), 0) + gap.records
                bisect.insort(self.appended["events"], (record.seq, record.body))
        self.newest = max(self.newest, self.journal.committed)

    def untell(self, name: str, seq: int) -> None:
        """What was evicted before it was heard may be what told of other losses: that is told again."""
        gap = self.gaps.get(seq)
        if gap and gap.destination == name and not (name == NAMES[1] and seq <= self.forgotten):
            self.told[name, gap.lane] -= gap.records

    @rule()
    def checkpoint(self) -> None:
        self.runner.run(self.journal.checkpoint_now())
        self.flush()
        tail = self.runner.run(self.journal.tail())
        assert [record.kind for record in tail if record.kind != RecordKind.GAP] == [RecordKind.CHECKPOINT]

    @rule(name=st.sampled_from(NAMES), lane=st.sampled_from(LANES), oldest=st.booleans())
    def begin(self, name: str, lane: LaneName, oldest: bool) -> None:
        self.follow((name, lane), oldest=oldest)

    def follow(self, which: Which, *, oldest: bool) -> Followed:
        if which[1] == "samples":       # a destination follows both
            self.follow((which[0], "events"), oldest=oldest)
        if which not in self.followed:
            self.journal.cursor(*which, start="oldest" if oldest else "now")
            self.followed[which] = Followed(self.oldest(which[1]) if oldest else self.committed[which[1]])
        return self.followed[which]

    @rule(name=st.sampled_from(NAMES), lane=st.sampled_from(LANES), worth=st.sampled_from([0, 0, 3000]))
    def split(self, name: str, lane: LaneName, worth: int) -> None:
        followed = self.follow((name, lane), oldest=True)
        last, committed = followed.ranges[-1], self.committed[lane]
        waiting = self.appended[lane][last.released : committed]
        size = sum(32 + len(body) for _, body in waiting)
        done = self.cursor((name, lane)).split(worth)
        assert done == (bool(waiting) and size >= worth and len(followed.ranges) < 16)
        if done:
            last.end = committed
            followed.ranges.append(Stretch(committed))

    @rule(
        name=st.sampled_from(NAMES), lane=st.sampled_from(LANES), place=st.integers(0, 15),
        most=st.integers(1, 40), size=st.integers(1, 5000),
    )  # fmt: skip
    def read(self, name: str, lane: LaneName, place: int, most: int, size: int) -> None:
        followed = self.follow((name, lane), oldest=True)
        at = place % len(followed.ranges)
        one, real = followed.ranges[at], self.cursor((name, lane)).ranges[at]
        stop = self.committed[lane] if one.end is None else one.end
        assert real.pending == (one.read < stop)
        if one.read >= stop:
            if one.end is not None:
                assert self.runner.run(real.read()) == []
            return
        got = self.runner.run(real.read(most, size))
        expected = self.appended[lane][one.read : one.read + len(got)]
        assert [(record.seq, record.body) for record in got] == expected
        mine = [record for record in got if record.kind != RecordKind.GAP]
        assert all(record.definition == b"%d" % (int(record.body.split(b".")[0]) // 10) for record in mine)
        assert 1 <= len(got) <= most
        assert len(got) == 1 or sum(len(record.body) for record in got) <= size
        one.read += len(got)
        assert one.read <= stop

    @rule(
        name=st.sampled_from(NAMES), lane=st.sampled_from(LANES), place=st.integers(0, 15),
        share=st.sampled_from([0.3, 1.0, 1.0]), again=st.booleans(),
    )  # fmt: skip
    def release(self, name: str, lane: LaneName, place: int, share: float, again: bool) -> None:
        self.read(name, lane, place, 20, 2000)
        followed = self.followed[name, lane]
        at = place % len(followed.ranges)
        one, real = followed.ranges[at], self.cursor((name, lane)).ranges[at]
        until = one.released + round(share * (one.read - one.released))
        if again:  # the line is dropped, and what it still acknowledged arrives late
            real.rewind()
            one.read = one.released
        if until > one.released:
            real.release(self.appended[lane][until - 1][0])
            one.released = until
            one.read = max(one.read, until)
            followed.tidy()

    def hear_events(self) -> None:
        for (name, lane), followed in self.followed.items():
            for real in self.cursor((name, lane)).ranges if lane == "events" else ():
                while real.pending:
                    real.release(self.runner.run(real.read())[-1].seq)
            if lane == "events":
                followed.ranges = [Stretch(self.committed[lane])]

    @rule()
    def forget(self) -> None:
        self.runner.run(self.journal.remove_cursor(NAMES[1]))
        for lane in LANES:
            self.followed.pop((NAMES[1], lane), None)
            self.told.pop((NAMES[1], lane), None)
        self.forgotten = self.newest

    @rule()
    def restart(self) -> None:
        self.flush()
        self.runner.run(self.journal.close())
        self.back()

    @rule()
    def crash(self) -> None:
        self.journal._thread.shutdown(wait=True)
        self.journal._writer.close()
        os.close(self.journal._lock)
        self.journal.closed = True
        for lane in LANES:
            del self.appended[lane][self.committed[lane] :]
        self.back()

    def back(self) -> None:
        self.open()
        for which, followed in list(self.followed.items()):
            if followed.saved is None:  # made and never saved: the crash took it
                del self.followed[which]
            else:
                followed.ranges = [Stretch(released, end) for released, end in followed.saved]
        assert {(cursor.name, cursor.lane.name) for cursor in self.journal.cursors} == set(self.followed)
        tail = self.runner.run(self.journal.tail())
        if any(self.committed.values()):
            assert tail[0].kind == RecordKind.CHECKPOINT
            left = [(record.seq, record.body) for record in tail[1:]]
            events = self.appended["events"]
            assert left == events[len(events) - len(left) :]
            missing = events[: len(events) - len(left)]
            numbers = [int(body.split(b".")[0]) for seq, body in missing if seq not in self.gaps]
            assert all(number < int(tail[0].body) for number in numbers)

    @invariant()
    def the_numbers_agree(self) -> None:
        if not hasattr(self, "journal"):
            return
        for which, followed in self.followed.items():
            cursor, (_, lane) = self.cursor(which), which
            assert len(cursor.ranges) == len(followed.ranges)
            for real, one in zip(cursor.ranges, followed.ranges, strict=True):
                waiting = self.appended[lane][one.released : self.committed[lane] if one.end is None else one.end]
                assert real.backlog_records == len(waiting)
                assert real.backlog_bytes == sum(32 + len(body) for _, body in waiting)
            assert cursor.lost == 0
        assert self.journal.size <= CAP
        last = [self.appended[lane][self.committed[lane] - 1][0] for lane in LANES if self.committed[lane]]
        assert self.journal.committed == max(last, default=0)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            if not self.journal.closed:
                self.flush()
                for _ in range(4):      # a gap is told when the one before is heard; telling it may cost another
                    self.hear_events()
                    self.flush()
                for which in self.followed:
                    assert self.told.get(which, 0) == self.cursor(which).evicted
                for facts in stat(self.folder).cursors:
                    assert facts.backlog_records == self.cursor((facts.name, facts.lane)).backlog_records
                self.runner.run(self.journal.close())
            on_disk = [(record.seq, record.body) for record in records(self.folder)]
            for lane in LANES:
                kinds = [KINDS[lane], *([RecordKind.GAP] if lane == "events" else [])]
                kept = [(r.seq, r.body) for r in records(self.folder, kinds)]
                assert kept == self.appended[lane][len(self.appended[lane]) - len(kept) :]
            assert [seq for seq, _ in on_disk] == sorted(seq for seq, _ in on_disk)
            assert verify(self.folder).intact
            shutil.rmtree(self.folder)
            self.runner.close()


TestAgainstLists = AgainstLists.TestCase
TestAgainstLists.settings = settings(
    max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
