"""Power signature: OFF, IDLE or RUN from the active power of a machine that says nothing else (domain 3.7).

A reading holds until the next one. Spikes are taken out by the median of three: the power at an instant, and
some time before and after it. Then a Schmitt trigger of three levels, with dwell: a new state must last and counts
from its first crossing on; any change of mind on the way starts the dwell again.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from edge_agent.core.dwell import Dwell, Step, recalled
from edge_agent.core.meaning import Sample, Told, Unknown
from edge_agent.core.models import Input, Need
from edge_agent.core.states import MachineState

OFF, IDLE, RUN = MachineState.OFF, MachineState.IDLE, MachineState.RUN
UNKNOWN: Final = MachineState.UNKNOWN
ENERGISED: Final = "ENERGISED"
"""The reason of UNKNOWN where the thresholds tell only that the machine is not off."""

# Readings kept for the median; a meter read faster than this many times in it loses the oldest.
_POINTS: Final = 64


@dataclass(frozen=True, slots=True)
class PowerLevels:
    """Thresholds in the unit of the meter; between a pair of them the state stays.

    Without `off` the machine is never OFF, without `run` nobody knows whether it is IDLE or RUN. At least one.
    """

    off: tuple[float, float] | None
    run: tuple[float, float] | None
    dwell_ns: int = 5_000_000_000
    median_ns: int = 0

    def __post_init__(self) -> None:
        edges = [*(self.off or ()), *(self.run or ())]
        if not edges or edges != sorted(edges):
            raise ValueError("thresholds must rise: off (low, high), run (low, high)")

    def level(self, power: float, now: MachineState) -> MachineState:
        """The state that `power` tells where it is `now`; UNKNOWN counts as the lowest there is."""
        off_low, off_high = self.off or (-math.inf, -math.inf)
        run_low, run_high = self.run or (math.inf, math.inf)
        if power > run_high or (now is RUN and power >= run_low):
            return RUN
        above = now is IDLE or now is RUN
        return IDLE if power > off_high or (above and power >= off_low) else OFF


class _Memory(NamedTuple):
    """`points`: times and readings of late, `done`: up to where their median is worked out; `dwell`: of the trigger."""

    points: tuple[tuple[int, float], ...] = ()
    done: int = -(1 << 63)
    dwell: Dwell = Dwell()


@dataclass(frozen=True, slots=True)
class PowerJudge:
    """The one input `power`; see the head of the file, and `core.judges.Judge`."""

    levels: PowerLevels

    @property
    def inputs(self) -> Sequence[Input]:
        """The meter."""
        return _INPUTS

    @property
    def lag_ns(self) -> int:
        """See `Judge`."""
        return self.levels.median_ns + self.levels.dwell_ns

    def begin(self, values: Told, reason: str = "", before: object = None) -> _Memory:
        """Nothing of the past matters."""
        return _Memory(dwell=Dwell(UNKNOWN, reason))

    def advance(self, memory: _Memory, time: int) -> tuple[_Memory, list[Step]]:
        """See `Judge`."""
        return self._advanced(memory, time, time - self.levels.median_ns)

    def apply(self, memory: _Memory, time: int, told: Told) -> tuple[_Memory, list[Step]]:
        """See `Judge`. Before the meter is lost, what cannot be compared with what would follow counts as it is."""
        sample = told[0]
        if sample is None:
            return self.advance(memory, time)
        power = _power(sample)
        if power is None:
            memory, steps = self._advanced(memory, time, time)
            reason = sample.reason if isinstance(sample, Unknown) else "NOT_A_NUMBER"
            if (memory.dwell.state, memory.dwell.reason) != (UNKNOWN, reason):
                steps.append((time, UNKNOWN, reason))
            return _Memory(done=time, dwell=Dwell(UNKNOWN, reason)), self._said(steps)
        memory, steps = self.advance(memory, time)
        if not memory.points or memory.points[-1][1] != power:
            points = (*memory.points, (time, power))[-_POINTS:]
            memory = memory._replace(points=points, done=memory.done if memory.points else time - 1)
        if not self.levels.median_ns:
            memory, more = self._advanced(memory, time + 1, time)
            steps += more
        return memory, steps

    def lasting(self, memory: _Memory) -> object:
        """What the trigger says, and what the latest reading would have it say; the many others change nothing."""
        return memory.dwell, memory.points and self.levels.level(memory.points[-1][1], memory.dwell.state)

    def keep(self, memory: _Memory) -> list[Any]:
        """See `Judge`."""
        return [[list(point) for point in memory.points], memory.done, list(memory.dwell)]

    def recall(self, kept: list[Any]) -> _Memory:
        """See `Judge`."""
        points, done, dwell = kept
        return _Memory(tuple((int(t), float(power)) for t, power in points), int(done), recalled(dwell))

    # -- median, then trigger -------------------------------------------------------------------

    def _advanced(self, memory: _Memory, time: int, certain: int) -> tuple[_Memory, list[Step]]:
        """The median up to `certain`; what is behind `time` is not compared with."""
        points, gap, dwell = memory.points, self.levels.median_ns, memory.dwell
        if not points:
            return memory, []
        steps: list[Step] = []
        done = memory.done
        times = [t for t, _ in points]
        for at in sorted({t + by for t in times for by in {-gap, 0, gap}}):
            if done < at <= certain and times[0] <= at < time:
                dwell = self._crossed(dwell, at, _median(points, times, at, gap, time), steps)
                done = at
        dwell, settled = dwell.settle(self.levels.dwell_ns, certain)
        steps += settled
        keep = max(0, bisect_right(times, done - gap) - 1)
        return _Memory(points[keep:], done, dwell), self._said(steps)

    def _crossed(self, dwell: Dwell, time: int, power: float, steps: list[Step]) -> Dwell:
        """The trigger, at `time`. The first reading decides alone."""
        dwell, settled = dwell.settle(self.levels.dwell_ns, time)
        steps += settled
        level = self.levels.level(power, dwell.state)
        dwell, settled = dwell.put(self.levels.dwell_ns if dwell.state is not UNKNOWN else 0, time, level, "")
        steps += settled
        return dwell

    def _said(self, steps: list[Step]) -> list[Step]:
        """What the trigger says, as far as the thresholds can tell."""
        if self.levels.run is not None:
            return steps
        return [(t, UNKNOWN, ENERGISED) if state is IDLE else (t, state, reason) for t, state, reason in steps]


_INPUTS: Final = (Input("power", Need.KEY),)


def _power(sample: Sample) -> float | None:
    """A reading; None where it is none. Numbers that are not whole come as texts of their digits."""
    if isinstance(sample, Unknown):
        return None
    try:
        power = float(sample)
    except ValueError:
        return None
    return power if math.isfinite(power) else None


def _median(points: Sequence[tuple[int, float]], times: list[int], at: int, gap: int, time: int) -> float:
    """The middle one of the power at `at`, and `gap` before and after it; what is not known is taken as at `at`."""
    here = points[bisect_right(times, at) - 1][1]
    if not gap:
        return here
    earlier = bisect_right(times, at - gap) - 1
    before = points[earlier][1] if earlier >= 0 else here
    after = points[bisect_right(times, at + gap) - 1][1] if at + gap < time else here
    return sorted((before, here, after))[1]
