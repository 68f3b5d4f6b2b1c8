"""What a KPI costs: a machine with a piece a second and a thousand state changes a day.

`pytest tests/bench/test_bench_ledger.py --benchmark-only`. The open windows are asked for every 10 s
of machine time with what happened in between; a whole day from scratch is what a restart costs. The piece at
the very start belongs to the day before: a window takes what comes after its start, up to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from fractions import Fraction
from itertools import count
from typing import Any

import pytest

from edge_agent.core import kpi
from edge_agent.core.calendar import Break, Calendar, ShiftRule
from edge_agent.core.ledger import Ledger
from edge_agent.core.states import MachineState

SECOND = 1_000_000_000
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
MONDAY = 1_709_481_600 * SECOND     # 2024-03-04 00:00 in Shanghai is eight hours before this
START = MONDAY - 8 * HOUR
PAUSE = Break(time(12), 1800 * SECOND, "lunch")
EVERY_DAY = frozenset(range(7))


def calendar() -> Calendar:
    early = ShiftRule("early", EVERY_DAY, time(6), time(14), (PAUSE,))
    late = ShiftRule("late", EVERY_DAY, time(14), time(22))
    return Calendar("Asia/Shanghai", [early, late, ShiftRule("night", EVERY_DAY, time(22), time(6))])


def tell(ledger: Ledger, start: int, end: int) -> None:
    """A piece a second, a scrap a minute, 44 s of run and 20 s of stop in turns: 2700 changes a day."""
    for t in range(start, end, SECOND):
        at = (t - START) // SECOND
        ledger.count(t, "total", total=1)
        if at % 60 == 0:
            ledger.count(t, "scrap", scrap=1)
        if at % 64 == 0:
            ledger.state(t, MachineState.RUN)
        elif at % 64 == 44:
            ledger.state(t, MachineState.FAULT if at % 5 == 0 else MachineState.IDLE)


def day() -> Ledger:
    ledger = Ledger(calendar())
    ledger.job(START, "p", Fraction(9, 10))
    tell(ledger, START, START + DAY)
    return ledger


@pytest.fixture(scope="module")
def live() -> tuple[Ledger, Iterator[int]]:
    """A ledger with a day in it, and the steps of 10 s that follow."""
    ledger = Ledger(calendar())
    ledger.job(START, "p", Fraction(9, 10))
    tell(ledger, START, START + 23 * HOUR)
    return ledger, count(START + 23 * HOUR, 10 * SECOND)


def test_bench_the_open_shift_hour_and_day_every_ten_seconds(
    benchmark: Any, live: tuple[Ledger, Iterator[int]]
) -> None:
    ledger, steps = live

    def news() -> tuple[tuple[int], dict[str, Any]]:
        now = next(steps)
        tell(ledger, now, now + 10 * SECOND)
        return (now + 10 * SECOND,), {}

    def ask(now: int) -> None:
        for start in (now - now % HOUR, START + 22 * HOUR, START):
            kpi.kpis(ledger.cell(start, START + 2 * DAY, now))
        assert ledger.cell(START, START + 2 * DAY, now).pq == (now - START) // SECOND - 1

    benchmark.pedantic(ask, setup=news, rounds=200)


def test_bench_a_day_from_scratch(benchmark: Any) -> None:
    def fresh() -> tuple[tuple[Ledger], dict[str, Any]]:
        return (day(),), {}

    cell = benchmark.pedantic(lambda led: led.cell(START, START + DAY), setup=fresh, rounds=5)
    assert (cell.ct, cell.pq, cell.sq) == (DAY, 86_399, 1439)


def test_bench_ten_thousand_counts_in(benchmark: Any) -> None:
    def fresh() -> tuple[tuple[Ledger], dict[str, Any]]:
        return (Ledger(calendar()),), {}

    def put(ledger: Ledger) -> None:
        for at in range(10_000):
            ledger.count(START + at * SECOND, "total", total=1)
        assert ledger.cell(START, START + DAY).pq == 9_999

    benchmark.pedantic(put, setup=fresh, rounds=10)


def test_bench_a_snapshot_of_a_day(benchmark: Any) -> None:
    ledger = day()
    assert benchmark(ledger.snapshot)


def test_bench_an_answer_after_a_late_fact(benchmark: Any) -> None:
    """A scrap report an hour late: the day is added up again from there."""
    ledger = day()
    end = START + DAY
    ledger.cell(START, end, end)
    late = count(end - HOUR, 7)

    def news() -> tuple[tuple[()], dict[str, Any]]:
        ledger.count(next(late), "inspection", scrap=1)
        return (), {}

    cell = benchmark.pedantic(lambda: ledger.cell(START, end, end), setup=news, rounds=50)
    assert cell.sq > 1440
