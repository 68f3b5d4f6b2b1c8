"""Stack lights: the state of a machine from its andon tower (domain 3.6).

The default table is what the colours mean (IEC 60204-1); builders differ, so every machine can override it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_agent.core.models import Input, Meaning, Need, Row, StateModel, Value, Values, is_set, lacking
from edge_agent.core.states import MachineState

OFF, STEADY, BLINKING = "0", "1", "B"
LAMPS: Final = ("red", "yellow", "green", "blue", "white")
ALL_OFF: Final = "all lamps off"
"""The reason of a dark tower: the machine is OFF only if a power meter agrees."""

BLINK_WINDOW_NS: Final = 3_000_000_000
BLINK_CHANGES: Final = 3


def lamp_state(red: str, yellow: str, green: str, blue: str = OFF) -> Row:
    """State and reason; each lamp is `"0"`, `"1"` or `"B"`. Red beats yellow beats green beats blue.

    Yellow beside a steady green is a warning while running. White means nothing by itself. A dark tower is IDLE
    here; see `ALL_OFF`.
    """
    if red == BLINKING:
        return MachineState.FAULT, "emergency/unacknowledged"
    if red == STEADY:
        return MachineState.FAULT, "" if green == OFF else "red wins"
    if yellow != OFF and green == STEADY:
        return MachineState.RUN, "warning while running"
    if yellow != OFF:
        return MachineState.IDLE, "attention" if yellow == STEADY else "material/attention"
    if green != OFF:
        return (MachineState.RUN, "") if green == STEADY else (MachineState.SETUP, "warm-up/ready")
    if blue != OFF:
        return MachineState.SETUP, "operator action required"
    return MachineState.IDLE, ALL_OFF


@dataclass(frozen=True, slots=True)
class LampModel(StateModel):
    """A tower with these `lamps`; `own`: what its builder means by what is lit, before the default table.

    The keys of `own` are levels in the order of `LAMPS`, `"10000"` for red alone.
    """

    lamps: tuple[str, ...]
    own: Mapping[str, Row] = field(default_factory=dict)

    @property
    def inputs(self) -> Sequence[Input]:
        """Every lamp there is decides."""
        return [Input(lamp, Need.KEY) for lamp in LAMPS if lamp in self.lamps]

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """By its builder's table, else the default one."""
        levels = []
        for lamp in LAMPS:
            told = values.get(lamp, OFF if lamp not in self.lamps else None)
            if told is None:
                return lacking(lamp)
            levels.append(str(told))
        own = self.own.get("".join(levels))
        return Meaning(*(lamp_state(*levels[:4]) if own is None else own))


class Blink:
    """A lamp is `"B"` while it has changed at least three times in the trailing 3 s, else its steady level."""

    def level(self, value: Value) -> Value:
        """1 for lit, 0 for dark."""
        return int(is_set({"lamp": value}, "lamp"))

    def noted(self, changes: tuple[int, ...], time: int, first: bool) -> tuple[int, ...]:
        """The last three."""
        return () if first else (*changes, time)[-BLINK_CHANGES:]

    def shown(self, level: Value, changes: tuple[int, ...], time: int) -> Value:
        """`"0"`, `"1"` or `"B"`."""
        if sum(time - BLINK_WINDOW_NS < t <= time for t in changes) >= BLINK_CHANGES:
            return BLINKING
        return STEADY if level else OFF

    def due(self, changes: tuple[int, ...]) -> int | None:
        """When the third change from the end leaves the window."""
        return changes[0] + BLINK_WINDOW_NS if len(changes) == BLINK_CHANGES else None
