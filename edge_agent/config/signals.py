"""`machines.<id>.state`: lamps, the power a machine draws or its strokes, for machines that say nothing themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from edge_agent.api import Duration, StrictModel
from edge_agent.config.finding import Finding, report
from edge_agent.config.names import NumberTagRef
from edge_agent.config.positive import IdealCycle, PositiveDuration
from edge_agent.config.state_names import StateEntry
from edge_agent.core.judges import Judge, RolesJudge
from edge_agent.core.lamps import BLINKING, LAMPS, OFF, STEADY, Blink, LampModel
from edge_agent.core.models import Row
from edge_agent.core.pace import PaceJudge
from edge_agent.core.power import PowerJudge, PowerLevels
from edge_agent.core.quantity import SECOND
from edge_agent.core.states import MachineState

# Around a threshold that is one number (domain 3.7).
_HYSTERESIS: Final = 0.1
# Three cycles without a stroke are no slow cycle any more (domain 3.5).
_GAP_CYCLES: Final = 3
_DARK: Final = "off"
_LAMP: Final = re.compile(rf"({'|'.join(LAMPS)})( blinking)?")


def levels_of(pattern: str) -> str | None:
    """`red blinking + green` → the levels of all lamps in their order, `"B0100"`; None if it is no such text."""
    levels = dict.fromkeys(LAMPS, OFF)
    for part in [] if pattern == _DARK else pattern.split("+"):
        found = _LAMP.fullmatch(" ".join(part.split()))
        if found is None or levels[found[1]] != OFF:
            return None
        levels[found[1]] = BLINKING if found[2] else STEADY
    return "".join(levels.values())


class StacklightModel(StrictModel):
    """A stack light: a digital input for each lamp. Blinking is seen by reading at least 5 times a second."""

    red: NumberTagRef | None = None
    """FAULT, whatever else is lit"""
    yellow: NumberTagRef | None = None
    """IDLE; beside a steady green a warning while RUN"""
    green: NumberTagRef | None = None
    """RUN; blinking: SETUP"""
    blue: NumberTagRef | None = None
    """SETUP: an operator has to do something"""
    white: NumberTagRef | None = None
    """nothing, unless `map` says so"""
    debounce: Duration = 50_000_000
    """a lamp's change counts once it has lasted so long, then from its start; default 50ms"""
    dwell: Duration = 1_000_000_000
    """a new state, likewise; default 1s"""
    map: Mapping[str, StateEntry] = Field(default={}, validate_default=True)
    """what this builder means by what is lit, before the table: `green blinking`, `red + yellow`, `off` → state"""

    # On the last field, so that it runs even while another part is wrong.
    @field_validator("map")
    @classmethod
    def _names_lamps_there_are(cls, keys: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
        found, seen = [], dict[str, str]()
        if all(lamp in info.data and info.data[lamp] is None for lamp in LAMPS):
            found.append(Finding("needs at least one lamp", f"{', '.join(LAMPS)}: device.tag", ("..",)))
        for key in keys:
            levels = levels_of(key)
            if levels is None:
                hint = f"write lamps ({', '.join(LAMPS)}), each with or without ' blinking', joined by ' + '; or off"
                found.append(Finding("this key names no lamps", hint, (key,)))
                continue
            unwired = [lamp for lamp in LAMPS if lamp in key and info.data.get(lamp, ...) is None]
            if unwired:
                found.append(Finding(f"this key names {unwired[0]}, which has no tag", f"add {unwired[0]}:", (key,)))
            elif levels in seen:
                found.append(Finding(f"this key is the same as '{seen[levels]}'", "remove one of the two", (key,)))
            seen.setdefault(levels, key)
        report(found)
        return keys

    def inputs(self) -> dict[str, str]:
        """Lamp → `device.tag`."""
        return {lamp: tag for lamp in LAMPS if (tag := getattr(self, lamp)) is not None}

    def judge(self) -> Judge:
        """What judges it."""
        lamps = tuple(self.inputs())
        own = {levels: _row(entry) for key, entry in self.map.items() if (levels := levels_of(key))}
        return RolesJudge(LampModel(lamps, own), lamps, dict.fromkeys(lamps, Blink()), self.debounce, self.dwell)

    def rules(self) -> list[Any]:
        """All but the tags that moves the state."""
        own = sorted([levels_of(key), *map(str, _row(entry))] for key, entry in self.map.items())
        return [own, self.debounce, self.dwell]


def _threshold(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return (value * (1 - _HYSTERESIS), value * (1 + _HYSTERESIS))


Threshold = Annotated[
    tuple[float, float],
    BeforeValidator(_threshold),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"},
                                                  "minItems": 2, "maxItems": 2}]}),
]  # fmt: skip
"""`[1350, 1650]`: between the two the state stays; one number has a tenth of itself around it."""


