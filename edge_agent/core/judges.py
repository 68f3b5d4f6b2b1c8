"""Judges: what samples mean where it matters how long they last.

A judge folds samples into a memory, in the order of their times, and tells of a state once it is certain, from
when on it has held. It has no clock: that time has passed it learns from the next sample, or from being told
that the inputs have not changed up to then. So what it finds depends on the samples alone, not on when they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from edge_agent.core.dwell import Dwell, Step, recalled
from edge_agent.core.meaning import Sample, Told, Unknown, known, means
from edge_agent.core.models import Input, StateModel, Value
from edge_agent.core.states import MachineState

Memory = Any
"""What a judge knows of the past; immutable, compared with ==."""


class Judge(Protocol):
    """What `core.lasting` needs of one."""

    @property
    def inputs(self) -> Sequence[Input]:
        """The inputs, in the order of `Told`."""
        ...

    @property
    def lag_ns(self) -> int:
        """So long after a state has begun it is certain at the latest."""
        ...

    def advance(self, memory: Memory, time: int) -> tuple[Memory, list[Step]]:
        """Nothing changes before `time`."""
        ...

    def apply(self, memory: Memory, time: int, told: Told) -> tuple[Memory, list[Step]]:
        """What happens until `time`, and what is told then."""
        ...

    def begin(self, values: Told, reason: str = "", before: Memory = None) -> Memory:
        """A memory in which `values` hold and the state is UNKNOWN for `reason`, after a break behind `before`."""
        ...

    def lasting(self, memory: Memory) -> object:
        """The part of a memory that must not be lost when the agent ends."""
        ...

    def keep(self, memory: Memory) -> list[Any]:
        """The memory, JSON-safe."""
        ...

    def recall(self, kept: list[Any]) -> Memory:
        """The memory that was kept. ValueError, TypeError or IndexError for what is none of this judge's."""
        ...


class Watch(Protocol):
    """How an input is looked at: what the model sees instead of its values. `changes`: when they changed, lately."""

    def level(self, value: Value) -> Value:
        """The value in the form in which it is compared."""
        ...

    def noted(self, changes: tuple[int, ...], time: int, first: bool) -> tuple[int, ...]:
        """The changes with one more, which is none if it is the `first` value."""
        ...

    def shown(self, level: Value, changes: tuple[int, ...], time: int) -> Value:
        """What the model sees at `time`."""
        ...

    def due(self, changes: tuple[int, ...]) -> int | None:
        """When that changes next although the value does not; a time that has passed does not count."""
        ...


class Lane(NamedTuple):
    """One input: its level and when that changed; `seen`: another level since `since`, not believed yet."""

    level: Sample | None = None
    changes: tuple[int, ...] = ()
    seen: Value | None = None
    since: int = 0


class _Memory(NamedTuple):
    lanes: tuple[Lane, ...]
    model: str = ""
    dwell: Dwell = Dwell()
    done: int = -(1 << 63)      # up to where changes and what is due are worked out


