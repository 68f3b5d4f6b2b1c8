"""Inputs of which it matters how long they last: samples in any order, judged by a `Judge`.

What `core.inputs` does for values that mean something at once, this does for those that must dwell: a late sample
is put between the others, and all behind it is judged anew. A state that a judge tells of may begin before the
sample that made it certain; so what is told are corrections, from an instant on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.core.inputs import AWAY, Inputs, Instant, Row
from edge_agent.core.judges import Judge
from edge_agent.core.meaning import Sample, Told, Unknown
from edge_agent.core.models import Input, Need
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Tag

Known = tuple[MachineState, str]
Changes = dict[int, Known | None]
"""From this instant on another state than was told before; None: no state begins there any more."""

_NEVER: Final = -(1 << 63)


@dataclass(frozen=True, slots=True)
class _Roles:
    """What `Inputs` needs of a model: its inputs."""

    inputs: Sequence[Input]


class Lasting(Inputs):
    """The inputs of one judge."""

    def __init__(self, judge: Judge, tags: Mapping[str, Tag]) -> None:
        super().__init__(_Roles(judge.inputs), tags)  # type: ignore[arg-type]
        self._judge = judge
        self._ahead: list[tuple[int, MachineState, str]] = []   # told because of `_confirmed`, behind the last instant
        self._confirmed = _NEVER
        self._start.memory = judge.begin(self._nothing)

    @property
    def is_one(self) -> bool:
        """Even one input has a past."""
        return False

    @property
    def tags(self) -> list[Tag]:
        """The tags of the inputs, in their order."""
        return self._tags

    @property
    def lasting(self) -> object:
        """What a restart must know."""
        return self._judge.lasting(self._last.memory)

    @property
    def _last(self) -> Instant:
        return self._instants[-1] if self._instants else self._start

    def corrections(self, rows: list[Row]) -> Changes:
        """Take samples in any order; what they change."""
        changes: Changes = {}
        for time, told in self._by_instant(rows):
            place = self._place(time, told)
            if place is not None:
                changes |= self._judged_from(place)
            self._forget()
        return changes

    def confirmed(self, time: int) -> Changes:
        """Nothing has changed up to `time`: what follows from that."""
        if time <= self._confirmed or time <= self._last.time:
            return {}
        self._confirmed = time
        before, self._ahead = self._ahead, self._judge.advance(self._last.memory, time)[1]
        return _difference(before, self._ahead)

    def accepted(self, since: int) -> Changes:
        """A state that begins at `since` is believed, if one waits to be."""
        time = since + self._judge.lag_ns
        if time <= self._confirmed or time <= self._last.time:
            return {}
        found = self._judge.advance(self._last.memory, time)[1]
        return self.confirmed(time) if any(step[0] == since for step in found) else {}

    def _judged_from(self, place: int) -> Changes:
        """Judge the instants from `place` on, up to where nothing changes any more."""
        before: list[tuple[int, MachineState, str]] = []
        after: list[tuple[int, MachineState, str]] = []
        for at in range(place, len(self._instants)):
            instant, last = self._instants[at], self._instants[at - 1] if at else self._start
            memory, found = self._judge.apply(last.memory, instant.time, instant.told)
            values = tuple(old if new is None else new for new, old in zip(instant.told, last.values, strict=True))
            steps = tuple(found)
            same = (values, memory, steps) == (instant.values, instant.memory, instant.steps)
            before += instant.steps
            after += steps
            instant.values, instant.memory, instant.steps = values, memory, steps
            if same and at > place:
                return _difference(before, after)
        before += self._ahead
        self._ahead = self._judge.advance(self._last.memory, self._confirmed)[1] if self._is_ahead else []
        return _difference(before, [*after, *self._ahead])

    @property
    def _is_ahead(self) -> bool:
        return self._confirmed > self._last.time

    def _weight(self, at: int, sample: Sample) -> tuple[Any, ...]:
        """Of two samples of one input at one instant: a loss, then the greater."""
        return isinstance(sample, Unknown), isinstance(sample, str), sample

    # -- restarts ----------------------------------------------------------------------------

    def was_away(self, since: int) -> None:
        """Nothing is known from `since` on until the inputs tell again."""
        before = self._last.memory
        values: Told = tuple(Unknown(AWAY) if one.need is Need.KEY else None for one in self._inputs)
        self._begin(Instant(since, values, values, self._judge.begin(values, AWAY, before)))
        self._newest = [since] * len(self._inputs)
        self._away = set(range(len(self._inputs)))
        self._ahead, self._confirmed = [], _NEVER

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe: all that the judge knows, and when each input was told last."""
        kept = [list(value) if isinstance(value, Unknown) else value for value in self._last.values]
        return {
            "tags": [tag.id for tag in self._tags],
            "time": self._last.time,
            "values": kept,
            "newest": list(self._newest),
            "memory": self._judge.keep(self._last.memory),
        }

    def restore(self, snapshot: Mapping[str, Any], time: int = 0) -> None:
        """Take up where `snapshot` was made; begins afresh where that was of other tags, or of another judge."""
        self._begin(Instant(_NEVER, self._nothing, self._nothing, self._judge.begin(self._nothing)))
        self._ahead, self._confirmed = [], _NEVER
        if snapshot.get("tags") != [tag.id for tag in self._tags]:
            return
        try:
            memory = self._judge.recall(snapshot["memory"])
        except (ValueError, TypeError, IndexError):
            return
        values = tuple(Unknown(*value) if isinstance(value, list) else value for value in snapshot["values"])
        self._begin(Instant(snapshot["time"], self._nothing, values, memory))
        self._newest = list(snapshot["newest"])


def _difference(
    before: Iterable[tuple[int, MachineState, str]], after: Iterable[tuple[int, MachineState, str]]
) -> Changes:
    old, new = ({t: (state, reason) for t, state, reason in steps} for steps in (before, after))
    return {t: new.get(t) for t in {**old, **new} if old.get(t) != new.get(t)}
