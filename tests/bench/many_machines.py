"""Machines with a part of their shift behind them, and what comes next; run by itself, what a hundred of them cost.

Each makes up to a piece a minute and changes its state every five; `python -m tests.bench.many_machines` prints the
figures of a minute of a hundred machines, as JSON.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from datetime import time as clock
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from edge_agent.core import kpi
from edge_agent.core.batch import Batch
from edge_agent.core.board import board
from edge_agent.core.calendar import Break, Calendar, ShiftRule
from edge_agent.core.counters import Counter
from edge_agent.core.engine import Engine
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import MachineSpec
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Tag, TagTable, scan_group
from edge_agent.encode.kpi_record import exact, kpi_record

SECOND = 1_000_000_000
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
START = (1_709_481_600 + 6 * 3600) * SECOND     # Monday 2024-03-04 06:00 in Shanghai
END, PAUSE = START + 8 * HOUR, START + 4 * HOUR
IDEAL = Fraction(50)
EVERY_DAY = frozenset(range(7))
CALENDAR = Calendar(
    "Asia/Shanghai", [ShiftRule("day", EVERY_DAY, clock(6), clock(14), (Break(clock(10), 15 * MINUTE, "lunch"),))]
)
STATES = {0: MachineState.IDLE, 1: MachineState.RUN, 2: MachineState.FAULT}


class Plant:
    """`n` machines with `hours` of their shift behind them."""

    def __init__(self, n: int, hours: float, windows: tuple[str, ...] = ("shift",)) -> None:
        self.table = TagTable(Tag(at, f"d{at // 2}", ("state", "total")[at % 2]) for at in range(2 * n))
        specs = [self._spec(at) for at in range(n)]
        self.groups = [scan_group(self.table.device_tags(f"d{at}")) for at in range(n)]
        self.engine = Engine(self.table, self.groups, specs, ring_bytes=64_000_000, windows=windows)
        self.engine.begin(START)
        self.now = START + round(hours * HOUR)
        self.batches = [self._history(at) for at in range(n)]
        self.samples = sum(len(batch) for batch in self.batches)
        self.pieces = [int(batch.value[batch.tag % 2 == 1][-1]) for batch in self.batches]
        self.states = [float(batch.value[batch.tag % 2 == 0][-1]) for batch in self.batches]

    def _spec(self, at: int) -> MachineSpec:
        state, total = self.table[2 * at], self.table[2 * at + 1]
        return MachineSpec(
            f"m{at}", state, STATES, CALENDAR, Policy(outside_plan="exclude"), {"total": total}, ideal=IDEAL,
            counters={"total": partial(Counter, 32, 10.0, 2)}, zone="Asia/Shanghai",
        )  # fmt: skip

    def _history(self, at: int) -> Batch:
        rng = np.random.default_rng(at)
        minutes = np.arange(START, self.now, MINUTE)
        changes = minutes[::5]
        time = np.concatenate((changes, minutes))
        tag = np.repeat(np.array([2 * at, 2 * at + 1], np.int32), (len(changes), len(minutes)))
        made = np.cumsum(rng.integers(0, 2, len(minutes))) + 100
        value = np.concatenate((rng.choice((0, 1, 1, 1, 2), len(changes)), made)).astype(float)
        order = np.argsort(time, kind="stable")
        return Batch(tag[order], time[order], value[order], np.zeros(len(time), np.uint8))

    def remember(self) -> None:
        """Take in what was."""
        for at, batch in enumerate(self.batches):
            self.engine.feed(f"d{at}", batch)
        self.engine.take_samples()
        self.engine.seen[:] = self.now

    def another(self) -> list[Batch]:
        """Ten seconds later each machine has made another piece: a scan of its device."""
        self.now += 10 * SECOND
        self.engine.seen[:] = self.now
        self.pieces = [n + 1 for n in self.pieces]
        times, quality = np.full(2, self.now), np.zeros(2, np.uint8)
        return [
            Batch(group, times, np.array((state, float(n))), quality)
            for group, state, n in zip(self.groups, self.states, self.pieces, strict=True)
        ]

    def take(self, scans: list[Batch]) -> None:
        """The samples on their way to the journal and into the ledgers."""
        for at, batch in enumerate(scans):
            self.engine.feed(f"d{at}", batch)

    def ask(self) -> Any:
        """Every KPI of every machine's shift as it is now; of several, as an overview has them."""
        cells = [one.ledger.cell(START, END, self.now) for one in self.engine.machines.values()]
        return kpi.kpis(cells[0]) if len(cells) == 1 else board(cells)

    def tell(self, scans: list[Batch]) -> None:
        """The samples into the ledgers alone."""
        for machine, batch in zip(self.engine.machines.values(), scans, strict=True):
            machine.feed(batch)

    def scans(self, second: int) -> list[Batch]:
        """Scans in which nothing is new."""
        times, quality = np.full(2, self.now + second % 10 * SECOND), np.zeros(2, np.uint8)
        self.engine.seen[:] = times[0]
        return [
            Batch(group, times, np.array((state, float(n))), quality)
            for group, state, n in zip(self.groups, self.states, self.pieces, strict=True)
        ]

    def minute(self) -> None:
        """A scan a second; every ten seconds a piece, and records of every open window; events as for the journal."""
        engine = self.engine
        for second in range(60):
            self.take(self.scans(second) if second % 10 else self.another())
            engine.confirm()
            engine.take_changes()
            orjson.dumps(engine.take_events())
            engine.take_samples()
            if second % 10 == 9:
                for report in engine.reports(self.now):
                    orjson.dumps(kpi_record(report), default=exact)


def cpu(work: Any, *arguments: Any) -> float:
    """CPU seconds of a call."""
    began = time.process_time()
    work(*arguments)
    return time.process_time() - began


def peak_mb() -> int:
    """The most memory this process has had; what getrusage says includes that of its parent."""
    [told] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(told.split()[1]) // 1024


def a_minute_of(n: int) -> dict[str, float]:
    """What `n` machines cost: share of a core, memory of the process, memory and checkpoint of a machine."""
    plant = Plant(n, 3.5, ("shift", "hour", "day"))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    plant.remember()
    kept = (tracemalloc.get_traced_memory()[0] - before) / n
    tracemalloc.stop()
    plant.minute()
    return {
        "core_share": sorted(cpu(plant.minute) for _ in range(3))[1] / 60,
        "rss_mb": peak_mb(),
        "state_bytes": kept,
        "checkpoint_bytes": len(plant.engine.checkpoint()) / n,
    }


if __name__ == "__main__":
    print(json.dumps(a_minute_of(100)))