@dataclass(frozen=True)
class RolesJudge:
    """A model whose inputs are watched, and whose states have to dwell.

    roles        the inputs there are, by role
    watches      role → how it is looked at, where not as it is
    debounce_ns  an input's change counts once it has lasted so long, then from its start
    dwell_ns     a new state, likewise
    """

    model: StateModel
    roles: tuple[str, ...]
    watches: Mapping[str, Watch] = field(default_factory=dict)
    debounce_ns: int = 0
    dwell_ns: int = 0

    @cached_property
    def inputs(self) -> Sequence[Input]:
        """Those of the model that there are."""
        return [one for one in self.model.inputs if one.role in self.roles]

    @property
    def lag_ns(self) -> int:
        """See `Judge`."""
        return self.debounce_ns + self.dwell_ns

    @cached_property
    def _watches(self) -> list[Watch | None]:
        return [self.watches.get(one.role) for one in self.inputs]

    def begin(self, values: Told, reason: str = "", before: _Memory | None = None) -> _Memory:
        """What the model remembers outlives a break."""
        lanes = tuple(Lane(value) for value in values)
        return _Memory(lanes, before.model if before else "", Dwell(MachineState.UNKNOWN, reason))

    def advance(self, memory: _Memory, time: int) -> tuple[_Memory, list[Step]]:
        """See `Judge`."""
        steps: list[Step] = []
        certain = time - self.debounce_ns
        while (at := self._next(memory, certain, time)) is not None:
            lanes = [
                self._moved(n, lane, lane.seen, at) if lane.seen is not None and lane.since == at else lane
                for n, lane in enumerate(memory.lanes)
            ]
            memory = self._judged(memory._replace(lanes=tuple(lanes)), at, steps)
        dwell, settled = memory.dwell.settle(self.dwell_ns, certain)
        return memory._replace(dwell=dwell), steps + settled

    def apply(self, memory: _Memory, time: int, told: Told) -> tuple[_Memory, list[Step]]:
        """See `Judge`. When an input is lost, what the others have changed to holds without more ado."""
        memory, steps = self.advance(memory, time)
        at_once = not self.debounce_ns or any(isinstance(sample, Unknown) for sample in told)
        lanes = tuple(
            self._told(n, lane, sample, time, at_once)
            for n, (lane, sample) in enumerate(zip(memory.lanes, told, strict=True))
        )
        if lanes == memory.lanes:
            return memory, steps
        memory = memory._replace(lanes=lanes)
        return (self._judged(memory, time, steps) if at_once else memory), steps

    def lasting(self, memory: _Memory) -> object:
        """All of it: it changes when an input does."""
        return memory.lanes, memory.model, memory.dwell

    def keep(self, memory: _Memory) -> list[Any]:
        """See `Judge`."""
        lanes = [
            [list(level) if isinstance(level, Unknown) else level, list(changes), seen, since]
            for level, changes, seen, since in memory.lanes
        ]
        return [lanes, memory.model, list(memory.dwell), memory.done]

    def recall(self, kept: list[Any]) -> _Memory:
        """See `Judge`."""
        told, model, dwell, done = kept
        if len(told) != len(self.inputs):
            raise ValueError("a memory of other inputs")
        lanes = tuple(
            Lane(Unknown(*level) if isinstance(level, list) else level, tuple(changes), seen, since)
            for level, changes, seen, since in told
        )
        return _Memory(lanes, str(model), recalled(dwell), int(done))

    # -- one change after the other ------------------------------------------------------------

    def _next(self, memory: _Memory, certain: int, time: int) -> int | None:
        """The next instant up to `certain`, before `time`, at which something changes."""
        found: list[int] = []
        for n, lane in enumerate(memory.lanes):
            if lane.seen is not None and lane.since <= certain:
                found.append(lane.since)
            watch = self._watches[n]
            due = watch.due(lane.changes) if watch else None
            if due is not None and memory.done < due <= certain and due < time:
                found.append(due)
        return min(found, default=None)

    def _told(self, n: int, lane: Lane, sample: Sample | None, time: int, at_once: bool) -> Lane:
        if sample is None:
            return self._moved(n, lane, lane.seen, time) if at_once and lane.seen is not None else lane
        if isinstance(sample, Unknown):
            return Lane(sample)
        watch = self._watches[n]
        value = watch.level(sample) if watch else sample
        if at_once:
            return self._moved(n, lane, value, time)
        if value == lane.level:
            return lane._replace(seen=None, since=0)
        return lane if value == lane.seen else lane._replace(seen=value, since=time)

    def _moved(self, n: int, lane: Lane, value: Value | None, time: int) -> Lane:
        if value == lane.level:
            return lane._replace(seen=None, since=0)
        watch = self._watches[n]
        first = lane.level is None or isinstance(lane.level, Unknown)
        return Lane(value, watch.noted(lane.changes, time, first) if watch else ())

    def _judged(self, memory: _Memory, time: int, steps: list[Step]) -> _Memory:
        values = tuple(self._shown(n, lane, time) for n, lane in enumerate(memory.lanes))
        state, reason = means(self.model, self.inputs, values, memory.model)
        model = self.model.remember(known(self.inputs, values), memory.model)
        dwell, settled = memory.dwell.put(self.dwell_ns, time, state, reason)
        steps += settled
        return _Memory(memory.lanes, model, dwell, time)

    def _shown(self, n: int, lane: Lane, time: int) -> Sample | None:
        watch = self._watches[n]
        if watch is None or lane.level is None or isinstance(lane.level, Unknown):
            return lane.level
        return watch.shown(lane.level, lane.changes, time)


@dataclass(frozen=True, slots=True)
class Stall:
    """A counter that has stood still for `limit_ns`: the model sees 1, else 0."""

    limit_ns: int

    def level(self, value: Value) -> Value:
        """As it is."""
        return value

    def noted(self, changes: tuple[int, ...], time: int, first: bool) -> tuple[int, ...]:
        """The last one; seen for the first time it counts as just changed."""
        return (time,)

    def shown(self, level: Value, changes: tuple[int, ...], time: int) -> Value:
        """Whether it has stood still for too long."""
        return int(time - changes[-1] >= self.limit_ns)

    def due(self, changes: tuple[int, ...]) -> int | None:
        """When it will have."""
        return changes[-1] + self.limit_ns if changes else None
