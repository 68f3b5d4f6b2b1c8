"""The model of one machine: a seeded story of states, programs and pieces in simulated time.

The story is a process: it says until when nothing happens to it, and is told on from there. Nothing
here knows the real clock, so the same seed and the same start tell the same story whoever listens
and however often. It can be woken sooner: by a neighbour in its line, or by a `halt` from outside.

* A piece takes its product's ideal cycle times a normal factor of mean 1 + `speed_loss`.
* Micro-stops and faults come after so much *run* time, interrupt the piece in the machine and
  last as long as their law says; the piece then goes on.
* A job ends with its last piece; the set-up follows, and half-way through it the next program is
  loaded, so no piece is ever counted within the same scan as a change of program.
* At a planned break a running machine pauses (IDLE, reason `break`); repairs and set-ups go on
  through it, and the machine then waits for its end.
* What a piece is (good, scrap, rework) is decided when it is finished; for the first ones after a
  set-up with chances of their own.
* In a line it takes a piece from the buffer before it to begin one, and lays a good one into the
  buffer behind it; it stands still without (IDLE, `starved`) and without room (IDLE, `blocked`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING

from edge_agent_hil.breaks import Breaks
from edge_agent_hil.buffer import Buffer
from edge_agent_hil.events import BLOCKED, NEVER, STARVED, Event, Made, State, What
from edge_agent_hil.law import whole

if TYPE_CHECKING:
    from edge_agent_hil.plant_file import Job, MachineFile, Stops

LOWEST_SPEED_FACTOR = 0.2       # a normal draw far out must not make a piece in no time
RIPPLE = 0.02                   # power while running varies by this much from piece to piece


class Machine:
    """One simulated machine; `latest` is its reading as of the last time it was told on."""

    def __init__(self, name: str, spec: MachineFile, breaks: Breaks, seed: int, start: int) -> None:
        self.name, self.spec = name, spec
        self.before: Buffer | None = None
        self.behind: Buffer | None = None
        self.wake = start
        """when the next thing can happen, ns"""
        self.told: list[Event] = []
        """what has happened and nobody has taken yet, in order"""
        self.waits = False
        """for a neighbour: it may be woken any time"""
        self._breaks = breaks
        self._ideal_ns = {product: float(item.ideal_cycle) for product, item in spec.products.items()}
        self._rng = Random(f"{seed}/{name}")
        self._t = start
        self._state, self._reason = State.IDLE, ""
        self._product = spec.first_product
        self._total = self._scrap = self._rework = 0
        self._since, self._power, self._energy = start, 0, 0
        self._ripple = 1.0
        self._starting_up = 0
        self._halted_until = 0
        self._to_micro = self._after(spec.micro_stops)
        self._to_fault = self._after(spec.faults)
        self._break = breaks.current_or_next(start) or (NEVER, NEVER)
        self._story = self._life()
        self.latest = self._event(What.STATE)

    def go_on(self) -> None:
        """Tell the story on at `wake`, which is then later."""
        self._t = self.wake
        self.wake = next(self._story)

    def halt(self, now: int, until: int) -> None:
        """From outside: a running machine stands still from `now` to `until` (IDLE, reason `restart`)."""
        self._halted_until = until
        if self._state is State.RUN:
            self.wake = now

    def _life(self) -> Iterator[int]:
        self._tell(What.PRODUCT)
        yield from self._resume()
        for job, following in self._jobs():
            for _ in range(job.pieces):
                yield from self._piece()
            yield from self._change_over(following.product)

    def _jobs(self) -> Iterator[tuple[Job, Job]]:
        jobs = self.spec.all_jobs
        return zip(cycle(jobs), cycle([*jobs[1:], jobs[0]]), strict=True)

    def _piece(self) -> Iterator[int]:
        if self.before is not None:
            yield from self._hand_over(self.before.is_empty, self.before.take, STARVED)
        work = self._cycle()
        while work > 0:
            yield from self._interruptions()
            began = self._t
            yield began + min(work, self._to_micro, self._to_fault, self._break[0] - began)
            ran = self._t - began
            work -= ran
            self._to_micro -= ran
            self._to_fault -= ran
        made = self._finish()
        if self.behind is not None and made is Made.GOOD:
            yield from self._hand_over(self.behind.is_full, self.behind.put, BLOCKED)

    def _finish(self) -> Made:
        """A piece is done and counted."""
        draw = self._rng.random()
        starting_up = self._starting_up > 0
        self._starting_up -= starting_up
        chances = self.spec.startup if starting_up and self.spec.startup else self.spec
        scrap, rework = chances.scrap, chances.rework
        made = Made.SCRAP if draw < scrap else Made.REWORK if draw < scrap + rework else Made.GOOD
        self._ripple = self._rng.gauss(1.0, RIPPLE)
        self._total += 1
        self._scrap += made is Made.SCRAP
        self._rework += made is Made.REWORK
        self._tell(What.PIECE, made, starting_up)
        return made

    def _interruptions(self) -> Iterator[int]:
        """What is due now: stops in a row, then the break if one is on; nothing else costs no event."""
        stopped = self._t >= self._break[0] or self._t < self._halted_until
        if self._to_fault <= 0 and self.spec.faults:
            yield from self._stand(State.FAULT, "fault", self.spec.faults.length.draw(self._rng))
            self._to_fault, stopped = self._after(self.spec.faults), True
        if self._to_micro <= 0 and self.spec.micro_stops:
            yield from self._stand(State.IDLE, "micro_stop", self.spec.micro_stops.length.draw(self._rng))
            self._to_micro, stopped = self._after(self.spec.micro_stops), True
        if stopped:
            yield from self._resume()

    def _change_over(self, product: str) -> Iterator[int]:
        length = self.spec.setup.draw(self._rng) if self.spec.setup else 0
        if length:
            yield from self._stand(State.SETUP, "job_change", whole(length / 2))
        if product != self._product:
            self._product = product
            self._tell(What.PRODUCT)
        if length:
            yield from self._pass(whole(length / 2))
            self._starting_up = self.spec.startup.pieces if self.spec.startup else 0
            yield from self._resume()

    def _hand_over(self, hindered: Callable[[], bool], move: Callable[[int], None], reason: str) -> Iterator[int]:
        """Move a piece from or to a buffer, as soon as a neighbour lets it; stand still until then."""
        if not hindered():
            move(self._t)
            return
        self._enter(State.IDLE, reason)
        self.waits = True
        while hindered():
            yield NEVER
        self.waits = False
        move(self._t)
        yield from self._resume()

    def _stand(self, state: State, reason: str, length: int) -> Iterator[int]:
        self._enter(state, reason)
        yield from self._pass(length)

    def _pass(self, length: int) -> Iterator[int]:
        """Let time go by, whoever wakes it."""
        end = self._t + length
        while self._t < end:
            yield end

    def _resume(self) -> Iterator[int]:
        """Run, once no break is on and nothing halts it."""
        while True:
            if self._t < self._halted_until:
                yield from self._stand(State.IDLE, "restart", self._halted_until - self._t)
            elif (span := self._current_break())[0] <= self._t:
                yield from self._stand(State.IDLE, "break", span[1] - self._t)
            else:
                break
        self._enter(State.RUN, "")

    def _current_break(self) -> tuple[int, int]:
        if self._break[1] <= self._t:
            self._break = self._breaks.current_or_next(self._t) or (NEVER, NEVER)
        return self._break

    def _enter(self, state: State, reason: str) -> None:
        self._state, self._reason = state, reason
        self._tell(What.STATE)

    def _tell(self, what: What, made: Made | None = None, starting_up: bool = False) -> None:
        self.latest = self._event(what, made, starting_up)
        self.told.append(self.latest)

    def _event(self, what: What, made: Made | None = None, starting_up: bool = False) -> Event:
        self._energy += self._power * (self._t - self._since) // 1000
        self._since = self._t
        power = self.spec.power.get(self._state, 0.0)
        self._power = round(1000 * (power * self._ripple if self._state is State.RUN else power))
        return Event(
            self._t, what, self._state, self._reason, self._product, self._total, self._scrap, self._rework,
            self._power, self._energy, made, starting_up,
        )  # fmt: skip

    def _cycle(self) -> int:
        factor = self._rng.gauss(1.0 + self.spec.speed_loss, self.spec.spread)
        return whole(self._ideal_ns[self._product] * max(LOWEST_SPEED_FACTOR, factor))

    def _after(self, stops: Stops | None) -> int:
        """Run time until the next stop of this kind, ns."""
        return stops.every.draw(self._rng) if stops else NEVER
