"""Data that cannot be true: flagged, bounded and shown as they are, never clipped away and never silently believed."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import kpi
from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.counters import Counter
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.quality import GOOD, Reason
from edge_agent.core.report import Report, Window
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag
from edge_agent.encode.kpi_record import kpi_record

S = 1_000_000_000
HOUR = 3600 * S
STATE, TOTAL, SCRAP = (Tag(n, "plc", name, Kind.INT) for n, name in enumerate(("state", "total", "scrap")))
IDLE, RUN = 0, 1


def record(*samples: tuple[Tag, float, float] | tuple[Tag, float, float, int], ideal: Fraction = Fraction(2)) -> Any:
    """The record of an hour of one machine that should take `ideal` seconds a piece; samples at seconds of it."""
    held = Machine(MachineSpec(
        id="m", state=STATE, states={IDLE: MachineState.IDLE, RUN: MachineState.RUN}, policy=Policy(), ideal=ideal,
        calendar=Calendar("UTC", shifts=None), counts={"total": TOTAL, "scrap": SCRAP}, patience_ns=600 * S,
        counters={source: lambda: Counter(32, 10) for source in ("total", "scrap")},
    ))  # fmt: skip
    rows = [(*row, GOOD)[:4] for row in samples]
    held.feed(Batch(
        np.array([row[0].position for row in rows], np.int32), np.array([row[1] * S for row in rows], np.int64),
        np.array([row[2] for row in rows], float), np.array([row[3] for row in rows], np.uint8),
    ))  # fmt: skip
    cell = held.ledger.cell(0, HOUR)
    window = Window("hour", "hour", 0, HOUR, date(1970, 1, 1), "UTC")
    return kpi_record(Report("m", window, 0, True, HOUR, "", cell, held.spec.flags(cell)))


def test_performance_over_one_is_shown_with_a_second_figure_limited_to_one() -> None:
    """3000 pieces of 2 s in an hour."""
    said = record((STATE, 0, RUN), (SCRAP, 0, 0), *((TOTAL, t, t * 3000 // 3600) for t in range(0, 3601, 6)))
    assert said["flags"] == ["PERFORMANCE_GT_1"]
    assert said["kpi"]["performance_classic"] == pytest.approx(5 / 3)
    assert said["kpi"]["oee"] == pytest.approx(5 / 3)
    assert said["capped"] == {"performance_capped": 1, "quality_capped": 1, "oee_with_capped_performance": 1}
    assert said["losses_s"]["speed"] == -2400, "the waterfall still adds up to planned busy time"


def test_scrap_above_total_is_shown_as_it_is_with_a_quality_limited_to_what_can_be() -> None:
    said = record((STATE, 0, RUN), (TOTAL, 0, 0), (SCRAP, 0, 0), (TOTAL, 1800, 100), (SCRAP, 1800, 130))
    assert said["flags"] == ["COUNT_SKEW"]
    assert (said["counts"]["pq"], said["counts"]["sq"], said["counts"]["gq"]) == (100, 130, -30)
    assert said["kpi"]["quality_count"] == pytest.approx(-0.3)
    assert said["capped"]["quality_capped"] == 0
    assert said["capped"]["oee_with_capped_performance"] == 0
    assert said["kpi"]["oee"] < 0


def test_pieces_of_a_machine_that_never_ran_are_counted_and_flagged() -> None:
    said = record((STATE, 0, IDLE), (TOTAL, 0, 0), (SCRAP, 0, 0), (TOTAL, 1800, 100))
    assert said["flags"] == ["COUNT_WITHOUT_RUN"]
    assert (said["counts"]["pq"], said["kpi"]["availability_iso"], said["kpi"]["effectiveness_iso"]) == (100, 0, None)


def test_a_machine_that_runs_and_makes_nothing_is_flagged_after_its_patience() -> None:
    said = record((STATE, 0, RUN), (TOTAL, 0, 7), (SCRAP, 0, 0), (TOTAL, 3599, 7))
    assert said["flags"] == ["RUN_WITHOUT_COUNT"]
    assert (said["kpi"]["availability_iso"], said["kpi"]["oee"]) == (1, 0)
    said = record((STATE, 0, RUN), (STATE, 600, IDLE), (TOTAL, 0, 7), (SCRAP, 0, 0))
    assert said["flags"] == [], "ten minutes are not beyond ten minutes"


def test_a_source_time_that_cannot_be_true_is_replaced_and_flagged() -> None:
    """What comes of it has the time at which it was received, and says so in every window it touches."""
    said = record((STATE, 0, RUN), (TOTAL, 0, 0), (SCRAP, 0, 0), (TOTAL, 1800, 90, GOOD | Reason.CLOCK))
    assert said["flags"] == ["TIME_REPLACED"]
    assert said["counts"]["pq"] == 90


def test_a_jump_that_no_machine_makes_is_not_counted() -> None:
    """Ten pieces a second at most: 10 million within a second is another counter, not production."""
    said = record((STATE, 0, RUN), (TOTAL, 0, 0), (SCRAP, 0, 0), (TOTAL, 1, 10_000_000), (TOTAL, 2, 10_000_005),
                  (TOTAL, 1800, 10_000_100))  # fmt: skip
    assert said["counts"]["pq"] == 100


counts, times = st.integers(-50, 200), st.integers(0, HOUR)


@given(counts, counts, counts, times, times, times)
def test_limited_figures_lie_within_what_can_be_and_equal_the_true_ones_where_these_do(
    total: int, scrap: int, rework: int, apt: int, micro: int, fault: int
) -> None:
    good = total - scrap - rework
    ideal = Fraction(7, 3)
    cell = Cell(ct=3 * HOUR, apt=apt, micro=micro, adet_fault=fault, pq=total, sq=scrap, rq=rework, gq=good,
                ipt=ideal * total, igt=ideal * good)  # fmt: skip
    true, limited = kpi.kpis(cell), kpi.capped(cell)
    for name, of in (("performance_capped", "performance_classic"), ("quality_capped", "quality_count")):
        value, bound = true[of], limited[name]
        assert (value is None) == (bound is None)
        if value is not None and bound is not None:
            assert 0 <= bound <= 1
            assert bound == value or not 0 <= value <= 1
    oee = limited["oee_with_capped_performance"]
    if oee is not None and true["performance_classic"] is not None:
        assert 0 <= oee <= 1
    if not kpi.flags(cell):
        assert (oee, min(cell.gq, cell.pq) >= 0) == (true["oee"], True)
