"""Stack lights: the state of a machine from its andon tower (domain 3.6).

The default table; builders differ, so every machine can override it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge_agent.core.states import MachineState

OFF, STEADY, BLINKING = "0", "1", "B"

BLINK_WINDOW_NS: Final = 3_000_000_000
BLINK_CHANGES: Final = 3


def lamp_state(
    red: str, yellow: str, green: str, blue: str = OFF, powered: bool | None = None
) -> tuple[MachineState, str]:
    """State and reason; each lamp is `"0"`, `"1"` or `"B"`. Red beats yellow beats green beats blue.

    Yellow beside a steady green is a warning while running. With all lamps off the machine is OFF only
    if the power meter agrees (`powered=False`), else IDLE.
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
    return MachineState.OFF if powered is False else MachineState.IDLE, "all lamps off"


def lamp_level(changes: Sequence[int], lit: bool, now: int) -> str:
    """`"B"` if a lamp changed at least three times in the trailing 3 s, else its steady level.

    `changes` are the instants of its level changes, ns, in order.
    """
    recent = sum(now - BLINK_WINDOW_NS < t <= now for t in changes)
    if recent >= BLINK_CHANGES:
        return BLINKING
    return STEADY if lit else OFF
