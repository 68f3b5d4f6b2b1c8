"""Several sources of one machine's state, and which of them counts (domain 3.1).

What the machine says itself counts before digital inputs, these before a power meter, and any of them before what
is inferred. A source that does not know leaves it to the next. It is worked out anew whenever and from when on a
source tells something else, so it does not matter in which order they tell. What operators say comes before all of
them, and later: see `core.overrides`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from edge_agent.core.dwell import Step
from edge_agent.core.inputs import AWAY, REMEMBERED, Inputs, Row
from edge_agent.core.judges import Judge
from edge_agent.core.lamps import ALL_OFF
from edge_agent.core.lasting import Changes, Known, Lasting
from edge_agent.core.models import UNMAPPED, Value
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Tag

# What a source tells may begin before what another has told: so much of what each has told outlives a restart.
_KEPT: Final = 8

UNKNOWN: Final = MachineState.UNKNOWN
NOTHING: Final[Known] = (UNKNOWN, "")


class Rank(IntEnum):
    """What kind of source it is; the lower counts first."""

    NATIVE = 1      # what the machine says of itself, in whichever words
    DI = 2          # contacts and lamps
    POWER = 3
    INFERRED = 4


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source: its rank, what judges it, its tags by role; `exact`: roles whose fractions matter."""

    rank: Rank
    judge: Judge
    inputs: Mapping[str, Tag]
    exact: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Told:
    """What a source has told: from `times` on it is `known`; before them, `base`."""

    base: Known = NOTHING
    times: list[int] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)

    def at(self, time: int) -> Known:
        place = bisect_right(self.times, time) - 1
        return self.known[place] if place >= 0 else self.base

    def put(self, time: int, known: Known | None) -> None:
        place = bisect_left(self.times, time)
        there = place < len(self.times) and self.times[place] == time
        if known is None:
            if there:
                del self.times[place], self.known[place]
        elif there:
            self.known[place] = known
        else:
            self.times.insert(place, time)
            self.known.insert(place, known)

    def forget(self) -> None:
        """Keep the newest; what is older will not be corrected any more."""
        if len(self.times) >= 2 * REMEMBERED:
            self.base = self.known[-REMEMBERED - 1]
            del self.times[:-REMEMBERED], self.known[:-REMEMBERED]


def which_counts(told: Sequence[tuple[Rank, Known]]) -> Known:
    """The state of the machine, from what its sources tell, in the order of their ranks.

    A fault that the machine itself tells of beats a RUN of any source. A dark stack light is OFF where a power meter
    says so.
    """
    best = next((known for _, known in told if known[0] is not UNKNOWN), None)
    if best is None:
        return next((known for _, known in told if known[1]), NOTHING)
    if best[0] is MachineState.RUN:
        return next((k for r, k in told if r is Rank.NATIVE and k[0] is MachineState.FAULT), best)
    if best == (MachineState.IDLE, ALL_OFF) and any(r is Rank.POWER and k[0] is MachineState.OFF for r, k in told):
        return MachineState.OFF, ALL_OFF
    return best


