"""Sources held against each other: counters and state, power and state."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from edge_agent.core import cross_check
from edge_agent.core.asset import Asset
from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.kpi import COUNT_SKEW, COUNT_WITHOUT_RUN, RUN_WITHOUT_COUNT
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.report import Report, Window
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Tag

S = 1_000_000_000
STATE, TOTAL, SCRAP, POWER = (Tag(at, "plc", name) for at, name in enumerate(("state", "total", "scrap", "kw")))


def machine() -> Machine:
    states = {0: MachineState.IDLE, 1: MachineState.RUN}
    counts = {"total": TOTAL, "scrap": SCRAP}
    return Machine(MachineSpec("m", STATE, states, Calendar("UTC", None), Policy(), counts))


def report(cell: Cell, *flags: str) -> Report:
    return Report("m", Window("hour", "hour", 0, 3600 * S, date(1970, 1, 1), "UTC"), 0, True, 0, "", cell, flags)


@pytest.mark.parametrize(
    ("cell", "flags", "found"),
    [
        (Cell(), (), []),
        (Cell(apt=S, pq=5), (), [([0, 1, 2], True), ([1, 2], True)]),
        (Cell(pq=5), (COUNT_WITHOUT_RUN,), [([0, 1, 2], False), ([1, 2], True)]),
        (Cell(apt=S), (RUN_WITHOUT_COUNT,), [([0, 1, 2], False)]),
        (Cell(apt=S, pq=5, sq=9), (COUNT_SKEW,), [([0, 1, 2], True), ([1, 2], False)]),
    ],
)
def test_a_report_tells_whether_state_and_counters_agree(
    cell: Cell, flags: tuple[str, ...], found: list[tuple[list[int], bool]]
) -> None:
    assert list(cross_check.by_report(machine(), report(cell, *flags))) == found


def checked(state: int, power: float, *, known: int = 100 * S, good: bool = True, asset: str = "m") -> list[bool]:
    held = machine()
    held.feed(Batch(np.zeros(1, np.int32), np.array([S]), np.array([float(state)]), np.zeros(1, np.uint8)))
    assets = [Asset("a", machine=asset, power=(POWER.position, 2.5)), Asset("b", machine=asset)]
    values, seen = np.array([state, 0, 0, power], float), np.full(4, known)
    found = list(cross_check.by_power(assets, {"m": held}, values, np.full(4, good), seen))
    assert all(sorted(positions) == [0, 3] for positions, _ in found)
    return [passed for _, passed in found]


def test_a_machine_that_runs_draws_power_and_one_that_does_not_draws_less() -> None:
    assert checked(1, 9.0) == [True]
    assert checked(1, 0.1) == [False]
    assert checked(0, 0.1) == [True]
    assert checked(0, 9.0) == [False]


def test_nothing_is_compared_that_is_not_known_or_has_just_changed() -> None:
    assert checked(7, 9.0) == [], "a state that nobody knows"
    assert checked(1, 9.0, good=False) == []
    assert checked(1, 9.0, known=30 * S) == []
    assert checked(1, 9.0, asset="other") == []
