"""What may be wrong on a wire: the faults' names, what may be said of each, how they are written. Pure.

    NAME[:KEY=VALUE,…]      black-hole      delay:by=300ms      cut:after=8,way=down

`up` is towards the target (a device, a broker), `down` is from it. A wire is TCP: what is lost on a real one is
repeated and comes late, in order, so that is how `lose` shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.core.quantity import NS, format_ns
from edge_agent_hil.fault_text import Kinds, Parse, choice, fields, flag, number, parts, positive, seconds, share

UP, DOWN, BOTH = "up", "down", "both"


@dataclass(frozen=True, slots=True)
class WireFault:
    """One fault with everything said of it. `wire_fault` makes one with what holds where nothing is said."""

    name: str
    way: str = BOTH
    by_s: float = 0.0
    """`delay`: seconds; `jitter`: at most so many"""
    rate: int = 0
    """`throttle`: bytes a second, each way"""
    after: tuple[int, int] = (0, 0)
    """`cut`: bytes that still pass on a connection, drawn from the range, both ends within"""
    share: float = 0.0
    """`corrupt`, `duplicate`, `lose`: of the pieces that pass"""
    at: int | None = None
    """`corrupt`: which byte of a piece, from 0; None: any"""
    every_s: float = 0.0
    """`reset`: again and again; 0: once"""
    keep: bool = False
    """`refuse`: connections that are there stay"""

    def __str__(self) -> str:
        values = ((key, field, getattr(self, field)) for key, (field, _, _) in KINDS[self.name].items())
        said = ",".join(f"{key}={_text(field, value)}" for key, field, value in values if value is not None)
        return f"{self.name}:{said}" if said else self.name

    def concerns(self, way: str) -> bool:
        """Whether it touches what goes that way."""
        return self.way in (BOTH, way)


def span(text: str) -> tuple[int, int]:
    """`8` → (8, 8); `5000-50000` as it stands."""
    low, _, high = text.partition("-")
    if not (low.isdigit() and (high or low).isdigit()) or not int(low) <= int(high or low):
        raise ValueError("is no number of bytes; write one such as 8, or a range such as 5000-50000 to draw from")
    return int(low), int(high or low)


_WAY: Final[tuple[str, Parse, Any]] = ("way", choice(UP, DOWN, BOTH), BOTH)
KINDS: Final[Kinds] = {
    "refuse": {"keep": ("keep", flag, False)},
    "reset": {"every": ("every_s", seconds, 0.0)},
    "black-hole": {"way": _WAY},
    "half-open": {},
    "delay": {"by": ("by_s", positive, 0.3), "way": _WAY},
    "jitter": {"by": ("by_s", positive, 0.2), "way": _WAY},
    "throttle": {"rate": ("rate", number(1, 10**9), 1000), "way": _WAY},
    # Less than the shortest answer of Modbus TCP, an exception of 9 bytes.
    "cut": {"after": ("after", span, (8, 8)), "way": ("way", _WAY[1], DOWN)},
    "corrupt": {"share": ("share", share, 0.1), "at": ("at", number(0, 65535), None), "way": _WAY},
    "duplicate": {"share": ("share", share, 0.1), "way": _WAY},
    "lose": {"share": ("share", share, 0.1), "way": _WAY},
}


def wire_fault(name: str, said: Mapping[str, object] | None = None) -> WireFault:
    """`wire_fault("delay", {"by": "300ms"})`; ValueError names the key, its value and what would be right."""
    return WireFault(name, **fields("a wire", KINDS, name, said or {}))


def parse_wire_fault(text: str) -> WireFault:
    """`delay:by=300ms,way=up` → a WireFault; ValueError as above."""
    return wire_fault(*parts(text))


def _text(field: str, value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return format_ns(round(value * NS["s"])) if field.endswith("_s") else f"{value:g}"
        case (low, high):
            return f"{low}-{high}" if low != high else f"{low}"
    return str(value)
