"""A serial line: who sets the pace, what leaves the line, what its stations lose."""

from __future__ import annotations

from fractions import Fraction

import pytest

from edge_agent.core.cell import Cell
from edge_agent.core.lineup import Cycles, Pace, Plan, Serial, Station, line_figures

S = 1_000_000_000
HOUR = 3600 * S


def station(*machines: str, every: int | None = None, **products: int) -> Station:
    cycles = {product: Fraction(cycle) for product, cycle in products.items()}
    ideal = None if every is None else Fraction(every)
    return Station(tuple(Cycles(machine, ideal, cycles) for machine in machines))


def made(good: int, scrap: int = 0, cycle: int = 10, run: int = HOUR) -> Cell:
    total = good + scrap
    return Cell(
        ct=HOUR, apt=run, adet_fault=HOUR - run, pq=total, gq=good, sq=scrap,
        ipt=Fraction(cycle * total), igt=Fraction(cycle * good),
    )  # fmt: skip


def test_the_slowest_station_sets_the_pace_product_by_product() -> None:
    line = Serial((station("cut", A=10, B=30), station("weld", A=20, B=25), station("pack", every=5)))
    assert line.pace("A") == Pace("weld", Fraction(20))
    assert line.pace("B") == Pace("cut", Fraction(30))


def test_machines_side_by_side_are_one_faster_station() -> None:
    line = Serial((station("p1", "p2", every=30), station("cnc", every=20)))
    assert line.stations[0].ideal("") == 15
    assert line.pace("") == Pace("cnc", Fraction(20))


@pytest.mark.parametrize(
    ("line", "pace"),
    [
        (Serial((station("cut", A=10), station("weld", A=20)), constraint="cut"), Pace("cut", Fraction(10))),
        (Serial((station("cut", A=10), station("weld", A=20)), design=Fraction(18)), Pace("weld", Fraction(18))),
        (Serial((station("cut", A=10), station("weld", B=20))), Pace("", None)),
    ],
    ids=["as named", "as designed", "not known"],
)
def test_what_the_site_file_says_of_the_pace_wins_and_what_nobody_knows_is_not_made_up(
    line: Serial, pace: Pace
) -> None:
    assert line.pace("A") == pace


def test_of_ideal_cycles_that_are_valid_by_date_those_of_the_windows_start_count() -> None:
    dated = Cycles("cut", Fraction(10), versions={"": [(HOUR, Fraction(8))]})
    line = Serial((Station((dated,)),))
    cells = {"cut": made(100)}
    for start, cycle in ((0, 10), (HOUR - 1, 10), (HOUR, 8)):
        found = line_figures(line, Plan(HOUR, 0, 0, HOUR), cells, {"": cells["cut"]}, start)
        assert found.ideal == 100 * cycle


def test_a_line_is_worth_what_leaves_it() -> None:
    line = Serial((station("cut", every=10), station("weld", every=12)))
    cells = {"cut": made(300, 20), "weld": made(240, 60, cycle=12, run=HOUR // 2)}
    found = line_figures(line, Plan(HOUR, 0, 0, HOUR), cells, {"": cells["weld"]})
    assert (found.entered, found.good, found.ideal, found.constraint) == (320, 240, 2880, "weld")
    assert found.kpi["line_oee"] == Fraction(2880, 3600)
    assert found.kpi["availability_iso"] == Fraction(1, 2)
    assert found.kpi["line_quality"] == Fraction(240, 320)
    assert found.kpi["line_quality_rty"] == Fraction(300, 320) * Fraction(240, 300)
    assert found.stations["weld"]["fall_off_ratio"] == Fraction(60, 320)


def test_each_product_that_leaves_counts_with_its_own_design_cycle() -> None:
    line = Serial((station("cut", A=10, B=30), station("weld", A=20, B=25)))
    out = {"A": made(70, cycle=20), "B": made(40, cycle=25)}
    cells = {"cut": made(100), "weld": out["A"] + out["B"]}
    found = line_figures(line, Plan(HOUR, 0, 0, HOUR), cells, out)
    assert found.ideal == 70 * 20 + 40 * 30
    assert found.constraint == "weld"


def test_pieces_of_a_product_nobody_knows_leave_the_lines_oee_undefined() -> None:
    line = Serial((station("cut", A=10), station("weld", A=20)))
    cells = {"cut": made(100), "weld": made(100)}
    found = line_figures(line, Plan(HOUR, 0, 0, HOUR), cells, {"A": made(60), "X": made(40)})
    assert (found.ideal, found.kpi["line_oee"]) == (None, None)


def test_a_line_that_made_nothing_has_an_oee_of_zero_and_no_yield() -> None:
    line = Serial((station("cut", A=10, B=30), station("weld", A=20, B=25)))
    idle = Cell(ct=HOUR, adot=HOUR)
    found = line_figures(line, Plan(HOUR, 0, 0, HOUR), {"cut": idle, "weld": idle}, {"": idle})
    assert found.kpi["line_oee"] == 0
    assert (found.kpi["line_quality"], found.kpi["line_quality_rty"]) == (None, None)
    assert found.constraint == "cut"


def test_without_planned_time_a_line_has_no_oee() -> None:
    line = Serial((station("cut", every=10),))
    assert line_figures(line, Plan(HOUR, HOUR, 0, 0), {"cut": made(1)}, {"": made(1)}).kpi["line_oee"] is None
