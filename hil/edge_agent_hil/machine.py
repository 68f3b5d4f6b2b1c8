"""The model of one machine: a seeded story of states, programs and pieces in simulated time.

The story is a generator that yields events in time order; `advance(until)` tells it up to an
instant. Nothing here knows the real clock, so the same seed and the same start tell the same
story whoever listens and however often.

* A piece takes its product's ideal cycle times a normal factor of mean 1 + `speed_loss`.
* Micro-stops and faults come after so much *run* time, interrupt the piece in the machine and
  last as long as their law says; the piece then goes on.
* A job ends with its last piece; the set-up follows, and half-way through it the next program is
  loaded, so no piece is ever counted within the same scan as a change of program.
* At a planned break a running machine pauses (IDLE, reason `break`); repairs and set-ups go on
  through it, and the machine then waits for its end.
* Whether a piece is scrap is decided when it is finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING

from edge_agent_hil.breaks import Breaks
from edge_agent_hil.law import whole

if TYPE_CHECKING:
    from edge_agent_hil.plant_file import Job, MachineFile, Stops

NEVER = 1 << 62
LOWEST_SPEED_FACTOR = 0.2       # a normal draw far out must not make a piece in no time
RIPPLE = 0.02                   # power while running varies by this much from piece to piece


class State(StrEnum):
    """What the model can be in; the words are those of the site file's state map."""

    IDLE = "IDLE"
    SETUP = "SETUP"
    RUN = "RUN"
    FAULT = "FAULT"


class What(StrEnum):
    """What an event is about."""

    STATE = "state"
    PRODUCT = "product"
    PIECE = "piece"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at `t` (ns UTC, whole µs), with the machine's whole reading after it."""

    t: int
    what: What
    state: State
    reason: str
    product: str
    total: int
    """pieces finished since the start, scrap included"""
    scrap: int
    power: float
    """kW"""
    good: bool = False
    """of the piece, where the event is one"""


class Machine:
    """One simulated machine; `latest` is its reading as of the last `advance`."""

    def __init__(self, name: str, spec: MachineFile, breaks: Breaks, seed: int, start: int) -> None:
        self.spec = spec
        self._breaks = breaks
        self._rng = Random(f"{seed}/{name}")
        self._t = start
        self._state, self._reason = State.IDLE, ""
        self._product = spec.first_product
        self._total = self._scrap = 0
        self._ripple = 1.0
        self._to_micro = self._after(spec.micro_stops)
        self._to_fault = self._after(spec.faults)
        self._break = breaks.current_or_next(start) or (NEVER, NEVER)
        self._story = self._life()
        self.upcoming = next(self._story)
        self.latest = self.upcoming

    def advance(self, until: int) -> list[Event]:
        """Everything that has happened with t ≤ `until` (ns) and was not told yet."""
        told = []
        while self.upcoming.t <= until:
            self.latest = self.upcoming
            told.append(self.latest)
            self.upcoming = next(self._story)
        return told

    def _life(self) -> Iterator[Event]:
        yield self._event(What.PRODUCT)
        yield from self._resume()
        for job, following in self._jobs():
            for _ in range(job.pieces):
                yield from self._piece()
            yield from self._change_over(following.product)

    def _jobs(self) -> Iterator[tuple[Job, Job]]:
        jobs = self.spec.all_jobs
        return zip(cycle(jobs), cycle([*jobs[1:], jobs[0]]), strict=True)

    def _piece(self) -> Iterator[Event]:
        work = self._cycle()
        while work > 0:
            yield from self._interruptions()
            step = min(work, self._to_micro, self._to_fault, self._break[0] - self._t)
            self._t += step
            work -= step
            self._to_micro -= step
            self._to_fault -= step
        good = self._rng.random() >= self.spec.scrap
        self._ripple = self._rng.gauss(1.0, RIPPLE)
        self._total += 1
        self._scrap += not good
        yield self._event(What.PIECE, good)

    def _interruptions(self) -> Iterator[Event]:
        """What is due now: stops in a row, then the break if one is on; nothing else costs no event."""
        stopped = self._t >= self._break[0]
        if self._to_fault <= 0 and self.spec.faults:
            yield from self._stand(State.FAULT, "fault", self.spec.faults.length.draw(self._rng))
            self._to_fault, stopped = self._after(self.spec.faults), True
        if self._to_micro <= 0 and self.spec.micro_stops:
            yield from self._stand(State.IDLE, "micro_stop", self.spec.micro_stops.length.draw(self._rng))
            self._to_micro, stopped = self._after(self.spec.micro_stops), True
        if stopped:
            yield from self._resume()

    def _change_over(self, product: str) -> Iterator[Event]:
        length = self.spec.setup.draw(self._rng) if self.spec.setup else 0
        if length:
            yield from self._stand(State.SETUP, "job_change", whole(length / 2))
        if product != self._product:
            self._product = product
            yield self._event(What.PRODUCT)
        if length:
            self._t += whole(length / 2)
            yield from self._resume()

    def _stand(self, state: State, reason: str, length: int) -> Iterator[Event]:
        yield self._enter(state, reason)
        self._t += length

    def _resume(self) -> Iterator[Event]:
        """Run, or wait for the end of the break that is on and then run."""
        while (span := self._current_break())[0] <= self._t:
            yield self._enter(State.IDLE, "break")
            self._t = span[1]
        yield self._enter(State.RUN, "")

    def _current_break(self) -> tuple[int, int]:
        if self._break[1] <= self._t:
            self._break = self._breaks.current_or_next(self._t) or (NEVER, NEVER)
        return self._break

    def _enter(self, state: State, reason: str) -> Event:
        self._state, self._reason = state, reason
        return self._event(What.STATE)

    def _event(self, what: What, good: bool = False) -> Event:
        power = self.spec.power.get(self._state, 0.0)
        if self._state is State.RUN:
            power *= self._ripple
        reading = (self._state, self._reason, self._product, self._total, self._scrap, round(power, 3))
        return Event(self._t, what, *reading, good)

    def _cycle(self) -> int:
        factor = self._rng.gauss(1.0 + self.spec.speed_loss, self.spec.spread)
        return whole(float(self.spec.products[self._product].ideal_cycle) * max(LOWEST_SPEED_FACTOR, factor))

    def _after(self, stops: Stops | None) -> int:
        """Run time until the next stop of this kind, ns."""
        return stops.every.draw(self._rng) if stops else NEVER
