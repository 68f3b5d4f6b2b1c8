"""How a tag was: its samples of a stretch of time from memory and, further back, from the journal, thinned for a curve.

Thinned to so many points as were asked for: of each part of the stretch the least, the greatest and what is not good
stay, so that no peak and no gap is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any, Final, Literal, NamedTuple, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from edge_agent.api import Clock, Tag
from edge_agent.config import Site
from edge_agent.core.engine import Engine
from edge_agent.core.quality import BAD, UNCERTAIN, class_name
from edge_agent.core.quantity import SECOND
from edge_agent.core.tags import Kind, Vocabulary
from edge_agent.core.wall import DAY
from edge_agent.encode import columns
from edge_agent.journal import Record, RecordKind, records
from edge_agent.web.answers import Answer, QualityName, Shown
from edge_agent.web.times import Times
from edge_agent.why import plain

# What a person waits for, and a gateway's card can bear: some 100 MB are read in this time.
PATIENCE_S: Final = 3.0
# Before thinning: a tag sampled every 100 ms for a day.
MOST: Final = 1_000_000
# One looks through the journal at a time: a card that is read by several serves none.
_READERS: Final = 1


class HistoryAnswer(Answer):
    """The samples of a tag, by time."""

    tag: str
    unit: str
    kind: Literal["float", "int", "bool", "text"]
    start: str
    end: str
    since: str
    """from here on everything that was kept is among the points"""
    complete: bool
    """false: what is before `since` could not be read in time; ask for less"""
    source: Literal["ring", "journal"]
    """ring: all of it is still in memory, every sample; journal: also what passed the deadband before"""
    samples: int
    """how many there were"""
    reduced: bool
    """the points are not all of them"""
    points: list[tuple[int, Shown | None, QualityName]]
    """ms UTC, value, quality"""


class Samples(NamedTuple):
    """Time ns UTC, raw value, quality; each of shape (n,)."""

    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]

    def part(self, which: Any) -> Samples:
        """Those that a mask or places name."""
        return Samples(self.time[which], self.value[which], self.quality[which])


class HistoryView:
    """Reads the ring and the journal's files; changes nothing."""

    def __init__(self, site: Site, engine: Engine, clock: Clock, times: Times) -> None:
        self._folder = Path(site.agent.data_dir) / "journal"
        self._kept_ns = site.journal.max_age + DAY
        self._engine = engine
        self._clock = clock
        self._times = times
        self._reading = asyncio.Semaphore(_READERS)

    async def history(self, tag: Tag, start: str | None, end: str | None, most: int) -> HistoryAnswer:
        """At most some `most` points of [start, end); without times, the last hour."""
        now = self._clock()
        until = now + 1 if end is None else self._times.instant("end", end)
        low, high = self._times.stretch(start, end, (until - 3600 * SECOND, now + 1))
        # Nothing is kept for longer, and no clock is ahead by more.
        high = min(high, now + DAY)
        low = min(max(low, now - self._kept_ns), high)
        held = Samples(*self._engine.ring.window(tag.position, low, high))
        texts = Vocabulary()
        held = _reworded(held, tag.vocabulary.texts, texts) if tag.kind is Kind.TEXT else held
        before, _, _ = self._engine.ring.window(tag.position, 0, low + 1)
        since, complete = low, True
        if not len(before):
            oldest = int(held.time[0]) if len(held.time) else high
            async with self._reading:
                older = await asyncio.to_thread(self._from_journal, tag, low, oldest, texts)
            held, since, complete = _all([older.samples, held]), older.since, older.complete
        points = await asyncio.to_thread(_points, held, low, high, most, tag, texts)
        return HistoryAnswer(
            tag=tag.id,
            unit=tag.unit,
            kind=cast(Any, tag.kind.name.lower()),
            start=self._times.iso(low),
            end=self._times.iso(high),
            since=self._times.iso(since),
            complete=complete,
            source="ring" if len(before) else "journal",
            samples=len(held.time),
            reduced=len(points) < len(held.time),
            points=points,
        )

    def _from_journal(self, tag: Tag, low: int, high: int, texts: Vocabulary) -> _Read:
        """What is kept there of [low, high), the newest first until patience ends. Blocks."""
        found: list[Samples] = []
        until, count, ends = high, 0, monotonic() + PATIENCE_S
        for since in _steps(low, high):
            try:
                part, whole = self._part(tag, since, until, ends, texts)
            except OSError:     # a file that has gone meanwhile, because the journal is full, or a disk that fails
                part, whole = _all([]), False
            if not whole or count > MOST or monotonic() > ends:
                return _Read(_all(found), until, complete=False)
            found.append(part)
            count, until = count + len(part.time), since
        return _Read(_all(found), low, complete=True)

    def _part(self, tag: Tag, low: int, high: int, ends: float, texts: Vocabulary) -> tuple[Samples, bool]:
        """Those of [low, high), and whether it was in time."""
        found: list[Samples] = []
        for record in records(self._folder, (RecordKind.SAMPLES,), low):
            if monotonic() > ends:
                return _all(found), False
            if record.time > high + _LATE_NS:
                break
            try:
                part = _of(record, tag, texts)
            except _BROKEN:
                continue        # what else is kept is worth more than refusing all of it
            inside = (part.time >= low) & (part.time < high)
            if inside.any():
                found.append(part.part(inside))
        return _all(found), True


