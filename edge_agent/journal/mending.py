"""When reading met trouble: patience with a disk that is gone, salvage of a segment that is damaged."""

from __future__ import annotations

import asyncio
import copy
import errno
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from edge_agent.journal.commit import Commits
from edge_agent.journal.disk import Disk
from edge_agent.journal.lane import LANES, Lane
from edge_agent.journal.record import HEAD_SIZE, OWN
from edge_agent.journal.recovery import aside
from edge_agent.journal.salvage import amend, salvage
from edge_agent.journal.segment import Damage, Segment, blocks
from edge_agent.journal.writer import Writer

# Not the file's fault: too many files open, no memory.
_PASSING = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR))
PATIENCE = 5
PAUSE_S = 0.5
"""An unreadable segment is tried five times over two seconds, so that the flush of every second
notices first if it is the disk that is gone."""


class Mending:
    """Of one journal."""

    def __init__(
        self, commits: Commits, writer: Writer, disk: Disk, in_thread: Callable[..., Awaitable[Any]]
    ) -> None:
        self._commits = commits
        self._writer = writer
        self._disk = disk
        self._in_thread = in_thread
        self._patience: dict[Segment, int] = {}
        self._tasks: dict[Segment, asyncio.Task[None]] = {}

    async def mend(self, lane: Lane, segment: Segment, trouble: Exception) -> None:
        """Reading `segment` met trouble. Afterwards it is intact, or gone from the chain, or worth another
        try: while the whole disk is failing, no file of it is given up."""
        if isinstance(trouble, OSError) and not isinstance(trouble, FileNotFoundError):
            self._patience[segment] = self._patience.get(segment, PATIENCE) - 1
            if self._commits.failing or trouble.errno in _PASSING or self._patience[segment] > 0:
                await asyncio.sleep(PAUSE_S)
                return
        self._patience.pop(segment, None)
        task = self._tasks.get(segment)
        if task is None:
            task = self._tasks[segment] = asyncio.create_task(self._replace(lane, segment))
            task.add_done_callback(lambda _: self._tasks.pop(segment, None))
        await asyncio.shield(task)  # it is not half done because a reader no longer waits for it

    async def finish(self) -> None:
        """Wait until nothing is being mended."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _replace(self, lane: Lane, segment: Segment) -> None:
        """Put what is intact in place of the segment, in the folder and in the chain."""
        if lane.active is segment:
            lane.active = None
        await self._commits.quiet()
        segments = lane.chain.segments
        if segment not in segments:
            return
        old, new = copy.copy(segment), copy.copy(segment)
        left, set_aside, report = await self._in_thread(self._salvage, lane, new)
        if segment not in segments:
            return
        self._commits.tell(report)
        begins, total = lane.chain.until(segment), lane.chain.total
        place = segments.index(segment)
        segments[place : place + 1] = [new] if new.size else []
        lane.chain.aside = set_aside
        lane.recent.forget(lane.committed)
        for cursor in lane.cursors.values():
            cursor.shrank(old, left, begins, total)
        await self._amend(lane, new)

    async def _amend(self, lane: Lane, mended: Segment) -> None:
        """The next segment says what the mended one was; once what was lost is noted durably, let it say what it is, or
        whoever opens the journal would tell of it again."""
        self._commits.sync_places()
        await self._commits.flush()
        following = next((one for one in lane.chain.segments if one.first > mended.first), None)
        if self._commits.failing or following is None or following.header.before.first != mended.first:
            return
        following.header = following.header._replace(before=mended.closed())
        try:
            await self._in_thread(amend, self._disk, following.path, following.header)
        except OSError as error:
            self._commits.tell(f"{following.path.name}: its header cannot be written ({error.strerror})")

    def _salvage(
        self, lane: Lane, segment: Segment
    ) -> tuple[Sequence[tuple[int, int]], list[tuple[Path, int]], str]:
        self._writer.lanes[LANES.index(lane.name)].close()
        report = salvage(self._disk, segment)
        left: list[tuple[int, int]] = []
        try:
            for raws, _ in blocks(self._disk, segment):
                left += [(seq, HEAD_SIZE + len(body)) for seq, kind, _, _, body in raws if kind not in OWN]
        except (Damage, OSError):
            pass  # the medium is going: the next read comes back here
        return left, aside(self._disk, segment.path.parent), report
