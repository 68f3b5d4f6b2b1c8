"""The Six Big Losses of planned busy time, seconds (domain 1.3; names after Nakajima)."""

from __future__ import annotations

from fractions import Fraction

from edge_agent.core.cell import Cell

SECOND = 1_000_000_000


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
