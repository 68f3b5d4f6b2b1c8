"""Serial lines: several stations one after the other, one constraint (domain 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from edge_agent.core.kpi import ratio


@dataclass(frozen=True, slots=True)
class Station:
    """One station of a line: its ideal cycle in seconds and what it made."""

    name: str
    ideal: Fraction
    total: int
    good: int


@dataclass(frozen=True, slots=True)
class LineKpis:
    """KPIs of a serial line; undefined is `None`."""

    station_oee: dict[str, Fraction | None]
    line_oee: Fraction | None           # what left the line good, at the line's design cycle
    constraint_oee: Fraction | None     # of the slowest station
    mean_oee: Fraction | None           # mean over stations, weighted by planned busy time: says little
    rty: Fraction | None                # rolled throughput yield: product of the stations' yields


def line_kpis(
    pbt: Fraction, stations: Sequence[Station], end_good: int, design_cycle: Fraction | None = None
) -> LineKpis:
    """`pbt` is the line calendar's planned busy time in seconds, `end_good` what left the line good.

    `design_cycle` is the ideal cycle of the slowest station unless given. ValueError without stations.
    """
    if not stations:
        raise ValueError("a line has at least one station")
    slowest = max(stations, key=lambda station: station.ideal)
    each = {station.name: ratio(station.ideal * station.good, pbt) for station in stations}
    ideal_sum = sum((station.ideal * station.good for station in stations), Fraction(0))
    rty: Fraction | None = Fraction(1)
    for station in stations:
        passed = ratio(station.good, station.total)
        rty = None if rty is None or passed is None else rty * passed
    return LineKpis(
        station_oee=each,
        line_oee=ratio((design_cycle or slowest.ideal) * end_good, pbt),
        constraint_oee=each[slowest.name],
        mean_oee=ratio(ideal_sum, pbt * len(stations)),
        rty=rty,
    )
