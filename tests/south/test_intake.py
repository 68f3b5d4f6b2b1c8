"""What the gateway's clock does to samples: set forward while running, and wrong when it starts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge_agent.clock import SteadyClock
from edge_agent.clock_sync import has_no_battery_clock, is_synchronised
from edge_agent.core.batch import row
from edge_agent.core.calendar import Calendar
from edge_agent.core.counters import Counter
from edge_agent.core.engine import Engine
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import MachineSpec
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag, TagTable
from edge_agent.south import intake as intakes
from edge_agent.south.intake import Intake

S = 1_000_000_000
MINUTE, HOUR = 60 * S, 3600 * S
NOON = 20_000 * 24 * HOUR + 12 * HOUR
WRONG = 1_000 * S               # what a board believes that has no battery: 1970


class Gateway:
    """An agent's core behind an intake; the system's clock is under the test's hand."""

    def __init__(self, wall: int, wait_ns: int = 0, synchronised: Callable[[], bool] | None = None) -> None:
        self.wall, self.ticks, self.is_right = wall, 0, not wait_ns
        self.clock = SteadyClock(lambda: self.wall, lambda: self.ticks)
        self.table = TagTable([Tag(0, "plc", "state", Kind.INT), Tag(1, "plc", "total", Kind.INT)])
        state, total = self.table
        spec = MachineSpec(
            id="m", state=state, states={1: MachineState.RUN}, calendar=Calendar("UTC", None), policy=Policy(),
            counts={"total": total}, counters={"total": lambda: Counter(32, 10)}, ideal=Fraction(1),
        )  # fmt: skip
        self.engine = Engine(self.table, [], [spec], ring_bytes=1_000_000, windows=("hour",))
        self.engine.begin(self.clock())
        self.intake = Intake(
            self.engine, self.clock, wait_ns, synchronised or (lambda: self.is_right), lambda: self.ticks
        )

    def run(self, seconds: int, pieces: int = 0) -> None:
        for n in range(seconds):
            self.wall, self.ticks = self.wall + S, self.ticks + S
            at = np.array([0, 1], np.int32)
            self.intake.feed("plc", row(at, self.clock(), np.array([1.0, float(pieces + n)])))
            self.engine.seen[:] = self.clock()
            self.intake.watch()

    def cell(self, start: int, end: int):  # type: ignore[no-untyped-def]
        return self.engine.machines["m"].ledger.cell(start, end)


def test_time_that_a_clock_jumps_over_is_unknown_and_the_machine_goes_on_after_it() -> None:
    gateway = Gateway(NOON)
    gateway.run(60)
    gateway.wall += 10 * MINUTE
    gateway.run(60, pieces=60)
    cell = gateway.cell(NOON + S, NOON + 12 * MINUTE)
    assert cell.unk_raw == 10 * MINUTE
    assert cell.apt == 2 * MINUTE - S
    assert cell.pq == 119
    assert cell.n_clock > 0


def test_a_correction_below_two_seconds_is_none_of_its_business() -> None:
    gateway = Gateway(NOON)
    gateway.run(60)
    gateway.wall += S
    gateway.run(60, pieces=60)
    assert gateway.cell(NOON + S, NOON + 2 * MINUTE).unk_raw == 0


def test_what_was_read_before_the_clock_was_right_gets_its_true_time_and_says_so() -> None:
    gateway = Gateway(WRONG, wait_ns=5 * MINUTE)
    gateway.run(60)
    assert gateway.engine.take_samples() == []
    gateway.wall += NOON - WRONG
    gateway.is_right = True
    gateway.run(60, pieces=60)
    cell = gateway.cell(NOON + S, NOON + 2 * MINUTE)
    assert (cell.apt, cell.unk_raw, cell.pq) == (2 * MINUTE - S, 0, 119)
    assert cell.n_clock > 0
    assert gateway.cell(0, NOON).pq == 0
    assert gateway.engine.machines["m"].settled["hour"] >= NOON


def test_a_clock_that_is_never_right_is_not_waited_for_for_ever() -> None:
    gateway = Gateway(WRONG, wait_ns=MINUTE)
    gateway.run(61)
    assert gateway.cell(WRONG, WRONG + HOUR).pq == 60


def test_a_clock_that_is_right_at_once_holds_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        gateway = Gateway(NOON, wait_ns=MINUTE, synchronised=lambda: True)
    gateway.run(1)
    assert gateway.engine.take_samples() != []
    assert caplog.text == ""


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intakes, "HELD_MOST", 20)
    gateway = Gateway(WRONG, wait_ns=HOUR)
    gateway.run(10)
    assert gateway.engine.take_samples() == []
    gateway.run(1)
    assert gateway.engine.take_samples() != []


def test_a_board_with_a_device_tree_and_no_clock_has_no_battery(tmp_path: Path) -> None:
    tree, rtc = tmp_path / "device-tree", tmp_path / "rtc0"
    assert not has_no_battery_clock(tree, rtc)
    tree.mkdir()
    assert has_no_battery_clock(tree, rtc)
    rtc.mkdir()
    assert not has_no_battery_clock(tree, rtc)


def test_the_kernel_can_be_asked() -> None:
    assert is_synchronised() in (True, False)
