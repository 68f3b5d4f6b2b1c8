"""A device read as the agent reads it, for ever and through all that happens, with what has come of it.

    async with Followed(server.url, {"count": CNC + "Count"}, keep=["count"]) as cnc:
        await cnc.live()
        … something happens …
        assert await cnc.live(since=time.monotonic()) < 15

`live` means: since then every tag has had a good sample. Values of the tags in `keep` are kept one by one; of the
others the last one. When it ends, no task may be left.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from edge_agent.api import Batch, Reason, Tag
from edge_agent.health import Count, Health
from edge_agent.south.reader import Nobody, Reader
from edge_agent_opcua import plugin

CNC_IDS = "nsu=http://acme.example/cnc/;s="
REASON = 0x3F                   # the low bits of a quality byte


class Sample(NamedTuple):
    """One sample of a tag that is kept."""

    value: float
    quality: int
    time: int
    arrived: float

    @property
    def is_good(self) -> bool:
        return self.quality < 0x40

    @property
    def has_own_time(self) -> bool:
        """Whether its time is the device's."""
        return self.is_good and self.quality & REASON != Reason.CLOCK


class Followed:
    """See above; `right(tag positions, values)` gives a mask of the good values that can be true."""

    _running = 0
    _before: ClassVar[set[Any]] = set()
    """the tasks there were before the first of those that run"""

    def __init__(
        self,
        url: str,
        nodes: Mapping[str, str | Mapping[str, Any]],
        keep: Sequence[str] = (),
        right: Callable[[Any, Any], Any] | None = None,
        device: str = "cnc",
        **options: Any,
    ) -> None:
        tags = {name: node if isinstance(node, Mapping) else {"node": node} for name, node in nodes.items()}
        config = plugin.config.model_validate(
            {"driver": "opcua", "url": url, "publish": "100ms", "tags": tags, **options}
        )
        self.tags = [Tag(i, device, name) for i, name in enumerate(config.tags)]
        self.position = {tag.name: tag.position for tag in self.tags}
        self.driver = plugin.build(device, config, self.tags, time.time_ns)
        self.health = Health()
        self.wrong = 0
        """good values that cannot be true"""
        self.samples = 0
        self.good_at = np.zeros(len(tags))
        """when each tag has last had a good sample, s, monotonic"""
        self.value = np.full(len(tags), np.nan)
        self.quality = np.full(len(tags), 255, np.uint8)
        self.kept: dict[str, list[Sample]] = {name: [] for name in keep}
        self._right = right
        self._arrived = asyncio.Event()
        self._reader = Reader(
            device, self.driver, self.tags, np.zeros(len(tags), np.int64), self._take, self.health, time.time_ns,
            (url,), Nobody(),
        )  # fmt: skip
        self._task: asyncio.Task[None] | None = None

    @property
    def line(self) -> Any:
        return self._reader.line

    @property
    def session(self) -> Any:
        """The open session, if there is one."""
        return self._reader.session

    @property
    def opened(self) -> int:
        """Sessions of the driver so far."""
        return self.health.counts[Count.SESSIONS_OPENED]

    async def __aenter__(self) -> Followed:
        if not Followed._running:
            Followed._before = asyncio.all_tasks()
        Followed._running += 1
        self._task = asyncio.create_task(self._reader.keep_reading(), name="reader under test")
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        Followed._running -= 1
        if kind is None and not Followed._running:
            await nothing_left(Followed._before)

    def _take(self, _device: str, batch: Batch) -> None:
        now = time.monotonic()
        good = batch.quality < 0x40
        self.samples += len(batch)
        self.good_at[batch.tag[good]] = now
        self.value[batch.tag], self.quality[batch.tag] = batch.value, batch.quality
        if self._right is not None:
            self.wrong += int((~self._right(batch.tag[good], batch.value[good])).sum())
        for name, samples in self.kept.items():
            for i in np.flatnonzero(batch.tag == self.position[name]).tolist():
                samples.append(Sample(float(batch.value[i]), int(batch.quality[i]), int(batch.time[i]), now))
        self._arrived.set()

    async def until(self, what: Callable[[], Any], seconds: float, why: str) -> float:
        """Wait until `what()` is true; how long that took."""
        began = time.monotonic()
        while not what():
            left = began + seconds - time.monotonic()
            if left <= 0:
                told = f"{self.line.state}, {self.line.error or 'no error'}"
                raise AssertionError(f"waited {seconds} s in vain: {why}; the line: {told}")
            self._arrived.clear()
            try:
                async with asyncio.timeout(min(left, 0.2)):
                    await self._arrived.wait()
            except TimeoutError:
                pass
        return time.monotonic() - began

    async def live(self, since: float = 0.0, seconds: float = 15.0, but: Sequence[str] = ()) -> float:
        """Wait until every tag (`but` these) has had a good sample since then; how long after it the last one had."""
        wanted = np.array([tag.name not in but for tag in self.tags])

        def all_live() -> bool:
            return bool((self.good_at[wanted] > since).all())

        def silent() -> str:
            names = [tag.name for tag in self.tags if wanted[tag.position] and self.good_at[tag.position] <= since]
            return f"{len(names)} tags without a good sample, {names[:5]} …"

        try:
            await self.until(all_live, seconds, "")
        except AssertionError as error:
            raise AssertionError(f"{silent()}{error}") from None
        return float(self.good_at[wanted].max() - since) if since else 0.0

    def of(self, name: str) -> float:
        """The last value of a tag."""
        return float(self.value[self.position[name]])


