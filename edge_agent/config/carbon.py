"""`carbon:`: what a kWh of electricity stands for in CO₂ and in standard coal (domain 4.8); factors are dated."""

from __future__ import annotations

import csv
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import Field, ValidationInfo, field_validator

from edge_agent.api import StrictModel
from edge_agent.config.finding import Finding, did_you_mean, report
from edge_agent.core.energy import Factors

COAL: Final = Fraction("0.1229")
"""kg of standard coal a kWh is equal to (当量值), not what it takes to make one"""
COAL_SOURCE: Final = "GB/T 2589-2020, equivalent value"

# A kWh from the dirtiest coal has 1.3 kg: more is grams, or a MWh.
_MOST: Final = 3.0


class GridFactor(NamedTuple):
    """kg of CO₂ a kWh from the grid of a region, location-based, of one year; `name` in the region's language."""

    region: str
    name: str
    year: int
    factor: Fraction
    source: str


@lru_cache(1)
def grid_factors() -> tuple[GridFactor, ...]:
    """All that are shipped, in `grid_factors.csv`."""
    with (Path(__file__).parent / "grid_factors.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            GridFactor(row["region"], row["name"], int(row["year"]), Fraction(row["kg_co2_per_kwh"]), row["source"])
            for row in csv.DictReader(file)
        )


class CarbonModel(StrictModel):
    """Which grid factor counts: that of a region and year, or one of your own."""

    region: str | None = None
    """region of the grid, such as cn-east or 华东; or `factor`"""
    year: int | None = None
    """year of the factor; default the latest there is of the region"""
    source: str = ""
    """with `factor`: where it is from; told in every record"""
    factor: float | None = Field(default=None, gt=0, le=_MOST, validate_default=True)
    """kg of CO2 per kWh, instead of `region`: from a contract, or newer than what is shipped"""

    @field_validator("region")
    @classmethod
    def _is_known(cls, region: str | None) -> str | None:
        known = {name: one.region for one in grid_factors() for name in (one.region, one.name)}
        if region is not None and region not in known:
            near = did_you_mean(region, known)
            hint = near if near.startswith("did") else f"regions: {', '.join(sorted(set(known.values())))}"
            report([Finding("names no region with a grid factor", hint)])
        return None if region is None else known[region]

    # On the last field, so that it runs whatever was given.
    @field_validator("factor")
    @classmethod
    def _is_one_of_two(cls, factor: float | None, info: ValidationInfo) -> float | None:
        region, year = info.data.get("region"), info.data.get("year")
        if "region" in info.data and (region is None) == (factor is None):
            what, at = ("needs region or factor", ("..",)) if factor is None else ("and region: exclude each other", ())
            report([Finding(what, "write region: cn-east, or factor: 0.42 with source:", at)])
        years = [one.year for one in grid_factors() if one.region == region]
        if region is not None and year is not None and year not in years:
            hint = f"years of {region}: {', '.join(map(str, years))}; or write factor: and source:"
            report([Finding("there is no factor of this year", hint, ("..", "year"))])
        if factor is not None and not info.data.get("source"):
            hint = "say where the factor is from, such as source: contract of 2026 with the supplier"
            report([Finding("is missing", hint, ("..", "source"), is_missing=True)])
        return factor

    def chosen(self) -> GridFactor:
        """The factor that counts."""
        if self.factor is not None:
            return GridFactor("own", "", self.year or 0, Fraction(str(self.factor)), self.source)
        of_region = [one for one in grid_factors() if one.region == self.region and self.year in (None, one.year)]
        return max(of_region, key=lambda one: one.year)


def factors(model: CarbonModel | None) -> Factors:
    """What a kWh stands for; without a section nobody says from which grid it is."""
    return Factors(None if model is None else model.chosen().factor, COAL)


def label(model: CarbonModel | None) -> dict[str, Any]:
    """The same for the KPI record: what counts, of when and from where."""
    coal = {"kgce_per_kwh": float(COAL), "kgce_source": COAL_SOURCE}
    if model is None:
        return coal
    one = model.chosen()
    grid = {"region": one.region, "year": one.year or None, "kg_co2_per_kwh": float(one.factor), "source": one.source}
    return {**grid, "method": "location-based", **coal}
