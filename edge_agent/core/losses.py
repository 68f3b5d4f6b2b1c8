"""Where planned busy time went: step by step, and as the Six Big Losses (domain 1.3; names after Nakajima)."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

from edge_agent.core.cell import Cell
from edge_agent.core.kpi import SECOND, waterfall

# Planned busy time first, then what takes from it, ending with what is left: planning, stops, speed, quality.
ORDER: Final = ("no_order", "maint", "other", "fault", "setup", "micro", "unknown", "speed", "quality", "good")


class Step(NamedTuple):
    """One step of the waterfall, seconds: `before` it and `after` it on the way from planned to good time."""

    key: str
    value: Fraction
    before: Fraction
    after: Fraction


def steps(cell: Cell) -> list[Step]:
    """The waterfall; the values add up to planned busy time exactly."""
    values = waterfall(cell)
    at = Fraction(cell.pbt, SECOND)
    found = []
    for key in ORDER:
        value = values[key]
        after = Fraction(0) if key == "good" else at - value
        found.append(Step(key, value, at, after))
        at = after
    return found


def six_big_losses(cell: Cell) -> dict[str, Fraction]:
    """Breakdowns, setup, small stops, reduced speed, defects in the steady run, rejects while starting up.

    Reduced speed is negative where performance exceeds 1. With the ideal time of the good pieces they add up
    to planned busy time, less what the six have no name for: `unclassified`.
    """
    run = Fraction(cell.apt + cell.credited, SECOND)
    other = cell.adet_other + cell.maint + cell.adot + cell.unk - cell.excluded - cell.credited
    return {
        "breakdowns": Fraction(cell.adet_fault, SECOND),
        "setup_and_adjustment": Fraction(cell.aust, SECOND),
        "small_stops": Fraction(cell.micro, SECOND),
        "reduced_speed": run - cell.ipt,
        "defects": cell.ipt - cell.igt - cell.ist,
        "startup_rejects": cell.ist,
        "unclassified": Fraction(other, SECOND),
    }