ROUND = 10_000
PUBLISH_S = 0.1


def many(count: int, **more: object) -> dict[str, dict[str, object]]:
    """The first of the many variables of the servers in `opcua_world`, each with these options."""
    return {f"n{i}": {"node": f"{CNC_IDS}n{i}", **more} for i in range(count)}


def own(tags: Any, values: Any) -> Any:
    """Whether these are values of these of the many: n7's end in 7, those of its decoy are negative."""
    return (values >= 0) & (values % ROUND == tags)


def following(server: Any, count: int = 20, **options: Any) -> Followed:
    """A device with the first of the many."""
    return Followed(server.url, many(count), right=own, **options)


async def again(cnc: Followed, margin: float = 15.0) -> float:
    """Everything is live again, from now on, and right."""
    await asyncio.sleep(3 * PUBLISH_S)      # what was on its way does not count
    took = await cnc.live(since=time.monotonic(), seconds=margin)
    assert cnc.wrong == 0
    return took


async def nothing_left(before: set[Any]) -> None:
    """No task but those `before`, at most a few seconds from now."""
    end = time.monotonic() + 3.0
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=end - time.monotonic())
    assert not left, f"left behind: {[task.get_name() for task in left]}"


def unbroken(samples: Sequence[Sample], counted: Sequence[Sequence[int]]) -> tuple[list[float], list[float]]:
    """Values that a counter's good samples lack, and those that have another time than the server gave them.

    `counted` has (count, source time in ns) of all the server counted; the samples must be all of these from the
    first to the last, each once and in order. The first value of a session is a statement, not a change: it has the
    time of its arrival, and what changed before that comes just after it.
    """
    good = [sample for sample in samples if sample.is_good]
    values = [sample.value for sample in good]
    assert values == sorted(values), "out of order"
    missing = sorted(set(np.arange(values[0], values[-1] + 1).tolist()) - set(values)) if values else []
    time_of = dict(counted)
    # A millisecond: what is moved so that it comes after its predecessor, or is told in ms only.
    right = {s.value: time_of.get(int(s.value), 0) for s in good}
    mistimed = [s.value for s in good if abs(s.time - right[s.value]) > 1_000_000 and right[s.value] > good[0].time]
    return missing, mistimed


def resident_mb() -> float:
    """Memory of this process, after cleaning up, MB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
