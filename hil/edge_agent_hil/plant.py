"""A plant in simulated time: its machines, their truth, and who must hear of each event.

A machine's story is told on demand: `read` first tells it up to now, so what a face answers at an
instant is what the truth holds for that instant, however long nobody asked. `pump` tells it in
passing, so that faces which report changes (OPC UA) hear of each event when it happens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from edge_agent_hil.breaks import Breaks
from edge_agent_hil.law import MICROSECOND
from edge_agent_hil.machine import Event, Machine
from edge_agent_hil.plant_file import PlantFile
from edge_agent_hil.truth import Truth

Clock = Callable[[], int]
SHORTEST_SLEEP = 0.001          # events closer than this are told together
LONGEST_SLEEP = 1.0             # a clock that was set is noticed within this


class Face(Protocol):
    """One way to reach some machines of the plant."""

    async def start(self) -> None:
        """Serve, from the machines' latest readings."""
        ...

    async def publish(self, name: str, events: Sequence[Event]) -> None:
        """What has just happened to one of its machines."""
        ...

    def describe(self, name: str) -> dict[str, object]:
        """How a client reaches one of its machines; known once `start` is done."""
        ...

    async def close(self) -> None:
        """Stop serving."""
        ...


class Plant:
    """All machines of a plant file, from `start` (ns UTC) on; `clock` says what time it is there."""

    def __init__(self, file: PlantFile, seed: int, start: int, clock: Clock) -> None:
        self.file = file
        self.seed = seed
        self.start = start
        self._clock = clock
        self._stopped_at: int | None = None
        self.machines: dict[str, Machine] = {}
        self.truths: dict[str, Truth] = {}
        self._untold: dict[str, list[Event]] = {}
        for name, spec in file.machines.items():
            breaks = Breaks(spec.breaks, file.timezone)
            ideal = {product: item.ideal_cycle for product, item in spec.products.items()}
            self.machines[name] = Machine(name, spec, breaks, seed, start)
            self.truths[name] = Truth(ideal, breaks, start)
            self._untold[name] = []
            self._tell(name, start)

    def now(self) -> int:
        """Simulated time, ns UTC."""
        return self._clock() if self._stopped_at is None else self._stopped_at

    def read(self, name: str) -> Event:
        """The machine's reading as of now."""
        self._tell(name, self.now())
        return self.machines[name].latest

    def advance(self) -> int:
        """Tell every story up to now; the now it was, ns."""
        now = self.now()
        for name in self.machines:
            self._tell(name, now)
        return now

    def stop(self) -> int:
        """Nothing happens any more; the last instant, ns."""
        if self._stopped_at is None:
            self._stopped_at = self.advance()
        return self._stopped_at

    def upcoming(self) -> int:
        """When the next thing happens, ns."""
        return min(machine.upcoming.t for machine in self.machines.values())

    def join(self, name: str) -> Event:
        """The machine's reading as of now; what `drain` then gives is what happens after it."""
        event = self.read(name)
        self.drain(name)
        return event

    def drain(self, name: str) -> list[Event]:
        """What happened to a machine since the last call."""
        events, self._untold[name] = self._untold[name], []
        return events

    def to_json(self, end: int) -> dict[str, object]:
        """The complete truth."""
        head = {"plant": self.file.plant, "seed": self.seed, "start": self.start, "end": end}
        return {**head, "machines": {name: truth.to_json(end) for name, truth in self.truths.items()}}

    def _tell(self, name: str, until: int) -> None:
        events = self.machines[name].advance(until)
        for event in events:
            self.truths[name].record(event)
        self._untold[name] += events


async def pump(plant: Plant, faces: Mapping[str, Face], speed: Fraction) -> None:
    """Tell every face what happens, when it happens, until cancelled."""
    while True:
        now = plant.advance()
        for name, face in faces.items():
            if events := plant.drain(name):
                await face.publish(name, events)
        wait = float((plant.upcoming() - now) / speed) / 1e9
        await asyncio.sleep(min(LONGEST_SLEEP, max(SHORTEST_SLEEP, wait)))


def simulated_clock(start: int, speed: Fraction, wall: Clock = time.time_ns) -> Clock:
    """start + speed × elapsed, ns; at speed 1 the wall clock itself. Never goes back."""
    latest = start

    def now() -> int:
        nonlocal latest
        latest = max(latest, start + int((wall() - start) * speed))
        return latest

    return now


def whole_now() -> int:
    """The wall clock, ns UTC, cut to the microsecond all events are in."""
    return time.time_ns() // MICROSECOND * MICROSECOND