class Sources:
    """The sources of one machine, as a machine sees its `Inputs`."""

    is_one = False

    def __init__(self, specs: Iterable[SourceSpec]) -> None:
        self._specs = sorted(specs, key=lambda spec: spec.rank)
        self._sources = [Lasting(spec.judge, spec.inputs) for spec in self._specs]
        self._told = [_Told() for _ in self._specs]
        self._instants: list[int] = []      # at which something was told, even if no source tells it any more
        self._inputs: list[tuple[int, int]] = []        # of each input: its source, its position there
        self.positions: dict[int, list[int]] = {}
        exact = set()
        for n, (spec, source) in enumerate(zip(self._specs, self._sources, strict=True)):
            wanted = {spec.inputs[role].position for role in spec.exact}
            for position, places in source.positions.items():
                for at in places:
                    self.positions.setdefault(position, []).append(len(self._inputs))
                    if position in wanted:
                        exact.add(len(self._inputs))
                    self._inputs.append((n, at))
        self.exact = frozenset(exact)

    @property
    def now(self) -> object:
        """What a restart must know."""
        return [source.lasting for source in self._sources]

    @staticmethod
    def sample(value: Value | None, quality: int) -> Any:
        """See `Inputs.sample`."""
        return Inputs.sample(value, quality)

    def deciding(self) -> list[Tag]:
        """The tags on which the present state rests: those whose values are known."""
        return [tag for source in self._sources for tag in source.deciding()]

    # -- samples in --------------------------------------------------------------------------

    def take(self, rows: list[Row]) -> Iterator[list[Step]]:
        """See `Inputs.take`."""
        by_source: dict[int, list[Row]] = {}
        for time, place, sample in rows:
            n, at = self._inputs[place]
            by_source.setdefault(n, []).append((time, at, sample))
        steps = self._merged({n: self._sources[n].corrections(told) for n, told in by_source.items()})
        if not steps and any(told.known and told.known[-1][1] == UNMAPPED for told in self._told):
            steps = [(self._instants[-1], *self._at(self._instants[-1]))]       # no news, but perhaps another value
        yield steps

    def told(self) -> Iterator[tuple[Tag, Value]]:
        """The values that hold now of the sources that do not know what they mean."""
        for source, told in zip(self._sources, self._told, strict=True):
            if told.known and told.known[-1][1] == UNMAPPED:
                yield from source.told()

    def confirm(self, time: int) -> list[Step]:
        """Nothing has changed up to `time`: what follows from that."""
        return self._merged({n: source.confirmed(time) for n, source in enumerate(self._sources)})

    def accept(self, since: int) -> list[Step]:
        """A state that begins at `since` is believed, if one waits to be: what follows from that."""
        return self._merged({n: source.accepted(since) for n, source in enumerate(self._sources)})

    def _merged(self, changes: Mapping[int, Changes]) -> list[Step]:
        """The states of the machine from the first change on, at each instant at which a source tells something."""
        new: set[int] = set()
        for n, changed in changes.items():
            for time, known in changed.items():
                self._told[n].put(time, known)
            new.update(changed)
        if not new:
            return []
        first = bisect_left(self._instants, min(new))
        self._instants[first:] = sorted(new.union(self._instants[first:]))
        steps = [(time, *self._at(time)) for time in self._instants[first:]]
        for told in self._told:
            told.forget()
        del self._instants[: -2 * REMEMBERED]
        return steps

    def _at(self, time: int) -> Known:
        return which_counts([(spec.rank, told.at(time)) for spec, told in zip(self._specs, self._told, strict=True)])

    def since(self) -> int:
        """From when on the present state is remembered without a change."""
        found, last = 0, None
        for time in reversed(self._instants):
            known = self._at(time)
            if last is not None and known != last:
                break
            found, last = time, known
        return found

    # -- restarts ----------------------------------------------------------------------------

    def was_away(self, since: int) -> None:
        """Nothing is known from `since` on until the inputs tell again."""
        self._instants = []
        for n, source in enumerate(self._sources):
            source.was_away(since)
            self._told[n] = _Told((UNKNOWN, AWAY))

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe: what each source has told lately, and what its judge knows."""
        kept = []
        for spec, source, told in zip(self._specs, self._sources, self._told, strict=True):
            before = told.at(told.times[-_KEPT] - 1) if len(told.times) >= _KEPT else told.base
            rows = zip([0, *told.times[-_KEPT:]], [before, *told.known[-_KEPT:]], strict=True)
            lately = [[time, int(state), reason] for time, (state, reason) in rows]
            kept.append({**source.snapshot(), "rank": int(spec.rank), "told": lately})
        return {"sources": kept}

    def restore(self, snapshot: Mapping[str, Any], time: int) -> None:
        """Take up where `snapshot` was made; a source that is another one now begins afresh."""
        kept = {(one["rank"], *one["tags"]): one for one in snapshot.get("sources", ())}
        for n, (spec, source) in enumerate(zip(self._specs, self._sources, strict=True)):
            one = kept.get((int(spec.rank), *(tag.id for tag in source.tags)), {})
            source.restore(one)
            rows = [(since, (MachineState(state), reason)) for since, state, reason in one.get("told", ())]
            self._told[n] = _Told(rows[0][1], [t for t, _ in rows[1:]], [k for _, k in rows[1:]]) if rows else _Told()
        self._instants = sorted({time for told in self._told for time in told.times})
