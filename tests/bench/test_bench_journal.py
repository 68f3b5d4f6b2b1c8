"""What it costs to keep samples and hand them on: our journal, JSON rows in SQLite, an fsynced file of JSON lines.

`pytest tests/bench/test_bench_journal.py --benchmark-only -s`. The same samples in the same run: 100 tags ten
times a second, a commit a second, so 1,000 samples a commit; half of the tags are floats that change slowly, half
are constant or count. A row of the other two is a whole scan of 100 values, which favours them. From arrays to the
medium and back to arrays (theirs: to dicts); draining gives 1,000 samples, acknowledges them, and goes on. Bytes are
`write_bytes` of `/proc/self/io`, all files, closing included.

Each waits for the sync of 1,000 samples before it takes the next, the journal by way of its thread, so that an event
loop never waits for a disk. "as the agent does it": one task packs and appends while another commits, and what comes
meanwhile shares the next commit; durable is every sample when the clock is stopped.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest

from edge_agent.core.batch import Batch, concat, row
from edge_agent.core.tags import Kind, Tag, TagTable, scan_group
from edge_agent.encode import columns
from edge_agent.journal import Journal, RecordKind

START = 1_790_000_000_123_456_789
TAGS, SCANS, COMMITS = 100, 10, 1000
TABLE = TagTable(Tag(i, "d", f"tag-{i}", kind=Kind.FLOAT if i < 50 else Kind.INT) for i in range(TAGS))
NAMES = [f"tag-{i}" for i in range(TAGS)]
SAMPLES = TAGS * SCANS * COMMITS


class Cost(NamedTuple):
    """Seconds, and bytes on the medium, of all samples."""

    append_s: float
    drain_s: float
    written: int
    commits: int = COMMITS


def commits() -> Iterator[list[Batch]]:
    """The scans of each second."""
    rng, group = np.random.default_rng(3), scan_group(TABLE)
    value = np.concatenate((rng.uniform(20, 80, 50), rng.integers(0, 50, 50).astype(float)))
    for second in range(COMMITS):
        scans = []
        for i in range(SCANS):
            value[:50] += rng.normal(scale=0.02, size=50)
            value[-5:] += 1
            at = START + (second * SCANS + i) * 100_000_000
            scans.append(row(group, at, value.astype(np.float32).astype(float)))
        yield scans


def line(scan: Batch) -> bytes:
    """A scan as JSON."""
    return orjson.dumps({"t": int(scan.time[0]), "v": dict(zip(NAMES, scan.value.tolist(), strict=True))})


def written() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("write_bytes"))


async def one_by_one(journal: Journal, key: int, data: list[list[Batch]]) -> int:
    for scans in data:
        journal.append(RecordKind.SAMPLES, columns.pack(concat(scans), 0, {}), key)
        await journal.flush()
    return len(data)


async def shared(journal: Journal, key: int, data: list[list[Batch]]) -> int:
    due, commits = asyncio.Event(), 0

    async def commit() -> None:
        nonlocal commits
        while True:
            await due.wait()
            due.clear()
            commits += 1
            await journal.flush()

    committing = asyncio.create_task(commit())
    for scans in data:
        journal.append(RecordKind.SAMPLES, columns.pack(concat(scans), 0, {}), key)
        due.set()
        await asyncio.sleep(0)
    await journal.flush()
    committing.cancel()
    return commits


Append = Callable[[Journal, int, list[list[Batch]]], Awaitable[int]]
"""Makes all of it durable; returns with how many syncs."""


async def with_journal(folder: Path, data: list[list[Batch]], append: Append = one_by_one) -> Cost:
    journal = await Journal.open(folder, max_bytes=1 << 32, max_age_ns=None, clock=time.time_ns, recent_bytes=0)
    cursor = journal.cursor("north", "samples")
    key = journal.define("d", b"layout")
    before, started = written(), time.perf_counter()
    commits = await append(journal, key, data)
    append_s, started, n = time.perf_counter() - started, time.perf_counter(), 0
    assert journal.committed == len(data)
    while cursor.pending:
        for record in await cursor.read(max_records=1):
            batch, _ = columns.unpack(record.body)
            n += len(batch)
            cursor.release(record.seq)
        await journal.flush()
    drain_s = time.perf_counter() - started
    await journal.close()
    assert n == SAMPLES
    return Cost(append_s, drain_s, written() - before, commits)


def with_sqlite(folder: Path, data: list[list[Batch]]) -> Cost:
    folder.mkdir()
    db = sqlite3.connect(folder / "rows.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)")
    before, started = written(), time.perf_counter()
    for scans in data:
        db.execute("BEGIN")
        db.executemany("INSERT INTO rows (body) VALUES (?)", [(line(scan),) for scan in scans])
        db.execute("COMMIT")
    append_s, started, n = time.perf_counter() - started, time.perf_counter(), 0
    while rows := db.execute("SELECT id, body FROM rows ORDER BY id LIMIT ?", (SCANS,)).fetchall():
        n += sum(len(orjson.loads(body)["v"]) for _, body in rows)
        db.execute("BEGIN")
        db.execute("DELETE FROM rows WHERE id <= ?", (rows[-1][0],))
        db.execute("COMMIT")
    drain_s = time.perf_counter() - started
    db.close()
    assert n == SAMPLES
    return Cost(append_s, drain_s, written() - before)


def with_lines(folder: Path, data: list[list[Batch]]) -> Cost:
    folder.mkdir()
    before, started = written(), time.perf_counter()
    fd = os.open(folder / "lines", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for scans in data:
        os.write(fd, b"".join(line(scan) + b"\n" for scan in scans))
        os.fsync(fd)
    os.close(fd)
    append_s, started, n = time.perf_counter() - started, time.perf_counter(), 0
    place = os.open(folder / "place", os.O_WRONLY | os.O_CREAT, 0o644)
    with (folder / "lines").open("rb") as file:
        for _ in data:
            n += sum(len(orjson.loads(file.readline())["v"]) for _ in range(SCANS))
            os.pwrite(place, b"%020d" % file.tell(), 0)
            os.fsync(place)
    os.close(place)
    drain_s = time.perf_counter() - started
    assert n == SAMPLES
    return Cost(append_s, drain_s, written() - before)


def test_samples_kept_and_handed_on(benchmark: Any, tmp_path: Path) -> None:
    data = list(commits())
    ways: dict[str, Callable[[Path], Cost]] = {
        "journal": lambda folder: asyncio.run(with_journal(folder, data)),
        "as the agent does it": lambda folder: asyncio.run(with_journal(folder, data, shared)),
        "JSON rows in SQLite": lambda folder: with_sqlite(folder, data),
        "JSON lines, fsynced": lambda folder: with_lines(folder, data),
    }

    def run() -> dict[str, Cost]:
        return {name: way(tmp_path / str(i)) for i, (name, way) in enumerate(ways.items())}

    costs = benchmark.pedantic(run, rounds=1)
    ours = costs["journal"]
    if not ours.written:
        pytest.skip("this file system's writes are not counted (a tmpfs?)")
    for name, cost in costs.items():
        said = (
            f"{name:20} append {SAMPLES / cost.append_s:12,.0f}/s  drain {SAMPLES / cost.drain_s:12,.0f}/s  "
            f"{cost.written / SAMPLES:6.2f} bytes a sample, {SAMPLES / cost.commits:,.0f} a commit;  "
            f"of ours: append {ours.append_s / cost.append_s:.2f}, drain {ours.drain_s / cost.drain_s:.2f}, "
            f"bytes {cost.written / ours.written:.2f}"
        )
        benchmark.extra_info[name] = said
        print(said)
