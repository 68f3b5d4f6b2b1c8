"""Machines that pass pieces on: their stories are told together, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from edge_agent_hil.buffer import Buffer
from edge_agent_hil.machine import Machine


class Line:
    """A line, or a machine that stands alone. Neither knows the time by itself."""

    def __init__(self, machines: Sequence[Machine], rooms: Sequence[int] = ()) -> None:
        """`rooms`: pieces that fit between each machine and the next, in the order of flow."""
        self.machines = tuple(machines)
        self.buffers = []
        for (before, behind), room in zip(pairwise(self.machines), rooms, strict=True):
            buffer = Buffer(room, partial(_poke, before), partial(_poke, behind))
            before.behind = behind.before = buffer
            self.buffers.append(buffer)

        self.wake = 0
        """when the next thing can happen, ns"""
        self.look_ahead()

    def look_ahead(self) -> None:
        """Find out when the next thing can happen; to be called after a machine was halted."""
        self.wake = min([machine.wake for machine in self.machines])

    def advance(self, until: int) -> None:
        """Tell everything with t ≤ `until` (ns); of what happens at once, what is further up the line first."""
        machine = self.machines[0]
        if len(self.machines) == 1:
            while machine.wake <= until:
                machine.go_on()
        else:
            while (machine := min(self.machines, key=_wake)).wake <= until:
                machine.go_on()
        self.wake = machine.wake


def _wake(machine: Machine) -> int:
    return machine.wake


def _poke(machine: Machine, now: int) -> None:
    if machine.waits:
        machine.wake = now
