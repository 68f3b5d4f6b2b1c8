"""What a machine is fitted with beside its counters: meters and gauges, and what a kWh of it stands for."""

from __future__ import annotations

from typing import Final, NamedTuple

from edge_agent.core.capability import Characteristic
from edge_agent.core.energy import NOTHING, Factors


class Fitted(NamedTuple):
    """What a machine is fitted with.

    `meters`: name → the most power each can measure, mW (None: nobody says); `gauges`: characteristics, and whether
    each has a trigger; `factors`: what a kWh stands for.
    """

    meters: tuple[tuple[str, int | None], ...] = ()
    gauges: tuple[tuple[Characteristic, bool], ...] = ()
    factors: Factors = Factors(None, NOTHING)


NOT_FITTED: Final = Fitted()
