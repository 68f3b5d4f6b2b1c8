"""Energy of a machine: an additive vector of what its meters counted, by state, and what follows from it (domain 4.8).

Whole millijoules, so that both kilowatt-hours and megajoules, and a second of a small machine, are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Final, NamedTuple

from edge_agent.core.states import MachineState

WH: Final = 3_600_000           # mJ
KWH: Final = 1000 * WH
GROUPS: Final = ("e_run", "e_idle", "e_off", "e_other")
NOTHING: Final = Fraction(0)

ENERGY_INCOMPLETE: Final = "ENERGY_INCOMPLETE"
"""The flag of energy that is only the least it can have been: a meter was not readable, or was reset."""

_GROUP: Final[Mapping[MachineState, str]] = {
    MachineState.RUN: "e_run", MachineState.IDLE: "e_idle", MachineState.OFF: "e_off",
}  # fmt: skip


def group_of(state: MachineState) -> str:
    """Which of `GROUPS` takes the energy of a state: SETUP, FAULT, MAINT and UNKNOWN are other."""
    return _GROUP.get(state, "e_other")


class Factors(NamedTuple):
    """What a kWh of electricity stands for: `grid` kg of CO₂ (None: nobody said), `coal` kg of standard coal."""

    grid: Fraction | None
    coal: Fraction


@dataclass(frozen=True, slots=True)
class Energy:
    """What the meters of a machine counted in a stretch of time: `a + b` is exact, `Energy()` is its zero.

    With several meters the times of all are added up.
    """

    e_run: int = 0              # mJ while it ran
    e_idle: int = 0
    e_off: int = 0
    e_other: int = 0            # setup, fault, maintenance, unknown
    metered: int = 0            # ns, calendar time of the meters
    unmetered: int = 0          # ns, the part of it whose energy is not known, or not all of it
    unlimited: int = 0          # ns, the part of that for which nobody says how much it can have been at most
    most: int = 0               # mW·ns, what it can have been at most in the rest of it
    no_factor: int = 0          # mJ for which there is no grid factor
    co2: Fraction = NOTHING     # kg, location-based
    coal: Fraction = NOTHING    # kg of standard coal

    @property
    def e_total(self) -> int:
        """All that was counted, mJ."""
        return self.e_run + self.e_idle + self.e_off + self.e_other

    @property
    def is_known(self) -> bool:
        """Whether anything is known of it at all."""
        return self.metered > self.unmetered or self.e_total > 0

    def __add__(self, other: Energy) -> Energy:
        if not isinstance(other, Energy):
            return NotImplemented
        if other is NO_ENERGY:
            return self
        return Energy(*[getattr(self, name) + getattr(other, name) for name in NAMES])

    def to_dict(self) -> dict[str, int | str]:
        """JSON-safe and exact, without what is zero; whole numbers that need more than 64 bits are text, too."""
        found = {name: getattr(self, name) for name in NAMES}
        return {n: str(v) if isinstance(v, Fraction) or abs(v) > _WORD else v for n, v in found.items() if v}

    @classmethod
    def from_dict(cls, data: Mapping[str, int | str]) -> Energy:
        """What `to_dict` wrote. ValueError on a field this version does not know."""
        if not data:
            return NO_ENERGY
        if unknown := sorted(set(data) - set(NAMES)):
            raise ValueError(f"not fields of energy: {unknown}")
        return cls(**{name: Fraction(value) if name in ("co2", "coal") else int(value)  # type: ignore[arg-type]
                      for name, value in data.items()})


NAMES: Final = tuple(field.name for field in fields(Energy))
_WORD: Final = (1 << 63) - 1
NO_ENERGY: Final = Energy()


def energy_of(groups: Mapping[str, int], metered: int, unmetered: int, limit: int | None, factors: Factors) -> Energy:
    """The energy of one meter: mJ by group, times in ns, the most power it can have measured in mW."""
    total = sum(groups.values())
    kwh = Fraction(total, KWH)
    return Energy(
        **{group: groups.get(group, 0) for group in GROUPS},
        metered=metered,
        unmetered=unmetered,
        unlimited=unmetered if limit is None else 0,
        most=unmetered * (limit or 0),
        no_factor=total if factors.grid is None else 0,
        co2=kwh * (factors.grid or 0),
        coal=kwh * factors.coal,
    )


def energy_kpis(energy: Energy, pq: int, gq: int) -> dict[str, Fraction | None]:
    """Energy, carbon and standard coal, and each per piece (ISO 22400-2, comprehensive energy consumption).

    Without pieces the energy stays and the ratios are `None`; with nothing metered all are. Where a part was not
    metered the energy is the least it can have been; see `energy_bounds` and `energy_coverage`.
    """
    total = Fraction(energy.e_total, KWH) if energy.is_known else None
    carbon = None if energy.no_factor or not energy.is_known else energy.co2
    coal = energy.coal if energy.is_known else None
    return {
        "total_kwh": total,
        "kwh_per_piece": _per(total, pq),
        "kwh_per_good_piece": _per(total, gq),
        "idle_share": _per(Fraction(energy.e_idle), energy.e_total),
        "kg_co2": carbon,
        "g_co2_per_good_piece": _per(None if carbon is None else carbon * 1000, gq),
        "kgce": coal,
        "kgce_per_piece": _per(coal, pq),
        "energy_coverage": _per(Fraction(energy.metered - energy.unmetered), energy.metered),
    }


def energy_bounds(energy: Energy) -> dict[str, tuple[Fraction, Fraction]]:
    """What the energy can have been at least and at most, kWh; nothing where nobody knows the most."""
    if not energy.unmetered or energy.unlimited:
        return {}
    least = Fraction(energy.e_total, KWH)
    return {"total_kwh": (least, least + Fraction(energy.most, 1_000_000_000 * KWH))}


def _per(amount: Fraction | None, number: int) -> Fraction | None:
    return amount / number if amount is not None and number else None
