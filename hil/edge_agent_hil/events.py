"""What can happen to a simulated machine, and its whole reading after each event."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

NEVER = 1 << 62                 # ns; later than any clock
STARVED, BLOCKED = "starved", "blocked"         # reasons of a machine in a line that stands still


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


class Made(StrEnum):
    """What a finished piece is."""

    GOOD = "good"
    SCRAP = "scrap"
    REWORK = "rework"


class Event(NamedTuple):
    """One thing that happened at `t` (ns UTC, whole µs), with the machine's whole reading after it."""

    t: int
    what: What
    state: State
    reason: str
    product: str
    total: int
    """pieces finished since the start, scrap and rework included"""
    scrap: int
    rework: int
    power: int
    """W, until the next event"""
    energy: int
    """µJ (W × µs) since the start, up to `t`; exact"""
    made: Made | None = None
    """of the piece, where the event is one"""
    starting_up: bool = False
    """of the piece: it was one of the first after a set-up"""

    def energy_at(self, now: int) -> int:
        """µJ since the start, up to `now`, if nothing has happened since."""
        return self.energy + self.power * (now - self.t) // 1000
