"""Counters: from raw register readings to honest increments (domain 2.5).

A register rolls over, is reset at a job change, preset by an operator, read as zero once in a while
and steps back by one between two modules. What happened is decided by plausibility: no machine makes
more than `max_rate` pieces a second. A reading that fits nothing waits for the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

SECOND: Final = 1_000_000_000

BASELINE: Final = "BASELINE"                    # first reading: nothing to compare with, counts 0
OK: Final = "OK"
WRAP: Final = "WRAP"                            # rolled over
JITTER: Final = "JITTER"                        # stepped back a little: keep the high-water mark
PENDING: Final = "PENDING"                      # fits nothing: the next reading decides
GLITCH_DISCARDED: Final = "GLITCH_DISCARDED"    # the pending reading was wrong, the old series goes on
RESET_CONFIRMED: Final = "RESET_CONFIRMED"      # the pending drop was a reset: counts the pieces since
REBASED: Final = "REBASED"                      # the pending jump was a preset: the jump does not count
RESET_SIGNALLED: Final = "RESET_SIGNALLED"      # the machine said so: counts the pieces since
AMBIGUOUS_WRAP: Final = "AMBIGUOUS_WRAP"        # unread for so long that it may have gone round: counts 0
IGNORED: Final = "IGNORED"                      # not newer than the last reading

PLAUSIBLE: Final = frozenset({OK, WRAP, RESET_SIGNALLED})   # what data quality calls accurate (domain 4.6)


class Reading(NamedTuple):
    """A reading that was accepted or waits for confirmation: time, ns UTC, and raw value."""

    t: int
    raw: int


class Counter:
    """One cumulative counter.

    `bits` is the width of its register, `None` for counters that never roll over (64 bits, floats);
    `modulus` is at how many it begins again, if that is no power of two, as in decimal registers;
    `max_rate` the most it can grow in a second, `None` if nobody knows, in which case every rise
    counts and a drop never is a roll-over; `jitter` the largest step back that means nothing;
    `room` how much may come at once, however short the time.
    """

    def __init__(
        self,
        bits: int | None,
        max_rate: Fraction | float | str | None = None,
        jitter: int = 2,
        *,
        modulus: int | None = None,
        room: int = 1,
    ) -> None:
        if bits is not None and bits <= 0:
            raise ValueError("a register has at least one bit")
        self.bits = bits
        self.modulus = 1 << bits if modulus is None and bits is not None else modulus
        self.room = room
        self.max_rate = None if max_rate is None else Fraction(str(max_rate))
        self.jitter = jitter
        self.since: int | None = None           # the increment last fed fell into (since, t], ns
        self.waited: Reading | None = None      # of that, `raw` pieces had shown by `t`, in the reading that waited
        self._last: Reading | None = None       # the high-water mark
        self._pending: Reading | None = None

    def feed(self, t_ns: int, raw: int, reset_signal: bool = False) -> tuple[int, str]:
        """The pieces since the reading before, and how that was decided. Old readings change nothing."""
        now = Reading(t_ns, raw)
        self.waited = None
        last, pending = self._last, self._pending
        if last is None:
            return self._accept(now, t_ns, 0, BASELINE)
        if t_ns <= (pending or last).t:
            return 0, IGNORED
        if reset_signal:
            return self._accept(now, last.t, raw, RESET_SIGNALLED)
        if self._may_have_gone_round(last, now):
            return self._accept(now, last.t, 0, AMBIGUOUS_WRAP)
        return self._judge(last, now) if pending is None else self._resolve(last, pending, now)

    @property
    def memory(self) -> tuple[Reading | None, Reading | None]:
        """All it remembers, to be given back later."""
        return self._last, self._pending

    @memory.setter
    def memory(self, memory: tuple[Reading | None, Reading | None]) -> None:
        self._last, self._pending = memory

    @property
    def known_at(self) -> int:
        """The time of the last reading, ns UTC; before all times without one."""
        last = self._pending or self._last
        return -(1 << 63) if last is None else last.t

    @property
    def rules(self) -> list[str | int | None]:
        """What two counters must have in common to count alike."""
        return [self.bits, str(self.max_rate), self.jitter]

    def lose(self) -> None:
        """It cannot be read from here on; a register that only grows tells the pieces all the same, later."""

    def hold(self, until_ns: int) -> None:
        """The register is known not to have moved from the last reading up to `until_ns`."""
        if self._last is not None and self._pending is None and until_ns > self._last.t:
            self._last = Reading(until_ns, self._last.raw)

    def snapshot(self) -> dict[str, list[int] | None]:
        """JSON-safe memory of the counter."""
        return {"last": list(self._last) if self._last else None,
                "pending": list(self._pending) if self._pending else None}

    def restore(self, data: Mapping[str, list[int] | None]) -> None:
        """Go on where a snapshot was taken."""
        last, pending = data.get("last"), data.get("pending")
        self._last = Reading(*last) if last else None
        self._pending = Reading(*pending) if pending else None

    def _accept(self, now: Reading, since: int, increment: int, flag: str) -> tuple[int, str]:
        self._last, self._pending, self.since = now, None, since
        return increment, flag

    def _judge(self, last: Reading, now: Reading) -> tuple[int, str]:
        step = self._step(last, now)
        if step is None:
            self._pending = now
            return 0, PENDING
        increment, flag = step
        if flag == JITTER:
            return step
        return self._accept(now, last.t, increment, flag)

    def _resolve(self, last: Reading, pending: Reading, now: Reading) -> tuple[int, str]:
        """Two stories: the old series goes on, or the pending reading began a new one."""
        if (old := self._step(last, now)) is not None:
            kept = last if old[1] == JITTER else now
            if last.raw < pending.raw <= now.raw:   # no glitch: it came in less time than it was made in
                self.waited = Reading(pending.t, pending.raw - last.raw)
            return self._accept(kept, last.t, old[0], GLITCH_DISCARDED)
        new = self._step(pending, now)
        if new is None:
            self._pending = now
            return 0, PENDING
        kept = pending if new[1] == JITTER else now
        if pending.raw < last.raw and self._is_plausible(now.raw, now.t - last.t):
            return self._accept(kept, last.t, kept.raw, RESET_CONFIRMED)
        return self._accept(kept, pending.t, new[0], REBASED)

    def _step(self, before: Reading, now: Reading) -> tuple[int, str] | None:
        """Increment and flag if `now` can follow `before` in one series, else `None`."""
        delta, elapsed = now.raw - before.raw, now.t - before.t
        if delta >= 0:
            return (delta, OK) if self._is_plausible(delta, elapsed) else None
        if -self.jitter <= delta:
            return 0, JITTER
        if self.modulus is None or self.max_rate is None:
            return None
        wrapped = delta + self.modulus
        return (wrapped, WRAP) if wrapped >= 0 and self._is_plausible(wrapped, elapsed) else None

    def _is_plausible(self, increment: int, elapsed: int) -> bool:
        """`increment <= max_rate x elapsed + room`, in integers."""
        rate = self.max_rate
        if rate is None:
            return True
        return (increment - self.room) * rate.denominator * SECOND <= rate.numerator * elapsed

    def _may_have_gone_round(self, last: Reading, now: Reading) -> bool:
        rate = self.max_rate
        if self.modulus is None or rate is None:
            return False
        return rate.numerator * (now.t - last.t) >= rate.denominator * SECOND * self.modulus
