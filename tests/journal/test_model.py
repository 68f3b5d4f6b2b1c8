"""Any sequence of operations, crashes and restarts included, against a list."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_agent.journal import Cursor, Journal, RecordKind, records, verify

CAP = 24_000
NAMES = ("north", "south")


class Followed:
    """What the model knows of one cursor; all are indices into the list of appended records."""

    def __init__(self, place: int) -> None:
        self.released = self.read = self.saved = place


class AgainstAList(RuleBasedStateMachine):
    """`appended` is the model: every record ever appended and not dropped by a crash, as (seq, body)."""

    @initialize(recent=st.sampled_from([0, 1500, 1 << 20]))
    def start(self, recent: int) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.recent = recent
        self.appended: list[tuple[int, bytes]] = []
        self.committed = self.count = self.now = 0
        self.followed: dict[str, Followed] = {}
        self.open()
        self.follow(NAMES[0], oldest=True)

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

    def cursor(self, name: str) -> Cursor:
        return self.journal.cursor(name)

    @property
    def oldest(self) -> int:
        """Index of the oldest record the cap has left."""
        if not self.journal.chain.segments:
            return 0
        first = self.journal.chain.segments[0].first
        return sum(1 for seq, _ in self.appended[: self.committed] if seq < first)

    @rule(sizes=st.lists(st.integers(0, 400), min_size=1, max_size=20), flushed=st.booleans())
    def append(self, sizes: list[int], flushed: bool) -> None:
        for size in sizes:
            body = b"%d." % self.count + bytes(size)
            key = self.journal.define("d", b"%d" % (self.count // 10))
            seq = self.journal.append(RecordKind.SAMPLES, body, key)
            assert not self.appended or seq > self.appended[-1][0]
            self.appended.append((seq, body))
            self.count += 1
        if flushed:
            self.flush()

    @rule()
    def flush(self) -> None:
        self.runner.run(self.journal.flush())
        assert self.journal.failing is None
        self.committed = len(self.appended)
        for followed in self.followed.values():
            followed.released = followed.saved = max(followed.released, self.oldest)
            followed.read = max(followed.read, followed.released)

    @rule()
    def checkpoint(self) -> None:
        self.runner.run(self.journal.checkpoint_now())
        self.flush()
        tail = self.runner.run(self.journal.tail())
        assert [record.kind for record in tail] == [RecordKind.CHECKPOINT]

    @rule(name=st.sampled_from(NAMES), oldest=st.booleans())
    def follow(self, name: str, oldest: bool) -> None:
        if name not in self.followed:
            self.journal.cursor(name, start="oldest" if oldest else "now")
            self.followed[name] = Followed(self.oldest if oldest else self.committed)
            self.followed[name].saved = -1

    @rule(name=st.sampled_from(NAMES), most=st.integers(1, 40), size=st.integers(1, 5000))
    def read(self, name: str, most: int, size: int) -> None:
        self.follow(name, oldest=True)
        followed = self.followed[name]
        if followed.read >= self.committed:
            self.append([10] * 30, flushed=True)
        got = self.runner.run(self.cursor(name).read(most, size))
        expected = self.appended[followed.read : followed.read + len(got)]
        assert [(record.seq, record.body) for record in got] == expected
        assert all(record.definition == b"%d" % (int(record.body.split(b".")[0]) // 10) for record in got)
        assert 1 <= len(got) <= most
        assert len(got) == 1 or sum(len(record.body) for record in got) <= size
        followed.read += len(got)

    @rule(name=st.sampled_from(NAMES), share=st.floats(0, 1), again=st.booleans())
    def release(self, name: str, share: float, again: bool) -> None:
        followed = self.followed.get(name)
        if followed is None or followed.released == followed.read:
            self.read(name, 20, 2000)
            followed = self.followed[name]
        place = followed.released + round(share * (followed.read - followed.released))
        if again:  # the line is dropped, and what it still acknowledged arrives late
            self.cursor(name).rewind()
            followed.read = followed.released
        if place > followed.released:
            self.cursor(name).release(self.appended[place - 1][0])
            followed.released = place
            followed.read = max(followed.read, place)

    @rule()
    def forget(self) -> None:
        name = NAMES[1]
        if self.followed.pop(name, None):
            self.runner.run(self.journal.remove_cursor(name))

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
        del self.appended[self.committed :]
        self.back()

    def back(self) -> None:
        self.open()
        for name, followed in list(self.followed.items()):
            if followed.saved < 0:  # made and never saved: the crash took it
                del self.followed[name]
            else:
                followed.read = followed.released = max(followed.saved, 0)
        assert sorted(self.journal.cursors) == sorted(self.followed)
        tail = self.runner.run(self.journal.tail())
        if self.committed:
            assert tail[0].kind == RecordKind.CHECKPOINT
            left = [(record.seq, record.body) for record in tail[1:]]
            assert left == self.appended[len(self.appended) - len(left) :]
            assert len(self.appended) - len(left) <= int(tail[0].body) or not left

    @invariant()
    def the_numbers_agree(self) -> None:
        if not hasattr(self, "journal"):
            return
        for name, followed in self.followed.items():
            cursor = self.cursor(name)
            waiting = self.appended[followed.released : self.committed]
            assert cursor.backlog_records == len(waiting)
            assert cursor.backlog_bytes == sum(32 + len(body) for _, body in waiting)
            assert cursor.lost == 0
        assert self.journal.size <= CAP
        assert self.journal.committed == (self.appended[self.committed - 1][0] if self.committed else 0)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            if not self.journal.closed:
                self.flush()
                self.runner.run(self.journal.close())
            on_disk = [(record.seq, record.body) for record in records(self.folder)]
            assert on_disk == self.appended[len(self.appended) - len(on_disk) :]
            assert verify(self.folder).intact
            shutil.rmtree(self.folder)
            self.runner.close()


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(
    max_examples=50, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
