"""kill -9, again and again: what was reported as committed is there, and every destination gets it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.journal import Journal, records

ROUNDS = int(os.environ.get("JOURNAL_KILL_ROUNDS", "30"))

VICTIM = '''
import asyncio, os, random, sys, time
from pathlib import Path
from edge_agent.journal import Journal, RecordKind

async def main():
    count = 0
    journal = await Journal.open(
        Path(sys.argv[1]), max_bytes=1 << 30, max_age_ns=None, clock=time.time_ns,
        segment_bytes=64 << 10, checkpoint=lambda: b"%d" % count, recent_bytes=20_000)
    for record in await journal.tail():
        count = int(record.body.split(b".")[0]) + (record.kind != RecordKind.CHECKPOINT)
    assert not [r for r in journal.reports if "damaged" in r], journal.reports
    draw = random.Random(int(sys.argv[2]))
    cursor = journal.cursor("north", "events", start="oldest")
    os.write(1, b"up %d\\n" % count)

    async def follow():
        while True:
            got = await cursor.read(draw.randrange(1, 200))
            numbers = [int(record.body.split(b".")[0]) for record in got]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
            os.write(1, b"got %d %d\\n" % (numbers[0], numbers[-1]))
            cursor.release(got[-1].seq)
            await asyncio.sleep(draw.random() * 0.004)

    following = asyncio.ensure_future(follow())
    while not following.done():
        for _ in range(draw.randrange(1, 60)):
            key = journal.define("d", b"layout %d" % (count // 500))
            journal.append(RecordKind.EVENT, (b"%d." % count).ljust(draw.randrange(10, 400), b"x"), key)
            count += 1
        await journal.flush()
        assert journal.failing is None
        os.write(1, b"committed %d\\n" % count)
    following.result()

asyncio.run(main())
'''


@dataclass
class Heard:
    """What the victims reported before they died."""

    committed: int = 0
    delivered: int = 0
    """everything below was delivered at least once"""
    doubled: list[int] = field(default_factory=list)
    """records delivered again, per round"""

    def listen(self, lines: list[str]) -> None:
        again = 0
        for line in lines:
            what, *numbers = line.split()
            if what == "committed":
                self.committed = int(numbers[0])
            elif what == "up":
                assert int(numbers[0]) >= self.committed, f"{self.committed} reported, {numbers[0]} found"
            else:
                first, last = map(int, numbers)
                assert first <= self.delivered, f"gap: {self.delivered} to {first}"
                again += max(min(self.delivered, last + 1) - first, 0)
                self.delivered = max(self.delivered, last + 1)
        self.doubled.append(again)


def one_life(folder: Path, seed: int, life_s: float) -> list[str]:
    """Start a victim, kill it `life_s` after it is up; returns the whole lines it wrote."""
    root = Path(__file__).parents[2]
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(folder), str(seed)],
        bufsize=0,  # or readline keeps to itself what communicate should get
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert victim.stdout
    assert victim.stderr
    first = victim.stdout.readline()
    time.sleep(life_s)
    victim.send_signal(signal.SIGKILL)
    rest, errors = victim.communicate(timeout=10)
    assert victim.returncode == -signal.SIGKILL, errors.decode()
    return [line.decode() for line in (first + rest).splitlines(keepends=True) if line.endswith(b"\n")]


def test_nothing_committed_is_lost_however_often_the_agent_is_killed(tmp_path: Path) -> None:
    draw, heard, folder = random.Random(), Heard(), tmp_path / "journal"
    for _ in range(ROUNDS):
        heard.listen(one_life(folder, draw.randrange(10**9), draw.uniform(0.0, 0.1)))
    found = list(records(folder))
    numbers = [int(record.body.split(b".")[0]) for record in found]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= heard.committed > 0
    assert all(r.definition == b"layout %d" % (n // 500) for r, n in zip(found, numbers, strict=True))
    assert [r.seq for r in found] == sorted({r.seq for r in found})

    async def drain() -> None:
        journal = await Journal.open(folder, max_bytes=1 << 30, max_age_ns=None, clock=time.time_ns)
        cursor = journal.cursor("north", "events")
        lines = []
        while cursor.released < journal.committed:
            got = await cursor.read()
            first, last = (int(record.body.split(b".")[0]) for record in (got[0], got[-1]))
            lines.append(f"got {first} {last}")
            cursor.release(got[-1].seq)
        heard.listen(lines)
        assert (cursor.lost, cursor.evicted) == (0, 0)
        await journal.close()

    asyncio.run(drain())
    assert heard.delivered == len(numbers)
    print(f"{ROUNDS} kills: {len(numbers)} records, 0 lost, at most {max(heard.doubled)} doubled per kill")
