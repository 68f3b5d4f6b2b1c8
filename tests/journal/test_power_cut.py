"""Power cuts: every call to the disk is recorded, then replayed up to a random point, with whatever was
not synced dropped, torn at any byte or kept, in any combination; what is left is opened and judged."""

from __future__ import annotations

import asyncio
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_agent.journal import Journal, RecordKind, records
from edge_agent.journal.disk import Disk, File


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

    calls: list[Call] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def open(self, path: Path, *, fresh: bool = False) -> File:
        if path.name not in self.files or fresh:
            self.count += 1
            self.files[path.name] = self.count
            self.calls.append(Call("name", self.count, path.name))
        return Noted(self, self.files[path.name], path, fresh=fresh)

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self.files[new.name] = self.files.pop(old.name)
        self.calls.append(Call("unname", name=old.name))
        self.calls[-1] = Call("rename", self.files[new.name], old.name, data=new.name.encode())

    def remove(self, path: Path) -> None:
        super().remove(path)
        if self.files.pop(path.name, 0):
            self.calls.append(Call("unname", name=path.name))

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.calls.append(Call("sync_folder"))


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
                for one in open_names:
                    rename(names, one)
                open_names.clear()
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
        (folder / name).write_bytes(safe.get(number, b""))
    return committed


def oldest_then(calls: list[Call], cut: int) -> int:
    """The oldest number the cap had left after the commit that the cut interrupted."""
    later = [call.file for call in calls[cut:] if call.what == "committed"]
    return later[0] if later else calls[-1].file if calls[-1].what == "committed" else 10**9


def rename(names: dict[str, int], call: Call) -> None:
    names.pop(call.name, None)
    if call.what == "name":
        names[call.name] = call.file
    elif call.what == "rename":
        names[call.data.decode()] = call.file


async def live(folder: Path, disk: Recorder, draw: random.Random, start: int, stop: int) -> int:
    """An agent's life: appends numbered records, flushes, follows, is closed."""
    count = start
    journal = await Journal.open(
        folder, max_bytes=30_000, max_age_ns=None, clock=lambda: count, segment_bytes=4096, disk=disk,
        checkpoint=lambda: b"%d" % count, recent_bytes=1000,
    )  # fmt: skip
    cursor = journal.cursor("north")
    while count < stop:
        for _ in range(draw.randrange(1, 12)):
            key = journal.define("d", b"layout %d" % (count // 40))
            journal.append(RecordKind.EVENT, (b"%d." % count).ljust(draw.randrange(5, 200), b"x"), key)
            count += 1
        await journal.flush()
        assert count == journal.committed
        disk.calls.append(Call("committed", journal.chain.segments[0].first - 1, offset=count))
        if draw.random() < 0.3:
            cursor.release((await cursor.read(draw.randrange(1, 30)))[-1].seq)
        if draw.random() < 0.1:
            journal._commits._places_synced = float("-inf")
    await journal.close()
    return count


def judge(folder: Path, oldest: int, committed: int) -> None:
    """Recovered: in order, nothing invented, everything committed that the cap has not taken."""

    async def reopen() -> None:
        journal = await Journal.open(
            folder, max_bytes=30_000, max_age_ns=None, clock=lambda: 1, segment_bytes=4096
        )
        got = list(records(folder))
        numbers = [int(record.body.split(b".")[0]) for record in got]
        expected = list(range(numbers[0], numbers[-1] + 1)) if numbers else []
        assert numbers == expected, (committed, journal.reports)
        assert committed <= (numbers[-1] + 1 if numbers else 0), journal.reports
        assert not numbers or numbers[0] <= oldest
        assert [record.definition for record in got] == [b"layout %d" % (n // 40) for n in numbers]
        seqs = [record.seq for record in got]
        assert seqs == sorted(set(seqs))
        assert all("unfinished commit" in report for report in journal.reports), journal.reports
        if numbers:
            tail = await journal.tail()
            assert tail[0].kind == RecordKind.CHECKPOINT
            assert int(tail[1].body.split(b".")[0]) <= int(tail[0].body) if len(tail) > 1 else True
        cursor = journal.cursor("north", start="oldest")
        waiting = [number for number, seq in zip(numbers, seqs, strict=True) if seq > cursor.released]
        assert cursor.backlog_records == len(waiting)
        last = journal.append(RecordKind.EVENT, b"x")
        assert not seqs or last > seqs[-1]
        await journal.flush()
        await journal.close()

    asyncio.run(reopen())


@pytest.mark.parametrize("seed", range(6))
def test_every_power_cut_leaves_what_was_committed(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    disk = Recorder()
    count = asyncio.run(live(tmp_path / "live", disk, draw, 0, 300))
    asyncio.run(live(tmp_path / "live", disk, draw, count, 400))
    for _ in range(40):
        cut = draw.randrange(len(disk.calls) + 1)
        left = tmp_path / "left"
        committed = after_power_cut(disk.calls[:cut], draw, left)
        judge(left, oldest_then(disk.calls, cut), committed)
        shutil.rmtree(left)
