"""`machines.<id>.characteristics`: what is measured of the pieces, for Cp, Cpk and their relatives."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from edge_agent.api import StrictModel
from edge_agent.config.finding import Finding, report
from edge_agent.config.names import NumberTagRef
from edge_agent.core.capability import Characteristic


class CharacteristicModel(StrictModel):
    """A measured characteristic and its limits."""

    tag: NumberTagRef
    """device.tag with the measured value"""
    trigger: NumberTagRef | None = None
    """device.tag that changes with each measurement, such as a counter of pieces; without it each change of the value
    is one, and of two equal values in a row only the first"""
    product: str | None = None
    """only while this product is made; default any"""
    subgroup: int = Field(default=1, ge=1, le=100)
    """so many measurements in a row are a subgroup, for Cp and Cpk; 1: no subgroups, and neither of the two"""
    lsl: float = Field(allow_inf_nan=False)
    """lower specification limit, in the tag's unit"""
    usl: float = Field(allow_inf_nan=False)
    """upper specification limit"""

    @field_validator("usl")
    @classmethod
    def _is_above(cls, usl: float, info: ValidationInfo) -> float:
        if "lsl" in info.data and usl <= info.data["lsl"]:
            hint = f"lsl is {info.data['lsl']:g}; a characteristic needs room between both"
            report([Finding("is not above lsl", hint)])
        return usl

    def core(self, name: str) -> Characteristic:
        """The characteristic of this name."""
        return Characteristic(name, self.lsl, self.usl, self.subgroup, self.product or "")
