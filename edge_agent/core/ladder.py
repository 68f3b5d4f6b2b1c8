"""The digitalisation ladder as seen from one device: what it should tell, and what the next level lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edge_agent.core import digital
from edge_agent.core.batch import Int64s
from edge_agent.core.digital import Device

# The least a device should tell of its machine (domain 4.7).
IDENTITY: Final = "identity"
STATE: Final = "state"
TOTAL: Final = "total count"
SCRAP: Final = "scrap or good count"
CYCLE: Final = "cycle time or job"
POWER: Final = "power or energy"
ALARM: Final = "alarm"
REQUIRED: Final = (IDENTITY, STATE, TOTAL, SCRAP, CYCLE, POWER, ALARM)

MEASURED: Final = Fraction(19, 20)
"""Share of the planned time with data from which on an OEE counts as measured (domain 4.7, L4)."""

_NEVER_SEEN: Final = "no good sample has come from it yet"
_NOT_CONNECTED: Final = "not connected in the last seven days"
_NO_MACHINE: Final = "no machine with a calendar takes both its state and its counts from this device"
_NOT_SEMANTIC: Final = (
    "a standard semantic model, a registered identifier, alarms and classified data northbound: "
    "the site file cannot declare them yet"
)


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFacts:
    """What the site file says of one device.

    `tags` are its positions, `stale_ns` the time each of them may be silent, shape (its tags,);
    `mapped` is what of REQUIRED it is known to tell; `machines` are those that draw their state and
    counts from it and have an ideal cycle and a calendar: it is OEE-ready when all are measured.
    """

    id: str
    tags: slice
    stale_ns: Int64s
    mapped: frozenset[str] = frozenset({IDENTITY})
    machines: tuple[str, ...] = ()

    @property
    def coverage(self) -> Fraction:
        """Share of REQUIRED that is mapped."""
        return Fraction(sum(name in self.mapped for name in REQUIRED), len(REQUIRED))


def missing(facts: DeviceFacts, device: Device, coverage: Mapping[str, Fraction]) -> list[str]:
    """What stands between the device and the level above its own, in words; empty at the top.

    `coverage` is the data coverage of each machine's OEE.
    """
    level = digital.level(device)
    if level == 0:
        return [_NEVER_SEEN]
    if level == 1:
        never = [] if device.connected else [_NOT_CONNECTED]
        return never + _short("online", device.online_ratio, digital.ONLINE_L2)
    if level == 2:
        return _incomplete(facts, device)
    if level == 3:
        return unmeasured(facts, coverage) if facts.machines else [_NO_MACHINE]
    return [_NOT_SEMANTIC] if level < digital.TOP else []


def unmeasured(facts: DeviceFacts, coverage: Mapping[str, Fraction]) -> list[str]:
    """Of the device's machines those whose OEE has too little data, in words."""
    covered = {machine: coverage.get(machine, Fraction(0)) for machine in facts.machines}
    return [said for machine, c in covered.items() for said in _short(f"OEE data of {machine}", c, MEASURED)]


def _incomplete(facts: DeviceFacts, device: Device) -> list[str]:
    unmapped = ", ".join(name for name in REQUIRED if name not in facts.mapped)
    return [
        *_short("online", device.online_ratio, digital.ONLINE_L3),
        *_short("required tags", device.tag_coverage, digital.COVERAGE_L3, f"; not mapped: {unmapped}"),
        *_short("completeness", device.completeness, digital.COMPLETE_L3),
        *_short("timeliness", device.timeliness, digital.TIMELY_L3),
    ]


def _short(what: str, value: Fraction, needed: Fraction, more: str = "") -> list[str]:
    """One line if `value` is too small, rounded down so that it never looks like enough."""
    if value >= needed:
        return []
    return [f"{what} {int(value * 1000) / 10} %, {int(needed * 100)} % needed{more}"]
