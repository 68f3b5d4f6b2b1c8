"""KPIs are functions of a cell: exact, undefined where nothing divides, never capped in secret."""

from __future__ import annotations

from fractions import Fraction

import pytest

from edge_agent.core import kpi
from edge_agent.core.cell import Cell
from edge_agent.core.reliability import reliability_of

S = 1_000_000_000
HOUR = 3600 * S


def shift(**more: int | Fraction) -> Cell:
    """Eight hours, seven of them run, 2000 pieces at 10 s, 100 scrap."""
    made: dict[str, int | Fraction] = {"ct": 8 * HOUR, "apt": 7 * HOUR, "adet_fault": HOUR, "cmt": HOUR,
            "pq": 2000, "gq": 1900, "sq": 100, "ipt": Fraction(20000), "igt": Fraction(19000)}
    return Cell(**{**made, **more})  # type: ignore[arg-type]


def test_oee_is_availability_times_performance_times_quality() -> None:
    values = kpi.kpis(shift())
    a, p, q, oee = (values[n] for n in ("availability_classic", "performance_classic", "quality_time", "oee"))
    assert a == Fraction(7, 8)
    assert p == Fraction(20000, 25200)
    assert q == Fraction(19, 20)
    assert a is not None
    assert p is not None
    assert oee == a * p * q == Fraction(19000, 28800)


def test_nothing_planned_leaves_oee_undefined_and_teep_zero() -> None:
    values = kpi.kpis(Cell(ct=HOUR, nst=HOUR))
    assert values["teep"] == 0
    assert all(value is None for name, value in values.items() if name != "teep")
    assert kpi.flags(Cell(ct=HOUR, nst=HOUR)) == [kpi.NO_PLANNED_TIME]


def test_an_empty_cell_has_no_figures_and_no_flags() -> None:
    assert set(kpi.kpis(Cell()).values()) == {None}
    assert kpi.flags(Cell()) == []
    assert kpi.bounds(Cell()) == {}


def test_planned_time_with_nothing_good_has_oee_zero() -> None:
    assert kpi.kpis(Cell(ct=HOUR, adet_fault=HOUR))["oee"] == 0
    assert kpi.kpis(Cell(ct=HOUR, apt=HOUR, pq=5, sq=5, ipt=Fraction(50)))["oee"] == 0


def test_performance_above_one_is_reported_and_flagged() -> None:
    fast = shift(ipt=Fraction(30000), igt=Fraction(28500))
    assert kpi.kpis(fast)["performance_classic"] == Fraction(30000, 25200)
    assert kpi.PERFORMANCE_GT_1 in kpi.flags(fast)
    assert kpi.capped(fast) == {
        "performance_capped": 1, "quality_capped": Fraction(19, 20),
        "oee_with_capped_performance": Fraction(7, 8) * Fraction(19, 20),
    }


def test_pieces_without_an_ideal_cycle_spoil_what_needs_it_and_nothing_else() -> None:
    values = kpi.kpis(shift(unrated=1))
    assert values["availability_classic"] == Fraction(7, 8)
    assert values["quality_count"] == Fraction(19, 20)
    for name in ("performance_classic", "effectiveness_iso", "quality_time", "oee", "ooe", "teep", "nee"):
        assert values[name] is None
    assert kpi.flags(shift(unrated=1)) == [kpi.PRU_MISSING]


def test_flags_say_what_to_doubt() -> None:
    assert kpi.flags(shift()) == []
    assert kpi.flags(shift(apt=0, adot=7 * HOUR)) == [kpi.COUNT_WITHOUT_RUN]
    assert kpi.flags(shift(gq=-1)) == [kpi.COUNT_SKEW]
    assert kpi.flags(shift(unk=HOUR, unk_raw=HOUR)) == [kpi.LOW_CONFIDENCE]
    assert kpi.flags(shift(unk=HOUR, unk_raw=HOUR), min_coverage=0.5) == []
    assert kpi.flags(shift(maint=HOUR, pmt=HOUR)) == [kpi.MAINT_IN_PLAN]
    assert kpi.flags(shift(maint=HOUR, cmt=2 * HOUR)) == []


def test_setup_is_a_loss_in_oee_and_none_in_nee() -> None:
    values = kpi.kpis(shift(aust=HOUR, adet_fault=0, cmt=0))
    assert values["nee"] is not None
    assert values["oee"] is not None
    assert values["nee"] / values["oee"] == Fraction(8, 7)


def test_excluded_time_leaves_planned_busy_time_but_not_the_coverage() -> None:
    cell = shift(unk=HOUR, unk_raw=HOUR, excluded=HOUR)
    assert cell.pbt == 8 * HOUR
    assert kpi.coverage(cell) == Fraction(8, 9)


def test_a_lost_counter_makes_oee_an_interval_and_a_persistent_one_does_not() -> None:
    cell = shift(adet_fault=0, cmt=0, unk=HOUR, unk_raw=HOUR, igt_gap=Fraction(1900))
    known, lost = kpi.bounds(cell), kpi.bounds(cell, counter_persists=False)
    assert known["oee"] == (Fraction(19000, 28800),) * 2
    assert lost["oee"] == (Fraction(17100, 28800), Fraction(17100 + 3600, 28800))
    assert known["availability"] == (Fraction(7, 8), Fraction(1))
    assert known["performance"] == (Fraction(20000, 28800), Fraction(20000, 25200))


def test_the_waterfall_ends_at_planned_busy_time() -> None:
    cell = shift(micro=S, aust=2 * S, adet_other=3 * S, maint=4 * S, adot=5 * S, unk=9 * S, credited=6 * S)
    steps = kpi.waterfall(cell)
    assert sum(steps.values()) == Fraction(cell.pbt, S)
    assert [steps["good"], steps["quality"], steps["unknown"]] == [19000, 1000, 3]


@pytest.mark.parametrize("fe", [0, 2])
def test_mtbf_needs_a_failure(fe: int) -> None:
    found = reliability_of(shift(fe=fe, n_ttr_closed=fe, ttr_sum=HOUR if fe else 0))
    assert found["mtbf_s"] == (Fraction(7 * 1800) if fe else None)
    assert found["mttr_s"] == (1800 if fe else None)
    assert found["mtbf_s_fe_plus_1"] == Fraction(7 * 3600, fe + 1)
    assert found["corrective_maintenance_ratio"] == 1
