"""Torn tails, damaged and missing files: what was intact goes on, what was not is set aside and told."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge_agent.core.report import Gap
from edge_agent.encode.records import unpack_gap
from edge_agent.journal import Cursor, Journal, Record, RecordKind, records, verify

Opener = Callable[..., Awaitable[Journal]]
Crash = Callable[[Journal], None]


async def read_all(cursor: Cursor, count: int, most: int = 1000) -> list[int]:
    """The numbers of the next `count` records; what is told of gaps between them does not count."""
    got: list[int] = []
    while len(got) < count:
        got += [number(one.body) for one in await cursor.read(most) if one.kind != RecordKind.GAP]
    return got


def told(folder: Path) -> int:
    """How many gaps."""
    return len(gaps(folder))


async def fill(journal: Journal, start: int, stop: int, per_flush: int = 5, size: int = 100) -> None:
    for first in range(start, stop, per_flush):
        for i in range(first, min(first + per_flush, stop)):
            journal.append(RecordKind.EVENT, (b"%d." % i).ljust(size, b"x"))
        await journal.flush()


def number(body: bytes) -> int:
    return int(body.split(b".")[0])


def clean(folder: Path) -> None:
    for leftover in folder.glob("*/*.torn"):
        leftover.unlink()


def numbers(folder: Path) -> list[int]:
    return [number(record.body) for record in records(folder)]


def gaps(folder: Path) -> list[Gap]:
    told = [unpack_gap(record.body) for record in records(folder, [RecordKind.GAP])]
    return sorted(told, key=lambda gap: gap.destination)


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "events").glob("*.seg"))


def spoil(path: Path, offset: int, data: bytes = b"\xff" * 7) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


async def test_a_torn_tail_is_cut_kept_beside_and_never_numbered_again(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events", start="oldest")
    await fill(journal, 0, 20)
    crash(journal)
    path = segments(folder)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    journal = await opened()
    assert "unfinished commit cut off" in journal.reports[0]
    assert path.with_name(path.name + ".torn").read_bytes() == whole[-132:-50]
    assert journal.append(RecordKind.EVENT, b"100.") > 20
    await journal.flush()
    cursor = journal.cursor("north", "events")
    assert [number(r.body) for r in await cursor.read()] == [*range(19), 100]
    assert cursor.backlog_records == 20
    await journal.close()
    journal = await opened()
    assert journal.reports == []


async def test_every_cut_of_the_last_file_leaves_a_prefix(opened: Opener, crash: Crash, folder: Path) -> None:
    journal = await opened()
    await fill(journal, 0, 6, per_flush=2, size=20)
    crash(journal)
    path = segments(folder)[0]
    whole = path.read_bytes()
    for size in range(88, len(whole), 9):
        path.write_bytes(whole[:size])
        clean(folder)
        journal = await opened()
        got = numbers(folder)
        assert got == list(range((size - 88) // 52))
        crash(journal)


async def test_damage_in_a_closed_segment_costs_only_what_it_hit(opened: Opener, folder: Path) -> None:
    journal = await opened(segment_bytes=4096, recent_bytes=0)
    ahead, behind = journal.cursor("ahead", "events"), journal.cursor("behind", "events")
    await fill(journal, 0, 200)
    victim = segments(folder)[2]
    while ahead.released < 90:
        ahead.release((await ahead.read(10))[-1].seq)
    spoil(victim, 88 + 132 * 4 + 50)
    got = await read_all(behind, 199, most=7)
    missing = set(range(200)) - set(got)
    assert len(missing) == 1
    assert got == sorted(got)
    assert (behind.lost, ahead.lost) == (1, 1 if ahead.released <= missing.pop() else 0)
    assert victim.with_name(victim.name + ".damaged").exists()
    assert "damaged bytes, 1 records lost" in journal.reports[0]
    behind.release(200)
    assert behind.backlog_records == told(folder)
    assert verify(folder).segments[2].records == 199 + told(folder) - sum(
        s.records for i, s in enumerate(verify(folder).segments) if i != 2
    )


async def test_damage_under_unreleased_records_keeps_the_count_right(opened: Opener, folder: Path) -> None:
    journal = await opened(segment_bytes=1 << 20, recent_bytes=0)
    cursor = journal.cursor("north", "events")
    await fill(journal, 0, 3000)
    journal.lane("events").active = None  # closed by the next flush
    await fill(journal, 3000, 3010)
    held = await cursor.read(50)
    assert held[-1].seq == 50
    cursor.ranges[0]._ahead.clear()
    cursor.ranges[0]._spot = None
    spoil(segments(folder)[0], 88 + 132 * 2000 + 50)
    got = [number(r.body) for r in held] + await read_all(cursor, 2959)
    assert set(range(3010)) - set(got) == {2000}
    assert (cursor.lost, cursor.backlog_records) == (1, 3009 + told(folder))
    cursor.release(3010)
    assert cursor.backlog_records == told(folder) == 1


async def test_damage_that_waits_for_a_restart_to_be_found_keeps_the_count_right(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events", start="oldest")
    await fill(journal, 0, 30)
    cursor.release((await cursor.read(max_records=4))[-1].seq)
    journal.lane("events").active = None  # closed by the next flush
    await fill(journal, 30, 40)
    crash(journal)
    spoil(segments(folder)[0], 88 + 132 * 10 + 50)
    journal = await opened()
    cursor = journal.cursor("north", "events")
    assert cursor.backlog_records == 36
    assert await read_all(cursor, 35) == [*range(4, 10), *range(11, 40)]
    assert (cursor.lost, cursor.backlog_records) == (1, 35 + told(folder))
    cursor.release(40)
    assert cursor.backlog_records == told(folder) == 1


async def test_damage_before_what_is_done_with_is_told_to_the_stretch_it_hit_and_to_no_other(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events", start="oldest")
    await fill(journal, 0, 20)
    cursor.release((await cursor.ranges[0].read(max_records=4))[-1].seq)
    assert cursor.split(worth_bytes=1)
    await fill(journal, 20, 30)
    cursor.ranges[1].release((await cursor.ranges[1].read(max_records=5))[-1].seq)
    journal.lane("events").active = None  # closed by the next flush
    await fill(journal, 30, 40)
    crash(journal)
    spoil(segments(folder)[0], 88 + 132 * 9 + 50, b"\xff" * 132)     # two of what waited, before what was done with
    journal = await opened()
    cursor = journal.cursor("north", "events")
    assert (cursor.lost, cursor.backlog_records) == (2, 14 + 15)
    assert await read_all(cursor, 29) == [*range(4, 9), *range(11, 20), *range(25, 40)]
    await fill(journal, 40, 41)
    assert gaps(folder) == [Gap("north", "events", 10, 11, 2, 0, 0, "damage")]
    cursor.release(40)
    assert (cursor.lost, cursor.backlog_records) == (2, 1 + told(folder))


async def test_damage_in_the_middle_of_the_newest_segment_is_told_from_a_torn_tail(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened()
    journal.cursor("north", "events")
    await fill(journal, 0, 20)
    crash(journal)
    spoil(segments(folder)[0], 88 + 132 * 7 + 40)
    journal = await opened()
    assert "damaged bytes" in journal.reports[0]
    assert numbers(folder) == [i for i in range(20) if i != 7]
    assert journal.append(RecordKind.EVENT, b"20.") > 20 + 1000  # nobody knows what stood in the damage
    await journal.flush()
    assert len(segments(folder)) == 2
    cursor = journal.cursor("north", "events")
    assert (cursor.lost, cursor.backlog_records) == (1, 21)
    await journal.close()
    assert gaps(folder) == [Gap("north", "events", 8, 8, 1, 0, 0, "damage")]
    assert verify(folder).intact


async def test_what_damage_destroyed_in_the_newest_segment_is_told_to_those_who_had_not_had_it(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened()
    for name in ("had-it", "half", "none"):
        journal.cursor(name, "samples")
    for n in range(20):
        journal.append(RecordKind.EVENT, b"between")
        journal.append(RecordKind.SAMPLES, f"{n}.".encode().ljust(100, b"x"))
        await journal.flush()
    for name, reads in (("had-it", 20), ("half", 12)):
        cursor = journal.cursor(name, "samples")
        cursor.release((await cursor.read(max_records=reads))[-1].seq)
    await journal.close()
    [path] = (folder / "samples").glob("*.seg")
    spoil(path, 88 + 132 * 10 + 40, b"\xff" * 132 * 4)     # numbers 11 to 15 of the samples: 22, 24, … 30
    journal = await opened()
    journal.append(RecordKind.ALIVE, b"")
    await journal.flush()
    lost = {name: journal.cursor(name, "samples").lost for name in ("had-it", "half", "none")}
    assert lost == {"had-it": 0, "half": 3, "none": 5}
    assert gaps(folder) == [
        Gap("half", "samples", 25, 31, 3, 0, 0, "damage"), Gap("none", "samples", 21, 31, 5, 0, 0, "damage"),
    ]  # fmt: skip
    assert [number(one.body) for one in await journal.cursor("none", "samples").read()] == [*range(10), *range(15, 20)]


async def test_a_header_that_is_gone_costs_no_record(opened: Opener, crash: Crash, folder: Path) -> None:
    journal = await opened(segment_bytes=4096)
    await fill(journal, 0, 100)
    crash(journal)
    for path in (segments(folder)[1], segments(folder)[-1]):
        spoil(path, 3)
    journal = await opened()
    assert len(journal.reports) == 2
    assert numbers(folder) == list(range(100))
    assert len({record.seq for record in records(folder)}) == 100


@pytest.mark.parametrize("content", [b"", b"x", bytes(4096)])
async def test_a_file_with_nothing_in_it_is_set_aside(
    opened: Opener, crash: Crash, folder: Path, content: bytes
) -> None:
    journal = await opened(segment_bytes=4096)
    await fill(journal, 0, 100)
    crash(journal)
    victim = segments(folder)[1]
    lost = [record.seq for record in records(folder) if int(victim.stem) <= record.seq]
    victim.write_bytes(content)
    journal = await opened(segment_bytes=4096)
    assert not victim.exists()
    assert victim.with_name(victim.name + ".damaged").read_bytes() == content
    assert len(numbers(folder)) == 100 - sum(seq < int(segments(folder)[1].stem) for seq in lost)
    cursor = journal.cursor("all", "events", start="oldest")
    got: list[Record] = []
    while len(got) < cursor.backlog_records:
        got += await cursor.read()
    assert len(got) == len(numbers(folder))


async def test_numbers_are_never_used_twice_whatever_was_lost_at_the_end(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    highest = 0
    draw = random.Random(7)
    for round_ in range(30):
        journal = await opened(segment_bytes=4096)
        seq = journal.append(RecordKind.EVENT, b"first.")
        assert seq > highest
        await fill(journal, 0, draw.randrange(1, 60))
        highest = journal.committed
        if draw.random() < 0.5:
            journal.cursor("north", "events")
            await journal.flush()
        crash(journal)
        newest = segments(folder)[-1]
        match round_ % 6:
            case 0:
                newest.unlink()
            case 1:
                newest.write_bytes(b"")
            case 2:
                for path in segments(folder):
                    path.unlink()
            case 3:
                spoil(newest, newest.stat().st_size - 30)
            case 4:
                journal = await opened()  # starts, writes nothing, dies
                crash(journal)
            case _:
                (folder / "floor").unlink(missing_ok=True)
                newest.write_bytes(newest.read_bytes()[:-10])


async def test_numbers_survive_the_loss_of_everything_but_a_cursor(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events")
    await fill(journal, 0, 30)
    cursor.release((await cursor.read())[-1].seq)
    await journal.flush()
    crash(journal)
    segments(folder)[0].unlink()
    (folder / "floor").unlink()
    journal = await opened()
    assert journal.append(RecordKind.EVENT, b"30.") > 30
    await journal.flush()
    assert [number(r.body) for r in await journal.cursor("north", "events").read()] == [30]


async def test_a_torn_cursor_slot_falls_back_to_the_other(opened: Opener, folder: Path) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events")
    await fill(journal, 0, 20)
    for seq in (5, 9):
        await cursor.read(seq - cursor.released)
        cursor.release(seq)
        journal._commits._places_synced = float("-inf")
        await journal.flush()
    await journal.close()
    path = folder / "events" / "north.cursor"
    data = path.read_bytes()
    for place, expected in ((0, {5, 9}), (4096, {5, 9})):
        path.write_bytes(data)
        spoil(path, place + 20)
        journal = await opened()
        assert journal.cursor("north", "events").released in expected
        assert journal.reports == []
        journal.closed = True
        journal._thread.shutdown()
        os.close(journal._lock)
    spoil(path, 20)
    spoil(path, 4096 + 20)
    journal = await opened()
    assert "no intact slot" in journal.reports[0]
    assert journal.cursor("north", "events").backlog_records == 20


async def test_a_cursor_beyond_the_end_is_brought_back(opened: Opener, crash: Crash, folder: Path) -> None:
    journal = await opened(segment_bytes=4096)
    cursor = journal.cursor("north", "events")
    await fill(journal, 0, 100)
    while cursor.released < 100:
        cursor.release((await cursor.read())[-1].seq)
    await journal.flush()
    crash(journal)
    for path in segments(folder)[1:]:
        path.unlink()
    journal = await opened()
    await fill(journal, 200, 203)
    assert journal.cursor("north", "events").backlog_records == 3
    assert [number(r.body) for r in await journal.cursor("north", "events").read()] == [200, 201, 202]


async def test_the_tail_walks_back_over_damaged_segments(opened: Opener, crash: Crash, folder: Path) -> None:
    count = 0
    journal = await opened(segment_bytes=4096, checkpoint=lambda: b"%d" % count)
    for count in range(0, 100, 5):
        await fill(journal, count, count + 5)
    crash(journal)
    for path in segments(folder)[-2:]:
        spoil(path, 88, bytes(40))  # the checkpoint at the head
    older = segments(folder)[-3]
    journal = await opened()
    tail = await journal.tail()
    assert tail[0].kind == RecordKind.CHECKPOINT
    assert [r.seq for r in tail[1:]] == [r.seq for r in records(folder) if r.seq >= int(older.stem)]
    assert number(tail[1].body) <= int(tail[0].body)


async def test_a_half_made_segment_is_swept_away(opened: Opener, folder: Path) -> None:
    half = folder / "00000000000000000001.seg.new"
    put(half, b"half")
    journal = await opened()
    await fill(journal, 0, 3)
    assert journal.reports == []
    assert not half.exists()


async def test_damage_found_while_running_in_the_segment_being_written(opened: Opener, folder: Path) -> None:
    journal = await opened(recent_bytes=0)
    cursor = journal.cursor("north", "events")
    await fill(journal, 0, 20)
    spoil(segments(folder)[0], 88 + 132 * 7 + 40)
    assert [number(r.body) for r in await cursor.read()] == list(range(7))
    rest = [number(r.body) for r in await cursor.read()]
    await fill(journal, 20, 25)
    while len(rest) < 17:
        rest += [number(r.body) for r in await cursor.read() if r.kind == RecordKind.EVENT]
    assert rest == list(range(8, 25))
    assert cursor.lost == 1
    assert cursor.backlog_records - len(gaps(folder)) == 24
    await journal.close()
    assert verify(folder).intact
