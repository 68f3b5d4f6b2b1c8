"""`machines.<id>.energy`: the meters of a machine, and how their registers are to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil
from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from edge_agent.api import StrictModel, TagConfig
from edge_agent.config.explain import Found
from edge_agent.config.finding import Finding, report
from edge_agent.config.names import Id, NumberTagRef
from edge_agent.core.energy import KWH, WH
from edge_agent.core.meter import MeterSpec

MAIN: Final = ""
"""name of the first meter of a machine"""

UNITS: Final[Mapping[str, int]] = {
    "W.h": WH, "Wh": WH, "kW.h": KWH, "kWh": KWH, "MW.h": 1000 * KWH, "MWh": 1000 * KWH,
    "J": 1000, "kJ": 1_000_000, "MJ": 10**9, "GJ": 10**12,
}  # fmt: skip
"""mJ by the unit of a register, as UCUM and as people write it"""

# What a machine can draw where nobody says: little enough to tell a reset from a roll-over, more than a press has.
MAX_KW: Final = 1000.0

# A float is kept in whole mWh; one of joules in whole mJ.
_GRAIN: Final = WH // 1000

# A register that is no whole number steps on by what its float can tell apart: up to so much at once.
_FLOAT_ROOM: Final = KWH

# Meters write what they have measured into their registers now and then only, down to once a minute.
_UPDATE_S: Final = 60


class MeterModel(StrictModel):
    """A cumulative register of electric energy."""

    tag: NumberTagRef
    """device.tag that only grows: the energy since the meter was installed"""
    unit: Literal["Wh", "W.h", "kWh", "kW.h", "MWh", "MW.h", "J", "kJ", "MJ", "GJ"] | None = None
    """what it counts; default the unit of the tag"""
    factor: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """energy is so many times what the meter says, such as the ratio of its transformers"""
    bits: Literal[16, 32, 64] | None = None
    """width at which the register wraps to 0; default that of its tag's type; a float does not wrap"""
    rollover: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """instead of `bits`: value, as the tag has it, at which a decimal register begins again, such as 1000000"""
    max_kw: float | None = Field(default=None, gt=0, allow_inf_nan=False, validate_default=True)
    """most power it can measure, kW: what grows faster is a wrong reading; default 1000 for that, and no upper bound"""

    @field_validator("max_kw")
    @classmethod
    def _wraps_once(cls, limit: float | None, info: ValidationInfo) -> float | None:
        if info.data.get("bits") is not None and info.data.get("rollover") is not None:
            report([Finding("and bits: exclude each other", "remove one of the two", ("..", "rollover"))])
        return limit

    def spec(self, name: str, tag: TagConfig) -> MeterSpec:
        """How the core reads it; `tag` is the configuration of its tag."""
        unit = UNITS[self.unit or tag.unit]
        width = self.bits or tag.bits()
        whole = tag.whole() or width is not None
        grain = _GRAIN if unit % _GRAIN == 0 else 1
        step = Fraction(str(tag.scale)) if whole else Fraction(grain, unit)
        energy = unit * step * Fraction(str(self.factor))
        modulus = (1 << width) if width is not None and whole else None
        if self.rollover is not None:
            modulus = round(Fraction(str(self.rollover)) / step)
        rate = Fraction(str(self.max_kw or MAX_KW)) * 1_000_000 / energy
        jump = ceil(Fraction(str(tag.deadband)) / step) + ceil(rate * _UPDATE_S)
        return MeterSpec(
            name,
            step=float(step),
            offset=tag.offset if whole else 0.0,
            energy=energy,
            modulus=modulus,
            rate=rate,
            room=1 + jump if whole else ceil(_FLOAT_ROOM / energy) + jump,
            limit=None if self.max_kw is None else round(self.max_kw * 1_000_000),
            holds=tag.deadband == 0,
        )


class EnergyModel(MeterModel):
    """The electric energy of a machine: one meter, or several that are added up."""

    others: Mapping[Id, MeterModel] = Field(default_factory=dict)
    """further meters of the machine: id → the same keys"""

    def meters(self) -> dict[str, MeterModel]:
        """All meters by name."""
        return {MAIN: self, **self.others}


def without_unit(machines: Mapping[str, Any], devices: Mapping[str, Any]) -> Iterator[Found]:
    """A mistake for each meter of which neither the machine nor its tag says what it counts."""
    for machine, model in machines.items():
        for name, meter in model.energy.meters().items() if model is not None and model.energy else ():
            device, _, tag = meter.tag.partition(".")
            config = devices.get(device) and devices[device].tags.get(tag)
            if not config or (meter.unit or config.unit) in UNITS:
                continue
            key = ("machines", machine, "energy", *(("others", name) if name else ()), "unit")
            what = f"is missing, and the unit of {meter.tag} is {config.unit or 'not written'}"
            known = ", ".join(unit for unit in UNITS if "." not in unit)
            yield Found(key, what, f"write one of {known}", role="missing")
