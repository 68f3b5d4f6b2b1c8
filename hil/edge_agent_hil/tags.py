"""What a tag shows of a machine's reading; the same for every protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from math import nan, sqrt
from typing import Final

from edge_agent_hil.equipment import Equipment, Overlay, counted
from edge_agent_hil.events import BLOCKED, STARVED, Event, State
from edge_agent_hil.face_file import ANALOG, COUNTERS, FLAGS, LAMPS
from edge_agent_hil.plant_file import MachineFile

Value = int | float | str | bool
Show = Callable[[Event, int], Value]

UJ_PER_WH: Final = 3_600_000_000
BLINK_NS: Final = 500_000_000           # on and off so long, as beacons do about once a second
# A three-phase load of 400 V with the power factor of an ordinary drive.
MA_PER_W: Final = 1000 / (sqrt(3) * 400 * 0.9)
_BITS: Final = {"uint16": 16, "int16": 15, "uint32": 32, "int32": 31, "uint64": 64, "int64": 63}
_COUNTER_TYPES: Final = ("uint16", "uint32", "uint64")
_FLOATS: Final = ("float32", "float64", "float", "double")
_BOOLS: Final = ("bool", "boolean")


def counter_bits(kind: str) -> int:
    """How many bits a counter of this type has before it starts again at 0."""
    return _BITS[kind]


def fits(signal: str, kind: str) -> bool:
    """Whether a value of this type can carry the signal without loss."""
    if signal in COUNTERS:
        return kind in _COUNTER_TYPES
    if signal in FLAGS:
        return kind in _BOOLS
    if signal in ANALOG:
        return kind in _FLOATS or _BITS.get(kind, 0) >= 31
    if signal.startswith("recipe-"):
        return kind in _FLOATS or kind in _BITS
    if signal == "program":
        return kind == "string"
    if signal == "state" and kind == "string":
        return True
    return kind in _BITS and not (signal == "product" and kind == "int16")


class Sign:
    """What one tag of one face shows: the truth, or what its equipment makes of it."""

    def __init__(
        self,
        signal: str,
        kind: str,
        start: int,
        machine: MachineFile,
        codes: Mapping[State, int],
        equipment: Equipment,
    ) -> None:
        """`start`: what a counter begins at; `codes`: of the states."""
        self.signal = signal
        self._kind, self._start, self._equipment = kind, start, equipment
        self._highest = (1 << _BITS[kind]) - 1 if kind in _BITS else 0
        self._plain: Show = self._counter if signal in COUNTERS else _shows(signal, kind, start, machine, codes)

    def value(self, event: Event, now: int) -> Value:
        """What it shows at `now`, ns, when `event` was the latest."""
        overlays = self._equipment.overlays
        wrong = overlays.get(self.signal) if overlays else None
        if wrong is None or wrong.until <= now:
            return self._typed(self._plain(event, now))
        return self._distorted(wrong, event, now)

    def _distorted(self, wrong: Overlay, event: Event, now: int) -> Value:
        if wrong.kind == "stuck":
            return self._typed(self._plain(*wrong.frozen))
        value = self._plain(event, now)
        if wrong.kind == "glitch":
            left = wrong.left.setdefault(self, wrong.reads)
            wrong.left[self] = max(0, left - 1)
            value = wrong.number if left else value
        elif wrong.kind == "spike" and not isinstance(value, str):
            value *= wrong.number
        elif wrong.kind == "nan" and self._kind in _FLOATS:
            return nan
        return self._typed(value)

    def _counter(self, event: Event, _now: int) -> Value:
        shown, at = self._equipment.bases.get(self.signal, (self._start, 0))
        return shown + counted(self.signal, event) - at

    def _typed(self, value: Value) -> Value:
        """As the tag's type has it: what has no sign starts again at 0 past its width."""
        if not self._highest or isinstance(value, str):
            return value
        if self._kind.startswith("u"):
            return math.floor(value) & self._highest
        return max(-self._highest - 1, min(self._highest, round(value)))


def state_map(kind: str | None, codes: Mapping[State, int]) -> dict[str, str]:
    """What a state tag of this type shows → the state, as a site file maps it."""
    return {state.value if kind == "string" else str(code): state.value for state, code in codes.items()}


def _shows(signal: str, kind: str, start: int, machine: MachineFile, codes: Mapping[State, int]) -> Show:
    if signal == "state":
        return lambda event, _: event.state.value if kind == "string" else codes[event.state]
    if signal == "product":
        return lambda event, _: machine.products[event.product].code
    if signal in LAMPS:
        lit = {state: dict(lamps)[signal] for state, lamps in machine.stack_light.items() if signal in dict(lamps)}
        return lambda event, now: event.state in lit and (not lit[event.state] or now // BLINK_NS % 2 == 0)
    if signal.startswith("recipe-"):
        name = signal.removeprefix("recipe-")
        return lambda event, _: machine.products[event.product].recipe[name]
    if signal == "energy" and kind not in _FLOATS:
        return lambda event, now: start + event.energy_at(now) // UJ_PER_WH
    return (_FINE if kind in _FLOATS else _COARSE).get(signal) or _PLAIN[signal]


_PLAIN: Final[dict[str, Show]] = {
    "program": lambda event, _: event.product,
    "running": lambda event, _: event.state is State.RUN,
    "fault": lambda event, _: event.state is State.FAULT,
    "starved": lambda event, _: event.reason == STARVED,
    "blocked": lambda event, _: event.reason == BLOCKED,
}
# Whole numbers are W, mA and Wh; fractions kW, A and kWh.
_COARSE: Final[dict[str, Show]] = {
    "power": lambda event, _: event.power,
    "current": lambda event, _: round(event.power * MA_PER_W),
}
_FINE: Final[dict[str, Show]] = {
    "power": lambda event, _: event.power / 1000,
    "current": lambda event, _: event.power * MA_PER_W / 1000,
    "energy": lambda event, now: event.energy_at(now) / (1000 * UJ_PER_WH),
}
