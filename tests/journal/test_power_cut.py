"""Power cuts: every call to the disk is recorded, then replayed up to a random point, with whatever was
not synced dropped, torn at any byte or kept, in any combination; what is left is opened and judged."""

from __future__ import annotations

import asyncio
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_agent.journal import LANES, Journal, RecordKind, records
from edge_agent.journal.disk import Disk, File

KINDS = random.Random(7).choices((RecordKind.EVENT, RecordKind.SAMPLES), k=420)
"""of record 0, 1, 2 …"""
LANE_KINDS = ({RecordKind.EVENT}, {RecordKind.SAMPLES})


@dataclass(slots=True)
class Call:
    """One call; `file` is the identity of the bytes, names come and go."""

    what: str
    file: int = 0
    name: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass
class Recorder(Disk):
    """The real disk, with a notebook. `("committed", n)` entries are added by the test."""

    home: Path
    calls: list[Call] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.home))

    def open(self, path: Path, *, fresh: bool = False) -> File:
        name = self.name(path)
        if name not in self.files or fresh:
            self.count += 1
            self.files[name] = self.count
            self.calls.append(Call("name", self.count, name))
        return Noted(self, self.files[name], path, fresh=fresh)

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        before, name = self.name(old), self.name(new)
        self.files[name] = self.files.pop(before)
        self.calls.append(Call("rename", self.files[name], before, data=name.encode()))

    def remove(self, path: Path) -> None:
        super().remove(path)
        if self.files.pop(self.name(path), 0):
            self.calls.append(Call("unname", name=self.name(path)))

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.calls.append(Call("sync_folder", name=self.name(folder)))


class Noted(File):
    def __init__(self, disk: Recorder, number: int, path: Path, *, fresh: bool) -> None:
        super().__init__(path, fresh=fresh)
        self._calls, self._number = disk.calls, number

    def write(self, offset: int, data: bytes) -> None:
        super().write(offset, data)
        self._calls.append(Call("write", self._number, offset=offset, data=data))

    def truncate(self, size: int) -> None:
        super().truncate(size)
        self._calls.append(Call("truncate", self._number, offset=size))

    def sync(self) -> None:
        super().sync()
        self._calls.append(Call("sync", self._number))


def apply(content: bytearray, call: Call, data: bytes) -> None:
    if call.what == "truncate":
        del content[call.offset :]
        return
    if len(content) < call.offset:
        content.extend(bytes(call.offset - len(content)))
    content[call.offset : call.offset + len(data)] = data


def torn(draw: random.Random, data: bytes) -> bytes:
    """What of a write reached the medium: all, nothing, a prefix, or with holes of 512 bytes."""
    how = draw.randrange(4)
    if how < 2:
        return data if how else b""
    if how == 2:
        return data[: draw.randrange(len(data) + 1)]
    pieces = [data[i : i + 512] for i in range(0, len(data), 512)]
    return b"".join(piece if draw.random() < 0.5 else bytes(len(piece)) for piece in pieces)


def after_power_cut(calls: list[Call], draw: random.Random, folder: Path) -> int:
    """Write what may be left of `calls` into `folder`; returns how many records were committed."""
    safe: dict[int, bytearray] = {}
    open_writes: dict[int, list[Call]] = {}
    names: dict[str, int] = {}
    open_names: list[Call] = []
    committed = 0
    for call in calls:
        match call.what:
            case "write" | "truncate":
                open_writes.setdefault(call.file, []).append(call)
            case "sync":
                for one in open_writes.pop(call.file, []):
                    apply(safe.setdefault(call.file, bytearray()), one, one.data)
            case "name" | "unname" | "rename":
                open_names.append(call)
            case "sync_folder":
                # A file system that keeps the order of names makes all older ones durable; one that does not,
                # those of this folder.
                strict = draw.random() < 0.5
                for one in [one for one in open_names if strict or parent(one) == call.name]:
                    rename(names, one)
                    open_names.remove(one)
            case _:
                committed = call.offset
    # A journaling file system keeps the order of names.
    for one in open_names[: draw.randrange(len(open_names) + 1)]:
        rename(names, one)
    for number, writes in open_writes.items():
        for one in writes:
            data = torn(draw, one.data)
            if data or (one.what == "truncate" and draw.random() < 0.5):
                apply(safe.setdefault(number, bytearray()), one, data)
    folder.mkdir()
    for name, number in names.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(safe.get(number, b""))
    return committed


def oldest(journal: Journal) -> tuple[int, int]:
    """Of each lane, the oldest number the cap has left."""
    events, samples = ([segment.first for segment in lane.chain.segments] for lane in journal.lanes)
    return min(events, default=10**9), min(samples, default=10**9)


def oldest_then(calls: list[Call], cut: int) -> tuple[int, int]:
    """Of each lane, the oldest number the cap had left after the commit that the cut interrupted."""
    later = [call.data for call in calls[cut:] if call.what == "committed"]
    events, samples = map(int, later[0].split()) if later else (10**9, 10**9)
    return events, samples


