"""An energy meter: what the readings of its cumulative register say, also when they come late, twice or in any order.

The register is judged as those of counters are (domain 2.5, `core.register`): it rolls over, is reset, is read
wrongly once. What a reading adds was used at some time since the reading before, so each increment has both
instants. What cannot be known is told: see the marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edge_agent.core import counters
from edge_agent.core.counters import Counter
from edge_agent.core.register import NOTHING, Register, Verdict

KNOWN: Final = 1        # all that was used in (since, time] is in the increment
LOST: Final = 2         # what is in it is only a part: it was reset, preset, or unread for too long
GONE: Final = 3         # unreadable from `time` on
EVER: Final = -(1 << 62)
"""The `since` of a first reading: nothing is known of all the time before."""

_UNSURE: Final = frozenset({counters.RESET_CONFIRMED, counters.REBASED, counters.AMBIGUOUS_WRAP})


@dataclass(frozen=True, slots=True)
class MeterSpec:
    """What the configuration says of one meter.

    A value of its tag becomes whole steps, (value - `offset`) / `step`, of `energy` mJ each. `modulus`: after so
    many steps the register begins again; None: never. `rate`: the most steps a second; `room`: so many may come at
    once. `limit`: the most power it can have measured, mW, None if nobody says. `holds`: a value that is not
    reported again is unchanged.
    """

    name: str
    step: float
    offset: float
    energy: Fraction
    modulus: int | None
    rate: Fraction
    room: int = 1
    limit: int | None = None
    holds: bool = True

    def steps(self, value: float) -> int:
        """The register's number behind a value."""
        return round((value - self.offset) / self.step)

    def millijoules(self, steps: int) -> int:
        """The energy of so many steps; exact unless a step is no whole mJ."""
        one = self.energy
        return (2 * steps * one.numerator + one.denominator) // (2 * one.denominator)

    def same_as(self) -> list[object]:
        """What makes the register the same one after a change of the configuration, JSON-safe."""
        return [self.name, self.step, self.offset]


class Meter(Register):
    """The live side of a `MeterSpec`; increments are steps."""

    def __init__(self, spec: MeterSpec, silence_ns: int) -> None:
        counter = Counter(None, spec.rate, jitter=0, modulus=spec.modulus, room=spec.room)
        super().__init__(counter, silence_ns if spec.holds else 1 << 62)
        self.spec = spec

    def _judge(self, time: int, raw: int | None) -> Verdict:
        if self.gap is None:
            self.counter.hold(time - self._silence)
        if raw is None:
            if self.gap is not None:
                return NOTHING
            self.gap = time
            return Verdict(0, time, GONE)
        before = self.counter.memory[0]
        increment, flag = self.counter.feed(time, raw)
        if flag in (counters.PENDING, counters.IGNORED):
            self.is_news = True     # a restart must know the reading that waits
            return NOTHING
        gap, self.gap = self.gap, None
        if before is None:
            return Verdict(0, EVER, LOST)
        since = before.t if gap is None else max(gap, before.t)
        if flag in _UNSURE:
            return Verdict(increment, since, LOST)
        return Verdict(increment, since, KNOWN) if increment or gap is not None else NOTHING
