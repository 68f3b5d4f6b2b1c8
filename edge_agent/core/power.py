"""Power signature: OFF, IDLE or RUN from the active power of a machine that says nothing else (domain 3.7).

A Schmitt trigger of three levels with dwell: a new state must last `dwell` and counts from its first
sample on; any change of mind on the way starts the dwell again.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.core.states import MachineState

OFF, IDLE, RUN = MachineState.OFF, MachineState.IDLE, MachineState.RUN


@dataclass(frozen=True, slots=True)
class PowerLevels:
    """Thresholds in watts and the dwell in ns. Between a pair of thresholds the state stays."""

    off_low: float
    off_high: float
    run_low: float
    run_high: float
    dwell_ns: int = 5_000_000_000

    def __post_init__(self) -> None:
        if not self.off_low <= self.off_high <= self.run_low <= self.run_high:
            raise ValueError("thresholds must rise: off_low, off_high, run_low, run_high")


class PowerState:
    """Feed it samples in time order; it tells of state changes, back-dated to when they began."""

    def __init__(self, levels: PowerLevels) -> None:
        self.levels = levels
        self.state: MachineState | None = None
        self._candidate: tuple[int, MachineState] | None = None

    def feed(self, t_ns: int, watts: float) -> tuple[int, MachineState] | None:
        """The state entered and since when, once it has dwelt. The first sample decides alone."""
        if self.state is None:
            self.state = self._level(watts, OFF)
            return t_ns, self.state
        seen = self._level(watts, self.state)
        if seen is self.state:
            self._candidate = None
            return None
        if self._candidate is None or self._candidate[1] is not seen:
            self._candidate = t_ns, seen
        since, _ = self._candidate
        if t_ns - since < self.levels.dwell_ns:
            return None
        self.state, self._candidate = seen, None
        return since, seen

    def _level(self, watts: float, now: MachineState) -> MachineState:
        at = self.levels
        if watts > at.run_high or (now is RUN and watts >= at.run_low):
            return RUN
        if watts > at.off_high or (now is not OFF and watts >= at.off_low):
            return IDLE
        return OFF
