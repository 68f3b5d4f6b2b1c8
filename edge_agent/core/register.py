"""A register that counts: what its readings book, also when they come late, twice or in any order.

The last `REMEMBERED` readings are kept with what was known before each: a late one is put in its place and
all after it are judged again, so they book the same in whatever order they came. One that is older than
all that is kept is passed over and counted; the next reading holds its pieces anyway.

Registers are told by exception. Without a bad reading in between, one is taken to have stood still until
shortly before the next, so the quiet time before is no time in which it may have gone round (domain 2.5).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from edge_agent.core.counters import BASELINE, IGNORED, PENDING, PLAUSIBLE, Counter

# A device's clock may be 5 s behind the agent's, and three missed polls are no silence.
SKEW_NS: Final = 15_000_000_000

# Readings kept to put late ones between: an OPC UA queue holds fewer, and each costs 250 bytes.
REMEMBERED: Final = 64


_BELIEVED: Final = PLAUSIBLE | {BASELINE, IGNORED}


class Booked(NamedTuple):
    """`increment` pieces reported at `time`: made just then or, with `since`, somewhere in (since, time].

    `again`: it takes the place of what was booked for this time before. `mark`: as of the `Verdict`.
    """

    time: int
    increment: int
    since: int | None
    again: bool = False
    mark: int = 0


class Verdict(NamedTuple):
    """What a reading books; `mark` is for kinds of registers that have more to say (`core.meter`)."""

    increment: int
    since: int | None
    mark: int = 0


NOTHING: Final = Verdict(0, None)


class _Read(NamedTuple):
    """A reading (None: unusable), the memory of the register before it, and what it booked."""

    time: int
    raw: int | None
    before: tuple[Any, int | None]
    booked: Verdict


class Register:
    """One counter and its gaps.

    `silence_ns` is how long the register may be silent without having stood still: so long before a
    reading, an unread change is possible.
    """

    def __init__(self, counter: Counter, silence_ns: int = 0) -> None:
        self.counter = counter
        self.gap: int | None = None     # since when it cannot be read
        self.too_late = 0
        """readings passed over because they came too late to be put in their place"""
        self.doubted = 0
        """readings that were not plausible when they came; whoever tells takes them back"""
        self.is_news = False
        """something that books nothing has changed what a restart must know; whoever tells takes it back"""
        self.judged: Callable[[int, int | None, int, int | None], None] | None = None
        """is told of each reading that nothing changes any more, in time order: time, value, pieces and since when"""
        self._silence = max(silence_ns, SKEW_NS)
        self._flag = BASELINE           # how the last reading was judged
        self._reads: list[_Read] = []
        self._waited: tuple[int, Verdict] | None = None
        """what the last reading makes known of the one that waited for it: its time, and what that books now"""
        self._oldest = -(1 << 63)

    def take(self, time: int, raw: int | None) -> list[Booked]:
        """A reading at `time`, None if it is unusable; what it books, and what it changes of later ones."""
        if self._reads and time <= self._reads[-1].time:
            booked = self._take_late(time, raw)
        else:
            booked = self._take_next(time, raw)
        while len(self._reads) > REMEMBERED:
            old = self._reads.pop(0)
            self._oldest = old.time
            if self.judged is not None:
                self.judged(old.time, old.raw, old.booked.increment, old.booked.since)
        return booked

    def _take_next(self, time: int, raw: int | None) -> list[Booked]:
        if time <= self._oldest:
            self.too_late += 1
            return []
        before = self._memory()
        booked = self._judge(time, raw)
        self.doubted += raw is not None and self._flag not in _BELIEVED
        changed = self._take_waited()
        self._reads.append(_Read(time, raw, before, booked))
        return changed if booked == NOTHING else [*changed, _booked(time, booked)]

    def _take_late(self, time: int, raw: int | None) -> list[Booked]:
        if time <= self._oldest:
            self.too_late += 1
            return []
        place = bisect_left(self._reads, time, key=lambda read: read.time)
        there = self._reads[place]
        if there.time == time:
            if there.raw is not None and (raw is None or raw <= there.raw):
                return []       # told already; of two readings of one instant the greater counts
            self._reads[place] = there._replace(raw=raw)
        else:
            self._reads.insert(place, _Read(time, raw, there.before, NOTHING))
        # From the one before on: if that waited, this one decides.
        usable = (at for at in reversed(range(place)) if self._reads[at].raw is not None)
        return self._again(next(usable, place))

    def _again(self, place: int) -> list[Booked]:
        """Judge the readings from `place` on."""
        changed: list[Booked] = []
        self._recall(self._reads[place].before)
        for at in range(place, len(self._reads)):
            read = self._reads[at]
            before = self._memory()
            booked = self._judge(read.time, read.raw)
            changed += self._take_waited()
            self._reads[at] = _Read(read.time, read.raw, before, booked)
            if booked != read.booked:
                changed.append(_booked(read.time, booked, again=True))
        self.is_news = True
        return changed

    def _judge(self, time: int, raw: int | None) -> Verdict:
        if self.gap is None:
            self.counter.hold(time - self._silence)
        if raw is None:
            self.counter.lose()
            self.is_news = self.is_news or self.gap is None
            self.gap = time if self.gap is None else self.gap
            return NOTHING
        increment, flag = self.counter.feed(time, raw)
        self._flag = flag
        if flag in (PENDING, BASELINE):
            self.is_news = True
        if flag in (PENDING, IGNORED):
            return NOTHING      # not judged yet: what it will bring may still have come out of a gap
        gap, self.gap = self.gap, None
        if not increment:
            self.is_news = self.is_news or gap is not None
            return NOTHING
        since = None if gap is None else max(gap, self.counter.since or gap)
        waited = self.counter.waited
        if waited is None:
            return Verdict(increment, since)
        self._waited = waited.t, Verdict(waited.raw, since)
        return Verdict(increment - waited.raw, None) if increment > waited.raw else NOTHING

    def _take_waited(self) -> list[Booked]:
        """Book with the reading that waited what has proved to be its own: an order may have ended since."""
        if self._waited is None:
            return []
        (time, booked), self._waited = self._waited, None
        place = bisect_left(self._reads, time, key=lambda read: read.time)
        if place < len(self._reads) and self._reads[place].time == time:    # else it came before a restart
            self._reads[place] = self._reads[place]._replace(booked=booked)
        self.is_news = True
        return [_booked(time, booked, again=True)]

    def _memory(self) -> tuple[Any, int | None]:
        return self.counter.memory, self.gap

    def _recall(self, memory: tuple[Any, int | None]) -> None:
        self.counter.memory, self.gap = memory

    def restore(self, snapshot: dict[str, Any], gap: int | None) -> None:
        """Go on where the counter's `snapshot` was taken, unread since `gap`; late readings find no place any more."""
        self.counter.restore(snapshot)
        self.gap = gap
        self._reads.clear()
        self._oldest = self.counter.known_at


def _booked(time: int, verdict: Verdict, again: bool = False) -> Booked:
    return Booked(time, verdict.increment, verdict.since, again, verdict.mark)
