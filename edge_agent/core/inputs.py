"""What the inputs of a machine's state have told, and what they mean together at each instant.

Samples may come late, shuffled and repeated: an instant holds what was told just then and what follows
from it, and a late sample makes everything anew from its instant on, up to where nothing changes any more.
So the last `REMEMBERED` samples mean the same in whatever order they came. Of what is older only what it
has led to is kept.

A restart breaks the thread: whatever an input tells first then, it tells after the agent was away.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from edge_agent.core.dwell import Step
from edge_agent.core.meaning import Sample, Told, Unknown, known, means
from edge_agent.core.models import Need, StateModel, Value
from edge_agent.core.quality import reason_name
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Tag
from edge_agent.core.timeline import rank

# Samples kept to put late ones between: more than any server's queue holds.
REMEMBERED: Final = 256

AWAY: Final = "AGENT_DOWN"
_BEGINNING: Final = -(1 << 63)

Row = tuple[int, int, Sample]
"""Time, position of the input, sample."""


@dataclass(slots=True)
class Instant:
    """`told` is what came just then, `values` what holds from then on, `memory` what the model makes of it."""

    time: int
    told: Told
    values: Told = ()
    memory: Any = ""
    state: MachineState = MachineState.UNKNOWN
    reason: str = ""
    steps: tuple[Step, ...] = ()    # for `core.lasting`: what it has brought to light


class Inputs:
    """The inputs of one machine: `tags` by role, for a model that has those roles."""

    exact: frozenset[int] = frozenset()
    """inputs (positions) that want numbers with their fractions, as texts; the others want codes"""

    def __init__(self, model: StateModel, tags: Mapping[str, Tag]) -> None:
        self._model = model
        self._inputs = [one for one in model.inputs if one.role in tags]
        self._tags = [tags[one.role] for one in self._inputs]
        self.positions: dict[int, list[int]] = {}       # of a tag in its table → of its inputs here
        for at, tag in enumerate(self._tags):
            self.positions.setdefault(tag.position, []).append(at)
        self._nothing: Told = (None,) * len(self._inputs)
        self._start = Instant(_BEGINNING, self._nothing, self._nothing)    # the last that is not kept
        self._instants: list[Instant] = []
        self._newest = [-1] * len(self._inputs)
        self._away: set[int] = set()                    # inputs that have told nothing since the agent was away

    @property
    def is_one(self) -> bool:
        """Whether there is one input only: then all that matters is in the state."""
        return len(self._inputs) == 1

    @property
    def now(self) -> tuple[Told, str]:
        """What holds now: what a restart must know."""
        last = self._instants[-1] if self._instants else self._start
        return last.values, last.memory

    def told(self) -> Iterator[tuple[Tag, Value]]:
        """The inputs whose values are known now."""
        for tag, value in zip(self._tags, self.now[0], strict=True):
            if value is not None and not isinstance(value, Unknown):
                yield tag, value

    @staticmethod
    def sample(value: Value | None, quality: int) -> Sample:
        """A sample of an input; `value` is None where it cannot be used."""
        return Unknown(reason_name(quality).upper()) if value is None else value

    def deciding(self) -> list[Tag]:
        """The tags on which the present state rests: unless they change, neither does it, but for its reason."""
        if self.is_one:
            return self._tags
        values, _ = self.now
        return [
            tag
            for tag, one, value in zip(self._tags, self._inputs, values, strict=True)
            if one.need is not Need.DETAIL and value is not None and not isinstance(value, Unknown)
        ]

    # -- samples in --------------------------------------------------------------------------

    def take(self, rows: list[Row]) -> Iterator[list[Step]]:
        """Take samples in any order; for each instant told of, what holds from then on, as far as it is new.

        The first of these steps is at that instant; the others are later ones whose meaning follows from it.
        """
        for time, told in self._by_instant(rows):
            if self._is_repeated(time, told):
                last = self._instants[-1]
                yield [(time, last.state, last.reason)]
            elif (place := self._place(time, told)) is not None:
                yield self._anew(place)
            self._forget()

    def _by_instant(self, rows: list[Row]) -> Iterator[tuple[int, list[tuple[int, Sample]]]]:
        if len(rows) > 1 and not self.is_one:
            # Else what the others have told meanwhile would be judged by what is no longer so.
            rows.sort(key=itemgetter(0))
            rows = sorted(((self._when(time, at), at, sample) for time, at, sample in rows), key=itemgetter(0))
            for time, group in groupby(rows, key=itemgetter(0)):
                yield time, [(at, sample) for _, at, sample in group]
            return
        for time, at, sample in rows:
            yield self._when(time, at), [(at, sample)]

    def _is_repeated(self, time: int, told: list[tuple[int, Sample]]) -> bool:
        """Whether nothing has changed, as mostly; then the instant has its place already."""
        last = self._instants[-1] if self._instants else self._start
        if time <= last.time:
            return False
        here = list(self._nothing)
        for at, sample in told:
            if last.values[at] != sample or here[at] is not None:
                return False
            here[at] = sample
        for at, _ in told:
            self._newest[at] = time
        self._instants.append(Instant(time, tuple(here), last.values, last.memory, last.state, last.reason))
        return True

    def _when(self, time: int, at: int) -> int:
        """The instant a sample counts at; see the head of the file."""
        if at in self._away:
            if time > self._newest[at]:
                self._away.discard(at)
            else:
                time = self._newest[at] = self._newest[at] + 1
        return time

    def _place(self, time: int, told: list[tuple[int, Sample]]) -> int | None:
        """Put samples into their instant; its place, or None if they are too late to matter."""
        instants = self._instants
        if time <= self._start.time and not self.is_one:
            # Nothing is left to put it between; but what is the newest of its input all the same holds now.
            told = [(at, sample) for at, sample in told if time >= self._newest[at]]
            if not told:
                return None
            time = instants[0].time if instants else self._start.time + 1
        place = bisect_left(instants, time, key=lambda instant: instant.time)
        if place == len(instants) or instants[place].time != time:
            instants.insert(place, Instant(time, self._nothing))
        merged = list(instants[place].told)
        for at, sample in told:
            merged[at] = self._heavier(at, merged[at], sample)
            self._newest[at] = max(self._newest[at], time)
        instants[place].told = tuple(merged)
        return place

    def _anew(self, place: int) -> list[Step]:
        """Work out what holds from the instant at `place` on, up to where nothing changes."""
        steps: list[Step] = []
        for at in range(place, len(self._instants)):
            instant, before = self._instants[at], self._instants[at - 1] if at else self._start
            values = tuple(old if new is None else new for new, old in zip(instant.told, before.values, strict=True))
            memory = before.memory
            state, reason = means(self._model, self._inputs, values, memory)
            memory = self._model.remember(known(self._inputs, values), memory)
            same = (values, memory, state, reason) == (instant.values, instant.memory, instant.state, instant.reason)
            instant.values, instant.memory, instant.state, instant.reason = values, memory, state, reason
            steps.append((instant.time, state, reason))
            if same and at > place:
                break
        return steps

    def _heavier(self, at: int, one: Sample | None, other: Sample) -> Sample:
        """Which of two samples of one input at one instant counts, whichever came first."""
        if one is None or one == other:
            return other
        return max(one, other, key=lambda sample: self._weight(at, sample))

    def _weight(self, at: int, sample: Sample) -> tuple[Any, ...]:
        """As the timeline has it for states, by what the sample means alone; else any rule will do."""
        alone = (*self._nothing[:at], sample, *self._nothing[at + 1 :])
        state, reason = means(self._model, self._inputs, alone, "")
        return rank(state), reason, isinstance(sample, Unknown), isinstance(sample, str), sample

    def _forget(self) -> None:
        if len(self._instants) >= 2 * REMEMBERED:
            self._start = self._instants[-REMEMBERED - 1]
            del self._instants[:-REMEMBERED]

    def confirm(self, time: int) -> list[Step]:
        """Nothing has changed up to `time`: what follows from that. Here nothing does."""
        return []

    def accept(self, since: int) -> list[Step]:
        """A state that begins at `since` is believed: what follows from that. Here nothing does."""
        return []

    def since(self) -> int:
        """From when on the present state is remembered without a change."""
        last = self._instants[-1]
        found = last.time
        for instant in reversed(self._instants):
            if (instant.state, instant.reason) != (last.state, last.reason):
                break
            found = instant.time
        return found

    # -- restarts ----------------------------------------------------------------------------

    def was_away(self, since: int) -> None:
        """Nothing is known from `since` on until the inputs tell again; those that may be missing may be gone."""
        _, memory = self.now
        values = tuple(Unknown(AWAY) if one.need is Need.KEY else None for one in self._inputs)
        self._begin(Instant(since, values, values, memory, MachineState.UNKNOWN, AWAY))
        self._newest = [since] * len(self._inputs)
        self._away = set(range(len(self._inputs)))

    def _begin(self, start: Instant) -> None:
        self._start, self._instants = start, []
        self._newest, self._away = [-1] * len(self._inputs), set()

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe: what holds now, and what the model knew before the last instant."""
        values, _ = self.now
        told = {
            one.role: [tag.id, time, [value.reason] if isinstance(value, Unknown) else value]
            for one, tag, time, value in zip(self._inputs, self._tags, self._newest, values, strict=True)
            if value is not None
        }
        before = self._instants[-2] if len(self._instants) > 1 else self._start
        return {"told": told, "memory": before.memory}

    def restore(self, snapshot: Mapping[str, Any], time: int) -> None:
        """Take up where `snapshot` was made, with its newest sample at `time`; an input whose tag is another
        now begins afresh."""
        self._begin(Instant(_BEGINNING, self._nothing, self._nothing))
        values: list[Sample | None] = list(self._nothing)
        for at, (one, tag) in enumerate(zip(self._inputs, self._tags, strict=True)):
            tag_id, told_at, value = snapshot.get("told", {}).get(one.role, (None, -1, None))
            if tag_id == tag.id:
                values[at] = Unknown(*value) if isinstance(value, list) else value
                self._newest[at] = told_at
        if any(value is not None for value in values):
            last = zip(values, self._newest, strict=True)
            self._start = Instant(time - 1, self._nothing, tuple(values), str(snapshot["memory"]))
            self._instants = [Instant(time, tuple(value if told_at == time else None for value, told_at in last))]
            self._anew(0)
