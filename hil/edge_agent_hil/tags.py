"""What a tag shows of a machine's reading; the same for every protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_agent_hil.machine import Event, State
from edge_agent_hil.plant_file import COUNTERS, MachineFile

Value = int | float | str | bool
Show = Callable[[Event], Value]

_COUNTER_BITS = {"uint16": 16, "uint32": 32, "uint64": 64}
_FLOATS = ("float32", "float64", "float", "double")
_BOOLS = ("bool", "boolean")


def counter_bits(kind: str) -> int:
    """How many bits a counter of this type has before it starts again at 0."""
    return _COUNTER_BITS[kind]


def fits(signal: str, kind: str) -> bool:
    """Whether a value of this type can carry the signal without loss."""
    if signal in COUNTERS:
        return kind in _COUNTER_BITS
    if signal in ("running", "fault"):
        return kind in _BOOLS
    if signal == "power":
        return kind in _FLOATS
    if signal == "program":
        return kind == "string"
    if signal == "state" and kind == "string":
        return True
    return kind not in (*_FLOATS, *_BOOLS, "string") and not (signal == "product" and kind == "int16")


def shown(signal: str, kind: str, start: int, machine: MachineFile, codes: Mapping[State, int]) -> Show:
    """What the tag shows, as a function of the reading; a counter begins at `start`, wraps at its width."""
    if signal in COUNTERS:
        count, mask = _COUNTS[signal], (1 << counter_bits(kind)) - 1
        return lambda event: (start + count(event)) & mask
    if signal == "state":
        return lambda event: event.state.value if kind == "string" else codes[event.state]
    if signal == "product":
        return lambda event: machine.products[event.product].code
    return _PLAIN[signal]


def state_map(kind: str | None, codes: Mapping[State, int]) -> dict[str, str]:
    """What a state tag of this type shows → the state, as a site file maps it."""
    return {state.value if kind == "string" else str(code): state.value for state, code in codes.items()}


_COUNTS: dict[str, Callable[[Event], int]] = {
    "total": lambda event: event.total,
    "good": lambda event: event.total - event.scrap,
    "scrap": lambda event: event.scrap,
}
_PLAIN: dict[str, Show] = {
    "program": lambda event: event.product,
    "power": lambda event: event.power,
    "running": lambda event: event.state is State.RUN,
    "fault": lambda event: event.state is State.FAULT,
}
