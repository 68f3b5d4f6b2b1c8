"""A plant in simulated time: its machines, their truth, and who must hear of each event.

A machine's story is told on demand: `look` first tells it up to now, so what a face answers at an
instant is what the truth holds for that instant, however long nobody asked. `pump` tells it in
passing, so that faces which report changes (OPC UA) hear of each event when it happens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from heapq import heappop, heappush
from typing import Protocol

from edge_agent_hil.breaks import Breaks
from edge_agent_hil.equipment import Equipment
from edge_agent_hil.events import NEVER, Event
from edge_agent_hil.law import MICROSECOND
from edge_agent_hil.line import Line
from edge_agent_hil.machine import Machine
from edge_agent_hil.plant_file import PlantFile
from edge_agent_hil.truth import Truth

Clock = Callable[[], int]
SHORTEST_SLEEP = 0.001          # events closer than this are told together
LONGEST_SLEEP = 1.0             # a clock that was set is noticed within this
TOO_LATE = 5.0                  # s; a busy moment of the computer is shorter


class Face(Protocol):
    """One way to reach some machines of the plant."""

    async def start(self) -> None:
        """Serve, from the machines' latest readings."""
        ...

    async def publish(self, name: str) -> None:
        """Something has happened to one of its machines (`Plant.drain`)."""
        ...

    async def disturb(self, name: str) -> None:
        """The equipment of one of its machines is in another condition: show it."""
        ...

    def describe(self, name: str, face: str) -> dict[str, object]:
        """How a client reaches one of its machines, by which of the machine's faces; known once `start` is done."""
        ...

    async def close(self) -> None:
        """Stop serving."""
        ...


class Plant:
    """All machines of a plant file, from `start` (ns UTC) on; `clock` says what time it is there."""

    def __init__(self, file: PlantFile, seed: int, start: int, clock: Clock) -> None:
        """`file`: with every machine written out."""
        self.file = file
        self.seed = seed
        self.start = start
        self.machines: dict[str, Machine] = {}
        self.truths: dict[str, Truth] = {}
        self.equipment = {name: Equipment() for name in file.machines}
        self._clock = clock
        self._stopped_at: int | None = None
        self._untold: dict[str, list[Event]] = {}
        """of the machines somebody listens to"""
        for name, spec in file.machines.items():
            breaks = Breaks(spec.breaks, file.timezone)
            ideal = {product: item.ideal_cycle for product, item in spec.products.items()}
            self.machines[name] = Machine(name, spec, breaks, seed, start)
            self.truths[name] = Truth(ideal, breaks, start)
        self.lines = self._make_lines()
        self._line_of = {machine.name: line for line in self.lines for machine in line.machines}
        self._due = [(line.wake, at) for at, line in enumerate(self.lines)]
        self.advance()

    def _make_lines(self) -> list[Line]:
        lines = [
            Line([self.machines[name] for name in line.machines], line.rooms) for line in self.file.lines.values()
        ]
        in_line = {machine.name for line in lines for machine in line.machines}
        return lines + [Line([machine]) for name, machine in self.machines.items() if name not in in_line]

    def now(self) -> int:
        """Simulated time, ns UTC."""
        return self._clock() if self._stopped_at is None else self._stopped_at

    def look(self, name: str) -> tuple[Event, int]:
        """A machine's reading as of now, and when that is."""
        now = self.now()
        self._tell(self._line_of[name], now)
        return self.machines[name].latest, now

    def advance(self) -> int:
        """Tell every story up to now; the now it was, ns."""
        now = self.now()
        due = self._due
        while due and due[0][0] <= now:
            at = heappop(due)[1]
            line = self.lines[at]
            self._tell(line, now)
            heappush(due, (line.wake, at))
        return now

    def stop(self) -> int:
        """Nothing happens any more; the last instant, ns."""
        if self._stopped_at is None:
            self._stopped_at = self.advance()
        return self._stopped_at

    def upcoming(self) -> int:
        """When the next thing happens that somebody listens to, ns; NEVER if nobody does."""
        return self._due[0][0] if self._untold else NEVER

    def halt(self, name: str, until: int) -> None:
        """A machine stands from now on."""
        _, now = self.look(name)
        self.machines[name].halt(now, until)
        self._line_of[name].look_ahead()
        self._tell(self._line_of[name], now)
        self._due = sorted((line.wake, at) for at, line in enumerate(self.lines))

    def join(self, name: str) -> Event:
        """The machine's reading as of now; what `drain` then gives is what happens after it."""
        event, _ = self.look(name)
        self._untold[name] = []
        return event

    def drain(self, name: str) -> list[Event]:
        """What happened to a machine since the last call, or since somebody listens."""
        events, self._untold[name] = self._untold[name], []
        return events

    def news(self) -> list[str]:
        """Machines that something has happened to, and somebody listens to them."""
        return [name for name, events in self._untold.items() if events]

    def to_json(self, end: int) -> dict[str, object]:
        """The complete truth."""
        head = {"plant": self.file.plant, "seed": self.seed, "start": self.start, "end": end}
        return {**head, "machines": {name: truth.to_json(end) for name, truth in self.truths.items()}}

    def _tell(self, line: Line, until: int) -> None:
        if line.wake > until:
            return
        line.advance(until)
        for machine in line.machines:
            if machine.told:
                events, machine.told = machine.told, []
                self._happened(machine.name, events)

    def _happened(self, name: str, events: Sequence[Event]) -> None:
        record = self.truths[name].record
        for event in events:
            record(event)
        if name in self._untold:
            self._untold[name] += events


async def pump(
    plant: Plant,
    faces: Mapping[str, Iterable[Face]],
    settle: Callable[[], Awaitable[int]],
    speed: Fraction,
    say: Callable[[str], None],
) -> None:
    """Tell every face what happens, when it happens, until cancelled.

    `settle` ends the faults that are over; when the next one is, ns. `say` is told once if it cannot keep up.
    """
    too_slow = False
    while True:
        now = plant.advance()
        for name in plant.news():
            for face in faces[name]:
                await face.publish(name)
        ends = await settle()
        behind = float((plant.now() - now) / speed) / 1e9
        if behind > TOO_LATE and not too_slow:
            too_slow = True
            say(f"this computer is too slow for speed {float(speed):g}: changes are reported {behind:.0f} s late")
        wait = float((min(plant.upcoming(), ends) - now) / speed) / 1e9
        await asyncio.sleep(min(LONGEST_SLEEP, max(SHORTEST_SLEEP, wait)))


def simulated_clock(start: int, speed: Fraction, wall: Clock = time.time_ns, began: int | None = None) -> Clock:
    """start + speed × what the wall clock has gone since `began`, ns; never goes back.

    `began`: when the simulation begins, by the wall clock; None: at `start`, so that at speed 1 the two are the same.
    """
    latest, origin = start, start if began is None else began

    def now() -> int:
        nonlocal latest
        latest = max(latest, start + int((wall() - origin) * speed))
        return latest

    return now


def whole_now() -> int:
    """The wall clock, ns UTC, cut to the microsecond all events are in."""
    return time.time_ns() // MICROSECOND * MICROSECOND
