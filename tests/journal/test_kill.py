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

from edge_agent.journal import LANES, Journal, RecordKind, records

ROUNDS = int(os.environ.get("JOURNAL_KILL_ROUNDS", "30"))

VICTIM = '''
import asyncio, os, random, sys, time
from pathlib import Path
from edge_agent.journal import LANES, Journal, RecordKind, records

KINDS = {"events": RecordKind.EVENT, "samples": RecordKind.SAMPLES}
folder, draw = Path(sys.argv[1]), random.Random(int(sys.argv[2]))

def number(record):
    return int(record.body.split(b".")[0])

async def main():
    counts = dict.fromkeys(LANES, 0)
    journal = await Journal.open(
        folder, max_bytes=1 << 30, max_age_ns=None, clock=time.time_ns,
        segment_bytes=64 << 10, checkpoint=lambda: b"%d" % counts["events"], recent_bytes=20_000)
    assert not [r for r in journal.reports if "damaged" in r], journal.reports
    for lane in LANES:
        for record in records(folder, [KINDS[lane]]):
            counts[lane] = number(record) + 1
    tail = await journal.tail()
    assert not tail or (number(tail[-1]) if len(tail) > 1 else counts["events"] - 1) == counts["events"] - 1
    cursors = {lane: journal.cursor("north", lane, start="oldest") for lane in LANES}
    os.write(1, b"up %d %d\\n" % (counts["events"], counts["samples"]))

    async def follow(lane):
        cursor = cursors[lane]
        while True:
            if draw.random() < 0.1:
                cursor.split(0)
            ready = [one for one in cursor.ranges if one.pending]
            if not ready:
                await journal.more()
                continue
            one = draw.choice(ready)
            got = await one.read(draw.randrange(1, 200))
            if not got:
                continue
            numbers = [number(record) for record in got]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
            os.write(1, b"got %s %d %d\\n" % (lane.encode(), numbers[0], numbers[-1]))
            one.release(got[-1].seq)
            await asyncio.sleep(draw.random() * 0.004)

    following = [asyncio.ensure_future(follow(lane)) for lane in LANES]
    while not any(task.done() for task in following):
        for _ in range(draw.randrange(1, 60)):
            lane = draw.choice(LANES)
            key = journal.define("d", b"layout %d" % (counts[lane] // 500))
            journal.append(KINDS[lane], (b"%d." % counts[lane]).ljust(draw.randrange(10, 400), b"x"), key)
            counts[lane] += 1
        await journal.flush()
        assert journal.failing is None
        os.write(1, b"committed %d %d\\n" % (counts["events"], counts["samples"]))
    for task in following:
        if task.done():
            task.result()

asyncio.run(main())
'''
KINDS = {"events": RecordKind.EVENT, "samples": RecordKind.SAMPLES}


@dataclass
class Heard:
    """What the victims reported before they died, of each lane."""

    committed: list[int] = field(default_factory=lambda: [0, 0])
    delivered: dict[str, set[int]] = field(default_factory=lambda: {lane: set() for lane in LANES})
    doubled: list[int] = field(default_factory=list)
    """records delivered again, per round"""

    def listen(self, lines: list[str]) -> None:
        again = 0
        for line in lines:
            what, *rest = line.split()
            if what == "got":
                numbers = set(range(int(rest[1]), int(rest[2]) + 1))
                again += len(numbers & self.delivered[rest[0]])
                self.delivered[rest[0]] |= numbers
            else:
                found = [int(number) for number in rest]
                assert all(a >= b for a, b in zip(found, self.committed, strict=True)), (self.committed, line)
                self.committed = found
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
    total = 0
    for lane, committed in zip(LANES, heard.committed, strict=True):
        found = list(records(folder, [KINDS[lane]]))
        numbers = [int(record.body.split(b".")[0]) for record in found]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= committed > 0
        assert all(r.definition == b"layout %d" % (n // 500) for r, n in zip(found, numbers, strict=True))
        assert [r.seq for r in found] == sorted({r.seq for r in found})
        total += len(numbers)

    async def drain() -> None:
        journal = await Journal.open(folder, max_bytes=1 << 30, max_age_ns=None, clock=time.time_ns)
        lines = []
        for cursor in journal.cursors:
            while cursor.pending:
                for record in await cursor.read():
                    number = int(record.body.split(b".")[0])
                    lines.append(f"got {cursor.lane.name} {number} {number}")
                    cursor.release(record.seq)
            assert (cursor.lost, cursor.evicted, len(cursor.ranges)) == (0, 0, 1)
        heard.listen(lines)
        await journal.close()

    asyncio.run(drain())
    assert sum(map(len, heard.delivered.values())) == total
    assert all(delivered == set(range(len(delivered))) for delivered in heard.delivered.values())
    print(f"{ROUNDS} kills: {total} records, 0 lost, at most {max(heard.doubled)} doubled per kill")