_BROKEN: Final = (ValueError, KeyError, TypeError, IndexError)
# Samples are put into the journal within a second or so; a device that was away brings older ones.
_LATE_NS: Final = 3600 * SECOND


class _Read(NamedTuple):
    samples: Samples
    since: int
    complete: bool


def _steps(low: int, high: int) -> Iterator[int]:
    """Where to begin, the newest part first: an hour, then ever more."""
    length, at = 3600 * SECOND, high
    while at > low:
        at = max(low, at - length)
        yield at
        length = min(length * 2, DAY)


def _of(record: Record, tag: Tag, texts: Vocabulary) -> Samples:
    """The samples of one tag in a record; the codes of texts are those of `texts`."""
    nothing = _all([])
    if record.definition is None:
        return nothing
    device, names = _defined(record.definition)
    if device != tag.device or tag.name not in names:
        return nothing
    batch, told = columns.unpack(record.body)
    place = names[tag.name]
    mine = batch.tag == place
    found = Samples(batch.time[mine], batch.value[mine], batch.quality[mine])
    return _reworded(found, told[place], texts) if place in told else found


@lru_cache(maxsize=64)
def _defined(definition: bytes) -> tuple[str, Mapping[str, int]]:
    """The device, and the place of each of its tags."""
    said = orjson.loads(definition)
    return said["device"], {name: at for at, name in enumerate(said["names"])}


def _reworded(found: Samples, words: Mapping[int, str] | Sequence[str], texts: Vocabulary) -> Samples:
    """Text codes of one vocabulary as those of another."""
    value = [texts.code(words[int(raw)]) if raw == raw else raw for raw in found.value.tolist()]
    return found._replace(value=np.array(value, np.float64))


Point = tuple[int, Shown | None, QualityName]


def _points(held: Samples, low: int, high: int, most: int, tag: Tag, texts: Vocabulary) -> list[Point]:
    """What is shown; some milliseconds for thousands of points, so done in a thread."""
    shown = _thinned(held, low, high, most)
    columns_of = (shown.time // 1_000_000).tolist(), shown.value.tolist(), shown.quality.tolist()
    return [
        (time, _told(tag, texts, raw), cast(QualityName, class_name(quality)))
        for time, raw, quality in zip(*columns_of, strict=True)
    ]


def _told(tag: Tag, texts: Vocabulary, raw: float) -> Shown | None:
    if tag.kind is Kind.TEXT:
        return texts.proper(raw) if raw == raw else None
    return plain(tag, raw)


def _all(parts: list[Samples]) -> Samples:
    if not parts:
        return Samples(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
    time = np.concatenate([part.time for part in parts])
    order = time.argsort(kind="stable")
    value, quality = np.concatenate([part.value for part in parts]), np.concatenate([part.quality for part in parts])
    return Samples(time, value, quality).part(order)


def _thinned(held: Samples, low: int, high: int, most: int) -> Samples:
    """Of each of `most` / 4 equal parts: the first, the least, the greatest, and the last; all, if there are few."""
    n = len(held.time)
    if n <= most:
        return held
    parts = max(most // 4, 1)
    place = ((held.time - low) // max(-(-(high - low) // parts), 1)).astype(np.int64)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    ends = np.append(starts[1:], n)
    kept: set[int] = set()
    for first, end in zip(starts.tolist(), ends.tolist(), strict=True):
        value = np.where(held.quality[first:end] < UNCERTAIN, held.value[first:end], np.nan)
        kept |= {first, end - 1}
        if np.isfinite(value).any():
            kept |= {first + int(np.nanargmin(value)), first + int(np.nanargmax(value))}
        bad = np.flatnonzero(held.quality[first:end] >= BAD)
        if len(bad):
            kept.add(first + int(bad[0]))
    at = np.array(sorted(kept))
    return held.part(at)