def parent(call: Call) -> str:
    return str(Path(call.name).parent)


def rename(names: dict[str, int], call: Call) -> None:
    names.pop(call.name, None)
    if call.what == "name":
        names[call.name] = call.file
    elif call.what == "rename":
        names[call.data.decode()] = call.file


Seqs = dict[int, int]
"""Of each numbered record, which is not its number where gaps were told between them."""


async def live(folder: Path, disk: Recorder, draw: random.Random, seqs: Seqs, stop: int) -> None:
    """An agent's life: appends numbered records, flushes, follows, is closed."""
    count = len(seqs)
    journal = await Journal.open(
        folder, max_bytes=30_000, max_age_ns=None, clock=lambda: count, segment_bytes=4096, disk=disk,
        checkpoint=lambda: b"%d" % count, recent_bytes=1000,
    )  # fmt: skip
    cursors = [journal.cursor("north", lane) for lane in LANES]
    while count < stop:
        for _ in range(draw.randrange(1, 12)):
            key = journal.define("d", b"layout %d" % (count // 40))
            body = (b"%d." % count).ljust(draw.randrange(5, 200), b"x")
            seqs[count] = journal.append(KINDS[count], body, key)
            count += 1
        await journal.flush()
        assert journal.committed >= seqs[count - 1]
        disk.calls.append(Call("committed", data=b"%d %d" % oldest(journal), offset=count))
        for cursor in cursors:
            if draw.random() < 0.3 and cursor.pending:
                cursor.release((await cursor.read(draw.randrange(1, 30)))[-1].seq)
            if draw.random() < 0.1:
                cursor.split(0)
        if draw.random() < 0.1:
            journal._commits._places_synced = float("-inf")
    await journal.close()


def judge(folder: Path, left: tuple[int, int], committed: int, seq_of: Seqs) -> None:
    """Recovered: in order, nothing invented, everything committed that the cap has not taken."""

    async def reopen() -> None:
        journal = await Journal.open(
            folder, max_bytes=30_000, max_age_ns=None, clock=lambda: 1, segment_bytes=4096
        )
        everything = list(records(folder))
        assert [record.seq for record in everything] == sorted({record.seq for record in everything})
        got = [record for record in everything if record.kind != RecordKind.GAP]
        numbers = [int(record.body.split(b".")[0]) for record in got]
        assert numbers == sorted(set(numbers))
        assert [record.seq for record in got] == [seq_of[number] for number in numbers]
        known = dict(enumerate(KINDS))
        for place, kinds in enumerate(LANE_KINDS):
            mine = {number for number in numbers if known[number] in kinds}
            due = {number for number in range(committed) if known[number] in kinds and seq_of[number] >= left[place]}
            assert due <= mine, (sorted(due - mine), journal.reports)
            span = range(min(mine, default=0), max(mine, default=-1) + 1)
            assert sorted(mine) == [number for number in span if known[number] in kinds], journal.reports
        assert [record.kind for record in got] == [known[number] for number in numbers]
        assert [record.definition for record in got] == [b"layout %d" % (n // 40) for n in numbers]
        assert all("unfinished commit" in report for report in journal.reports), journal.reports
        if numbers:
            tail = await journal.tail()
            assert tail[0].kind == RecordKind.CHECKPOINT
            behind = [int(record.body.split(b".")[0]) for record in tail[1:] if record.kind != RecordKind.GAP]
            events = [number for number in numbers if known[number] == RecordKind.EVENT]
            assert behind == events[len(events) - len(behind) :]
            assert not [number for number in events if number >= int(tail[0].body) and number not in behind]
        for lane, kinds in zip(LANES, LANE_KINDS, strict=True):
            cursor = journal.cursor("north", lane, start="oldest")
            ranges = [(one.released, one.end or 10**9) for one in cursor.ranges]
            waiting = [
                record.seq
                for record in everything
                if (record.kind in kinds or (record.kind == RecordKind.GAP and lane == "events"))
                and any(after < record.seq <= end for after, end in ranges)
            ]
            assert cursor.backlog_records == len(waiting)
            read: list[int] = []
            while len(read) < len(waiting):
                read += [record.seq for record in await cursor.read()]
            assert read == waiting
        last = journal.append(RecordKind.EVENT, b"x")
        assert not everything or last > everything[-1].seq
        await journal.flush()
        await journal.close()

    asyncio.run(reopen())


@pytest.mark.parametrize("seed", range(6))
def test_every_power_cut_leaves_what_was_committed(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    disk = Recorder(tmp_path / "live")
    seqs: Seqs = {}
    for stop in (300, 400):
        asyncio.run(live(tmp_path / "live", disk, draw, seqs, stop))
    for _ in range(40):
        cut = draw.randrange(len(disk.calls) + 1)
        left = tmp_path / "left"
        committed = after_power_cut(disk.calls[:cut], draw, left)
        judge(left, oldest_then(disk.calls, cut), committed, seqs)
        shutil.rmtree(left)
