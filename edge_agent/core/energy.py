"""Energy per piece, carbon and standard coal (domain 4.8); exact fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from edge_agent.core.kpi import ratio


def energy_kpis(
    kwh_by_state: Mapping[str, Fraction], pq: int, gq: int, grid_factor: Fraction, kgce_per_kwh: Fraction
) -> dict[str, Fraction | None]:
    """`grid_factor` in kg CO₂ per kWh: location-based, dated, and to be published with year and region.

    Standard coal at the equivalent value (当量值, GB/T 2589). Without pieces the energy stays and the
    ratios are `None`.
    """
    total = sum(kwh_by_state.values(), Fraction(0))
    carbon = total * grid_factor
    return {
        "total_kwh": total,
        "kwh_per_piece": ratio(total, pq),
        "kwh_per_good_piece": ratio(total, gq),
        "idle_share": ratio(kwh_by_state.get("IDLE", Fraction(0)), total),
        "kg_co2": carbon,
        "g_co2_per_good_piece": ratio(carbon * 1000, gq),
        "kgce": total * kgce_per_kwh,
    }


def register_kwh(raw: Sequence[int], bits: int, scale: Fraction) -> Fraction:
    """kWh between the first and the last reading of a register that rolls over, `scale` kWh a count."""
    steps = ((after - before) % (1 << bits) for before, after in pairwise(raw))
    return sum(steps) * scale
