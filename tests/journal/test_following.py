"""Appending, following with cursors, definitions, checkpoints, restarts in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge_agent.journal import Cursor, FolderUnusable, Journal, RecordKind, records, stat, verify

Opener = Callable[..., Awaitable[Journal]]
Crash = Callable[[Journal], None]


async def bodies(cursor: Cursor, count: int) -> list[bytes]:
    got: list[bytes] = []
    while len(got) < count:
        got += [record.body for record in await asyncio.wait_for(cursor.read(count - len(got)), 5)]
    return got


def numbered(start: int, stop: int) -> list[bytes]:
    return [b"%d" % i for i in range(start, stop)]


def append_all(journal: Journal, what: list[bytes], kind: int = RecordKind.EVENT) -> list[int]:
    return [journal.append(kind, body) for body in what]


async def test_what_was_flushed_is_read_in_order_with_kind_key_time_and_definition(opened: Opener) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events")
    key = journal.define("press-1", b"layout")
    first = journal.append(RecordKind.EVENT, b"abc", key)
    second = journal.append(RecordKind.STATE, b"RUN")
    await journal.flush()
    got = await cursor.read()
    assert [(r.seq, r.kind, r.key, r.body, r.definition) for r in got] == [
        (first, RecordKind.EVENT, key, b"abc", b"layout"),
        (second, RecordKind.STATE, 0, b"RUN", None),
    ]
    assert got[0].time < got[1].time


async def test_nothing_is_delivered_before_it_is_committed(opened: Opener) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events")
    journal.append(RecordKind.EVENT, b"x")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cursor.read(), 0.05)
    reading = asyncio.ensure_future(cursor.read())
    await journal.flush()
    assert [record.body for record in await asyncio.wait_for(reading, 5)] == [b"x"]


async def test_concurrent_flushes_share_a_commit(opened: Opener) -> None:
    journal = await opened()
    syncs = 0
    commit = journal._writer.commit

    def counted(order):  # type: ignore[no-untyped-def]
        nonlocal syncs
        syncs += 1
        return commit(order)

    journal._writer.commit = counted  # type: ignore[method-assign]

    async def one(i: int) -> None:
        journal.append(RecordKind.EVENT, b"%d" % i)
        await journal.flush()
        assert journal.committed >= i + 1

    await asyncio.gather(*(one(i) for i in range(100)))
    assert syncs <= 2


async def test_a_cancelled_flush_still_commits(opened: Opener) -> None:
    journal = await opened()
    journal.append(RecordKind.EVENT, b"x")
    flushing = asyncio.ensure_future(journal.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    await journal.flush()
    assert journal.committed == 1


async def test_each_cursor_has_its_own_place(opened: Opener) -> None:
    journal = await opened()
    fast, slow = journal.cursor("fast", "events"), journal.cursor("slow", "events")
    append_all(journal, numbered(0, 10))
    await journal.flush()
    assert await bodies(fast, 10) == numbered(0, 10)
    fast.release(10)
    assert (fast.backlog_records, slow.backlog_records) == (0, 10)
    assert slow.backlog_bytes == 10 * 33
    assert await bodies(slow, 4) == numbered(0, 4)
    assert journal.cursor("slow", "events") is slow


async def test_a_new_cursor_starts_now_unless_asked_for_the_oldest(opened: Opener) -> None:
    journal = await opened()
    append_all(journal, numbered(0, 3))
    await journal.flush()
    late, early = journal.cursor("late", "events"), journal.cursor("early", "events", start="oldest")
    append_all(journal, numbered(3, 5))
    await journal.flush()
    assert (late.backlog_records, early.backlog_records) == (2, 5)
    assert await bodies(late, 2) == numbered(3, 5)
    assert await bodies(early, 5) == numbered(0, 5)


async def test_only_release_moves_the_place_that_survives(opened: Opener) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events")
    append_all(journal, numbered(0, 10))
    await journal.flush()
    got = await cursor.read(8)
    cursor.release(got[4].seq)
    await journal.close()
    journal = await opened()
    cursor = journal.cursor("north", "events")
    assert cursor.backlog_records == 5
    assert await bodies(cursor, 5) == numbered(5, 10)


async def test_rewind_reads_again_what_was_not_released(opened: Opener) -> None:
    journal = await opened(recent_bytes=0)
    cursor = journal.cursor("north", "events")
    append_all(journal, numbered(0, 10))
    await journal.flush()
    got = await cursor.read(8)
    cursor.release(got[2].seq)
    cursor.rewind()
    assert await bodies(cursor, 7) == numbered(3, 10)
    cursor.rewind()
    cursor.release(got[5].seq)  # an acknowledgement that came after the line was dropped
    assert cursor.backlog_records == 4
    assert await bodies(cursor, 4) == numbered(6, 10)


async def test_what_was_never_read_cannot_be_released(opened: Opener) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events")
    append_all(journal, numbered(0, 4))
    await journal.flush()
    await cursor.read(2)
    cursor.release(99)
    assert (cursor.released, cursor.backlog_records) == (2, 2)
    assert await bodies(cursor, 2) == numbered(2, 4)


async def test_reads_keep_to_their_limits_but_give_at_least_one(opened: Opener) -> None:
    for recent in (1 << 20, 0):
        journal = await opened(recent_bytes=recent)
        cursor = journal.cursor(f"north-{recent}", "events")
        append_all(journal, [bytes(100)] * 10)
        await journal.flush()
        assert len(await cursor.read(max_records=3)) == 3
        assert len(await cursor.read(max_bytes=250)) == 2
        assert len(await cursor.read(max_bytes=1)) == 1
        assert len(await cursor.read()) == 4
        await journal.close()


async def test_reading_over_many_segments_from_disk_gives_everything_once(opened: Opener) -> None:
    journal = await opened(segment_bytes=4096, recent_bytes=2000)
    cursor = journal.cursor("north", "events")
    for i in range(0, 400, 20):
        append_all(journal, [b"%d" % n + bytes(90) for n in range(i, i + 20)])
        await journal.flush()
    assert len(journal.lane("events").chain.segments) > 5
    got = [int(body[:-90]) for body in await bodies(cursor, 400)]
    assert got == list(range(400))
    assert cursor.backlog_records == 400
    cursor.release(400)
    assert (cursor.backlog_records, cursor.backlog_bytes) == (0, 0)


async def test_sequence_numbers_go_on_after_a_restart(opened: Opener, crash: Crash) -> None:
    seqs: list[int] = []
    for round_ in range(6):
        journal = await opened()
        seqs += append_all(journal, numbered(0, 3))
        await journal.flush()
        if round_ % 2:
            crash(journal)
        else:
            await journal.close()
    assert seqs == list(range(1, 19))


async def test_unflushed_records_are_gone_after_a_crash_and_flushed_ones_are_not(
    opened: Opener, crash: Crash
) -> None:
    journal = await opened()
    journal.cursor("north", "events")
    append_all(journal, numbered(0, 5))
    await journal.flush()
    append_all(journal, numbered(5, 9))
    crash(journal)
    journal = await opened()
    assert journal.reports == []
    append_all(journal, [b"after"])
    await journal.flush()
    assert await bodies(journal.cursor("north", "events"), 6) == [*numbered(0, 5), b"after"]


async def test_definitions_are_in_force_where_the_record_stands(opened: Opener) -> None:
    journal = await opened(segment_bytes=4096, recent_bytes=0)
    cursor = journal.cursor("north", "events")
    expected: list[bytes] = []
    for i in range(60):
        body = b"layout %d" % (i // 7)
        journal.append(RecordKind.EVENT, bytes(200), journal.define("press-1", body))
        journal.append(RecordKind.EVENT, bytes(10), journal.define("meter", b"m"))
        expected += [body, b"m"]
        await journal.flush()
    assert len(journal.lane("events").chain.segments) > 2
    got: list[bytes | None] = []
    while len(got) < 120:
        got += [record.definition for record in await cursor.read()]
    assert got == expected
    await journal.close()
    journal = await opened(segment_bytes=4096)
    assert journal.define("press-1", b"layout 8") == journal.define("press-1", b"layout 8")
    cursor = journal.cursor("north", "events")
    got = []
    while len(got) < 120:
        got += [record.definition for record in await cursor.read()]
    assert got == expected


async def test_an_unchanged_definition_keeps_its_key_over_a_restart(opened: Opener) -> None:
    journal = await opened()
    key = journal.define("press-1", b"layout")
    other = journal.define("meter", b"m")
    append = journal.append
    append(RecordKind.SAMPLES, b"x", key)
    append(RecordKind.SAMPLES, b"y", other)
    await journal.close()
    journal = await opened()
    assert (journal.define("meter", b"m"), journal.define("press-1", b"layout")) == (other, key)
    assert journal.define("press-1", b"other") not in (key, other)


async def test_the_tail_begins_with_the_newest_checkpoint(opened: Opener, crash: Crash) -> None:
    state = {"n": 0}
    journal = await opened(segment_bytes=4096, checkpoint=lambda: b"state %d" % state["n"])
    for i in range(100):
        state["n"] = i
        journal.append(RecordKind.SAMPLES, bytes(100))
        journal.append(RecordKind.EVENT, b"event %d" % i)
        await journal.flush()
    crash(journal)
    journal = await opened()
    tail = await journal.tail()
    assert tail[0].kind == RecordKind.CHECKPOINT
    began = int(tail[0].body.split()[1])
    events = [r.body for r in tail if r.kind == RecordKind.EVENT]
    assert events == [b"event %d" % i for i in range(began, 100)]
    assert {r.kind for r in await journal.tail(kinds=[RecordKind.EVENT])} == {
        RecordKind.CHECKPOINT,
        RecordKind.EVENT,
    }


async def test_a_checkpoint_on_demand_shortens_the_tail(opened: Opener) -> None:
    journal = await opened(checkpoint=lambda: b"now")
    append_all(journal, numbered(0, 5))
    await journal.checkpoint_now()
    append_all(journal, [b"later"])
    await journal.flush()
    assert [record.body for record in await journal.tail()] == [b"now", b"later"]


async def test_a_checkpoint_that_fails_is_reported_and_the_records_are_kept(opened: Opener) -> None:
    def broken() -> bytes:
        raise KeyError("x")

    journal = await opened(checkpoint=broken)
    append_all(journal, numbered(0, 2))
    await journal.flush()
    assert journal.committed == 2
    assert "KeyError" in journal.reports[0]
    assert [record.body for record in await journal.tail()] == numbered(0, 2)


async def test_a_removed_cursor_is_forgotten(opened: Opener) -> None:
    journal = await opened()
    journal.cursor("a/../b", "events")
    await journal.flush()
    await journal.close()
    journal = await opened()
    assert [cursor.name for cursor in journal.cursors] == ["a/../b"]
    await journal.remove_cursor("a/../b")
    await journal.close()
    journal = await opened()
    assert not journal.cursors


async def test_a_reader_that_waits_is_told_when_the_journal_closes(opened: Opener) -> None:
    journal = await opened()
    reading = asyncio.ensure_future(journal.cursor("north", "events").read())
    await asyncio.sleep(0)
    await journal.close()
    with pytest.raises(RuntimeError, match="closed"):
        await reading


async def test_a_second_journal_on_the_same_folder_is_refused(opened: Opener, folder: Path) -> None:
    journal = await opened()
    with pytest.raises(FolderUnusable, match="another process has this journal open"):
        await opened()
    await journal.close()
    await opened()


async def test_a_folder_that_cannot_be_made_says_why(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderUnusable, match="Not a directory") as caught:
        await opened(folder=tmp_path / "file" / "journal")
    assert str(tmp_path) in str(caught.value)


async def test_what_cannot_be_a_record_is_refused_at_once(opened: Opener) -> None:
    journal = await opened()
    for kind, body, key in ((1, b"", 0), (2, b"", 0), (128, b"", 0), (3, b"", 7), (3, "text", 0)):
        with pytest.raises(ValueError, match=r"kind|key|body"):
            journal.append(kind, body, key)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cursor name"):
        journal.cursor("", "events")


async def test_stat_verify_and_records_look_on_while_the_agent_writes(opened: Opener, folder: Path) -> None:
    journal = await opened(segment_bytes=4096)
    cursor, samples = journal.cursor("north", "events"), journal.cursor("north", "samples")
    key = journal.define("d", b"def")
    for _ in range(50):
        journal.append(RecordKind.SAMPLES, bytes(200), key)
        journal.append(RecordKind.EVENT, b"e")
        await journal.flush()
    cursor.release((await cursor.read(30))[-1].seq)
    await journal.flush()
    for facts in (stat(folder), verify(folder)):
        assert facts.intact
        assert (facts.records, facts.first, facts.last, facts.epoch) == (100, 1, 100, journal.epoch)
        assert facts.cursors[0].backlog_records == cursor.backlog_records == 20
        assert facts.cursors[1].backlog_records == samples.backlog_records == 50
        assert sum(segment.size for segment in facts.segments) == journal.size
    assert [record.seq for record in records(folder)] == list(range(1, 101))
    events = list(records(folder, kinds=[RecordKind.SAMPLES]))
    assert len(events) == 50
    assert {record.definition for record in events} == {b"def"}
    since = events[25].time
    assert [r.seq for r in records(folder, start_ns=since)] == list(range(events[25].seq, 101))
