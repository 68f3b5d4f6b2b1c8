"""Live KPIs of 1, 100, 1,000 and 10,000 machines on one core, beside pandas in the same run.

`pytest tests/bench/test_bench_machines.py --benchmark-only`. One more piece comes from every machine, and all KPIs of
every shift are asked for again: `tell` is into the ledger, `take` all the way through the core (cleaned, kept,
thinned, put aside for the journal), `ask` the KPIs. What pandas does with the same samples is in `with_pandas`. CPU
seconds are compared, for others use the machine, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edge_agent.core import kpi
from edge_agent.core.batch import Batch
from tests.bench.many_machines import END, IDEAL, MINUTE, PAUSE, SECOND, START, Plant, cpu
from tests.bench.with_pandas import oee


def with_pandas(plant: Plant, at: int) -> float:
    """CPU seconds for the shift of one machine, and the check that both say the same."""
    batch = plant.batches[at]
    samples = pd.DataFrame({
        "time": np.append(batch.time, plant.now), "value": np.append(batch.value, plant.pieces[at]),
        "tag": pd.Categorical.from_codes(np.append(batch.tag % 2, 1), categories=["state", "total"]),
    })  # fmt: skip
    began = time.process_time()
    told = oee(samples, START, plant.now, (START, END), (PAUSE, PAUSE + 15 * MINUTE), float(IDEAL))
    took = time.process_time() - began
    cell = plant.engine.machines[f"m{at}"].ledger.cell(START, END, plant.now)
    mine = kpi.kpis(cell)["oee"]
    assert mine is not None
    assert float(mine) == pytest.approx(told["oee"], abs=1e-9)
    assert cell.apt / SECOND == pytest.approx(told["run"])
    return took


@pytest.mark.parametrize(("n", "hours", "rounds"), [(1, 3.5, 50), (100, 3.5, 10), (1000, 3.5, 4), (10_000, 0.25, 2)])
def test_a_live_update_of_every_machine(benchmark: Any, n: int, hours: float, rounds: int) -> None:
    plant = Plant(n, hours)
    history_s = cpu(plant.remember)
    plant.ask()
    took: dict[str, list[float]] = {"take": [], "tell": [], "ask": []}

    def update(scans: list[Batch]) -> None:
        took["take"].append(cpu(plant.take, scans))
        took["ask"].append(cpu(plant.ask))

    benchmark.pedantic(update, setup=lambda: ((plant.another(),), {}), rounds=rounds)
    sampled = range(0, n, max(1, n // 20))
    for at in sampled:      # once to warm up
        with_pandas(plant, at)
    reference = float(np.median([with_pandas(plant, at) for at in sampled]))
    took["tell"] = [cpu(plant.tell, plant.another()) for _ in range(rounds)]
    cost = {what: float(np.median(seconds)) / n for what, seconds in took.items()}
    figures = {
        "history_events_s": plant.samples / history_s, "pandas_us": reference * 1e6,
        **{f"{what}_us": seconds * 1e6 for what, seconds in cost.items()},
        "ledger_updates_s": 1 / (cost["tell"] + cost["ask"]), "ledger_ratio": reference / (cost["tell"] + cost["ask"]),
        "engine_updates_s": 1 / (cost["take"] + cost["ask"]), "engine_ratio": reference / (cost["take"] + cost["ask"]),
    }  # fmt: skip
    print(f"\n{n} machines: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    benchmark.extra_info |= figures


def test_a_hundred_machines_in_the_budget_of_a_small_gateway(benchmark: Any) -> None:
    """A quarter of a core and 512 MB, in a process of its own."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.bench.many_machines"]

    def minute() -> dict[str, float]:
        done = subprocess.run(command, capture_output=True, check=True, cwd=root)
        return dict(json.loads(done.stdout))

    figures = benchmark.pedantic(minute, rounds=1)
    figures["budget_share"] = max(figures["core_share"] / 0.25, figures["rss_mb"] / 512)
    print("\n100 machines: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    benchmark.extra_info |= figures
    assert figures["budget_share"] < 1
