"""Pace: RUN or IDLE from the strokes of a machine that tells no state (domain 2.4, 3.5).

While strokes come, it runs. If none has come for `gap_ns`, it has stood since the last one's following stroke would
have been done: short stops are found that no state tells of, and whether one is a micro-stop the ledger decides like
for any other. When strokes come again it runs from then on; several that are read at once were made one after the
other just before.

A stop is certain when the time has passed, be it at the next sample or because nothing has changed up to now. Which of
the two does not matter, for it begins at the same instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from edge_agent.core.dwell import Step
from edge_agent.core.meaning import Told, Unknown
from edge_agent.core.models import Input, Need
from edge_agent.core.states import MachineState

IDLE, RUN, UNKNOWN = MachineState.IDLE, MachineState.RUN, MachineState.UNKNOWN

# A register may step back by so much without having been reset, as in `core.counters`.
_JITTER: Final = 2
_INPUTS: Final = (Input("count", Need.KEY),)


class _Memory(NamedTuple):
    """`value`: of the counter, None if it is not known; `last`: when it was read first, or moved last; the state."""

    value: float | None = None
    last: int = 0
    state: MachineState = UNKNOWN
    reason: str = ""
    since: int = 0


@dataclass(frozen=True, slots=True)
class PaceJudge:
    """The one input `count`: a register of strokes or, with `pulse`, an input that comes on with each.

    stroke_ns  what one stroke takes
    gap_ns     no stroke for longer than this is a stop; longer than a stroke, and than two readings
    """

    stroke_ns: int
    gap_ns: int
    pulse: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.stroke_ns < self.gap_ns:
            raise ValueError("a gap is longer than a stroke")

    @property
    def inputs(self) -> Sequence[Input]:
        """The counter."""
        return _INPUTS

    @property
    def lag_ns(self) -> int:
        """See `Judge`."""
        return self.gap_ns + 1

    def begin(self, values: Told, reason: str = "", before: object = None) -> _Memory:
        """Nothing of the past matters: the next reading is the first."""
        return _Memory(reason=reason)

    def advance(self, memory: _Memory, time: int) -> tuple[_Memory, list[Step]]:
        """See `Judge`."""
        if memory.value is None or memory.state is IDLE or time - memory.last <= self.gap_ns:
            return memory, []
        since = memory.last + (self.stroke_ns if memory.state is RUN else 0)
        return memory._replace(state=IDLE, reason="", since=since), [(since, IDLE, "")]

    def apply(self, memory: _Memory, time: int, told: Told) -> tuple[_Memory, list[Step]]:
        """See `Judge`."""
        memory, steps = self.advance(memory, time)
        sample = told[0]
        if sample is None:
            return memory, steps
        if isinstance(sample, (Unknown, str)):
            reason = sample.reason if isinstance(sample, Unknown) else "NOT_A_NUMBER"
            if (memory.state, memory.reason) != (UNKNOWN, reason):
                steps.append((time, UNKNOWN, reason))
            return _Memory(reason=reason, since=time), steps
        if memory.value is None:
            return memory._replace(value=sample, last=time), steps
        strokes = self._strokes(memory.value, sample)
        if not strokes:
            return memory._replace(value=sample if self.pulse else max(sample, memory.value)), steps
        if memory.state is RUN:
            return memory._replace(value=sample, last=time), steps
        since = self._began(memory, time, round(strokes))
        return _Memory(sample, time, RUN, "", since), [*steps, (since, RUN, "")]

    def _began(self, memory: _Memory, time: int, strokes: int) -> int:
        """When it began to make these strokes; after a stop the time of one is already in what came before that."""
        stood = memory.state is IDLE and memory.since > memory.last
        # At most as many as fit into what cannot be told apart from a stop.
        took = min((strokes - stood) * self.stroke_ns, self.gap_ns)
        return max(time - took, memory.since if memory.state is IDLE else memory.last)

    def _strokes(self, before: float, now: float) -> float:
        if self.pulse:
            return int(bool(now) and not before)
        if now < before:
            return int(before - now > _JITTER)      # it went round, or was reset, and has counted since
        return now - before

    def lasting(self, memory: _Memory) -> object:
        """The state; a restart loses sight of the strokes anyway."""
        return memory.state, memory.reason

    def keep(self, memory: _Memory) -> list[Any]:
        """See `Judge`."""
        return [memory.value, memory.last, int(memory.state), memory.reason, memory.since]

    def recall(self, kept: list[Any]) -> _Memory:
        """See `Judge`."""
        value, last, state, reason, since = kept
        return _Memory(value, int(last), MachineState(state), str(reason), int(since))