class PowerModel(StrictModel):
    """What the machine draws: active power of all phases, read once a second."""

    tag: NumberTagRef
    """device.tag of the active power"""
    median: Duration = 1_500_000_000
    """takes out spikes: the middle one of the power now, so long before and after; 1.5 polls, 0s: off; default 1.5s"""
    dwell: Duration = 5_000_000_000
    """a new state counts once it has lasted so long, then from its start; default 5s"""
    off: Threshold | None = None
    """below: OFF; one number, or [low, high], in the tag's unit. Without it the machine is never OFF by its power"""
    run: Threshold | None = Field(default=None, validate_default=True)
    """above: RUN, below: IDLE. Without it the power only tells whether the machine is off"""

    @field_validator("off", "run")
    @classmethod
    def _rises(cls, pair: tuple[float, float] | None) -> tuple[float, float] | None:
        if pair is not None and not 0 < pair[0] <= pair[1]:
            report([Finding("is out of order", "write [low, high], both above 0")])
        return pair

    # On the last field, so that it runs even while another part is wrong.
    @field_validator("run")
    @classmethod
    def _is_above_off(cls, run: tuple[float, float] | None, info: ValidationInfo) -> tuple[float, float] | None:
        off = info.data.get("off")
        if "off" in info.data and off is None and run is None:
            report([Finding("needs off, run or both", "edge-agent learn SITE.yaml TAG finds them", ("..",))])
        if off is not None and run is not None and off[1] > run[0]:
            report([Finding(f"begins at {run[0]:g}, below {off[1]:g} where off ends", "off is below run")])
        return run

    def inputs(self) -> dict[str, str]:
        """The meter."""
        return {"power": self.tag}

    def judge(self) -> Judge:
        """What judges it."""
        return PowerJudge(PowerLevels(self.off, self.run, self.dwell, self.median))

    def rules(self) -> list[Any]:
        """All but the tag that moves the state."""
        return [list(self.off or ()), list(self.run or ()), self.dwell, self.median]


class PaceModel(StrictModel):
    """The strokes of a machine that tells no state: it runs while they come."""

    count: NumberTagRef | None = None
    """device.tag that counts strokes"""
    pulse: NumberTagRef | None = None
    """or device.tag that is on, true or not 0, for a moment with each stroke"""
    cycle: IdealCycle
    """what one stroke takes at ideal speed, such as 4.8s; of several products the slowest"""
    gap: PositiveDuration | None = Field(default=None, validate_default=True)
    """no stroke for longer than this is a stop; longer than two readings of the tag; default three cycles"""

    # On the last field, so that it runs even while another part is wrong.
    @field_validator("gap")
    @classmethod
    def _is_a_pace(cls, gap: int | None, info: ValidationInfo) -> int | None:
        count, pulse, cycle = (info.data.get(name, ...) for name in ("count", "pulse", "cycle"))
        if count is None and pulse is None:
            report([Finding("needs count or pulse", "the tag that tells of strokes", ("..",), is_missing=True)])
        if count not in (None, ...) and pulse not in (None, ...):
            report([Finding("and pulse: exclude each other", "remove one of the two", ("..", "count"))])
        if gap is not None and isinstance(cycle, Fraction) and gap <= cycle * SECOND:
            report([Finding("is not longer than one cycle", "then every cycle would be a stop")])
        return gap

    def inputs(self) -> dict[str, str]:
        """The counter."""
        return {"count": self.count or self.pulse or ""}

    @property
    def gap_ns(self) -> int:
        """Longer than this without a stroke is a stop."""
        return self.gap or _GAP_CYCLES * round(self.cycle * SECOND)

    def judge(self) -> Judge:
        """What judges it."""
        return PaceJudge(round(self.cycle * SECOND), self.gap_ns, self.pulse is not None)

    def rules(self) -> list[Any]:
        """All but the tag that moves the state."""
        return [str(self.cycle), self.gap or 0, self.pulse is not None]


def _row(entry: MachineState | Row) -> Row:
    return entry if isinstance(entry, tuple) else (entry, "")
