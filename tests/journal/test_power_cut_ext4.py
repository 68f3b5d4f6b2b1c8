"""Power cuts of a real file system: ext4 on a loop file is shut down without flushing its log, mid-write.

What was reported before the cut must be there. What is reported while the file system goes down
does not count: a plain fdatasync that races with this way of shutting down returns success for data
that is gone (18 of 250 times, measured without any journal), which a real power cut cannot do.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.journal import records, verify

ROUNDS = int(os.environ.get("JOURNAL_POWER_ROUNDS", "5"))
SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2

VICTIM = '''
import asyncio, os, sys, time
from pathlib import Path
from edge_agent.journal import Journal, RecordKind

async def main():
    count = 0
    journal = await Journal.open(
        Path(sys.argv[1]), max_bytes=1 << 30, max_age_ns=None, clock=time.time_ns,
        segment_bytes=64 << 10, checkpoint=lambda: b"%d" % count)
    for record in await journal.tail():
        count = int(record.body.split(b".")[0]) + (record.kind != RecordKind.CHECKPOINT)
    assert not [r for r in journal.reports if "unfinished" not in r], journal.reports
    cursor = journal.cursor("north", "events", start="oldest")
    os.write(1, b"up %d %d\\n" % (count, cursor.released))
    while journal.failing is None:
        for _ in range(30):
            journal.append(RecordKind.EVENT, (b"%d." % count).ljust(300, b"x"))
            count += 1
        await journal.flush()
        if journal.failing is None:
            os.write(1, b"committed %d\\n" % count)
            try:
                cursor.release((await asyncio.wait_for(cursor.read(40), 0.1))[-1].seq)
            except TimeoutError:
                pass  # nothing can be read from a disk that is gone
    os.write(1, b"failing %s\\n" % journal.failing.encode())
    await journal.close()

asyncio.run(main())
'''


def run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() or not shutil.which("mkfs.ext4"):
        pytest.skip("cutting the power of a file system needs root and mkfs.ext4")
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    if not run("mkfs.ext4", "-q", str(image)) or not run("mount", "-o", "loop", str(image), str(place)):
        pytest.skip("loop mounts are not allowed here")
    yield place
    run("umount", "-l", str(place))


def cut_power(place: Path) -> None:
    fd = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, SHUTDOWN, NO_LOG_FLUSH.to_bytes(4, "little"))
    finally:
        os.close(fd)


def test_what_was_committed_survives_the_power_cut_of_a_real_file_system(mounted: Path) -> None:
    draw, committed = random.Random(), 0
    folder, image = mounted / "journal", mounted.parent / "image"
    for _ in range(ROUNDS):
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(folder)],
            bufsize=0,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert victim.stdout
        up = victim.stdout.readline().split()
        assert up, victim.communicate()[1].decode()
        assert int(up[1]) >= committed
        time.sleep(draw.uniform(0.0, 0.15))
        os.set_blocking(victim.stdout.fileno(), False)
        before = victim.stdout.read() or b""
        cut_power(mounted)
        os.set_blocking(victim.stdout.fileno(), True)
        try:
            after, errors = victim.communicate(timeout=10)
        finally:
            victim.kill()
        assert b"failing" in after, errors.decode()
        lines = [line.split() for line in before.splitlines(keepends=True) if line.endswith(b"\n")]
        committed = max([committed, int(up[1]), *(int(line[1]) for line in lines)])
        assert run("umount", str(mounted))
        assert run("mount", "-o", "loop", str(image), str(mounted))
    found = [int(record.body.split(b".")[0]) for record in records(folder)]
    assert found == list(range(len(found)))
    assert len(found) >= committed > 0
    aside = verify(folder).aside
    print(f"{ROUNDS} power cuts: {committed} committed, {len(found)} found, {len(aside)} torn tails")
