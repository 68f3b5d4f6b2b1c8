"""What a replay costs: a machine-year of 1-minute states and counts, beside pandas in the same run.

`pytest tests/bench/test_bench_replay.py --benchmark-only`. Both read the same CSV file and give the same shifts; each
is a process of its own, so that its peak of memory is its own, too.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

ZONE = timezone(timedelta(hours=8))
BEGAN = datetime(2026, 1, 1, tzinfo=ZONE)
DAYS = 365
IDEAL_S = 50.0
SITE = """
agent: {id: bench, timezone: Asia/Shanghai}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:1502?unit=1"
    tags: {state: {address: holding:0}, total: {address: holding:1, type: uint32}, scrap: {address: holding:3}}
machines:
  press-1:
    state: {tag: press-1.state, map: {0: IDLE, 1: RUN, 2: FAULT}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    ideal_cycle: 50s
    outside_plan: exclude
    calendar: two-shift
calendars:
  two-shift:
    shifts:
      day: {days: daily, start: "06:00", end: "14:00", breaks: [{start: "10:00", for: 15min}]}
      late: {days: daily, start: "14:00", end: "22:00", breaks: [{start: "18:00", for: 15min}]}
"""
# What one runs at a prompt: the peak of memory is told behind the result.
TOLD = "from tests.bench.many_machines import peak_mb; print(peak_mb(), end='')"
OURS = f"import sys; from edge_agent import cli; cli.main(sys.argv[1:]); {TOLD}"
PANDAS = f"""
import json, sys; from pathlib import Path; from tests.bench.with_pandas import year
print(json.dumps(year(Path(sys.argv[1]), json.loads(sys.argv[2]), {IDEAL_S}))); {TOLD}
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("year") / "year.csv"
    rng = random.Random(1)
    state = total = 0
    with path.open("w") as file:
        file.write("time,tag,value\n")
        for minute in range(DAYS * 1440 + 30):
            if rng.random() < 0.1:
                state = rng.choice((0, 1, 1, 1, 2))
            total += rng.choice((0, 1, 1)) if state == 1 else 0
            when = (BEGAN + timedelta(minutes=minute)).isoformat()
            file.write(f"{when},press-1.state,{state}\n{when},press-1.total,{total}\n")
    return path


def windows() -> list[tuple[int, int, int]]:
    """Start, end and start of the break of each shift, ns UTC."""
    hour = 3600 * 10**9
    midnight = int(BEGAN.timestamp()) * 10**9
    starts = [midnight + day * 24 * hour + at * hour for day in range(DAYS) for at in (6, 14)]
    return [(start, start + 8 * hour, start + 4 * hour) for start in starts]


def told(*command: str) -> tuple[Any, float, int]:
    """Result, CPU seconds and peak of memory, MB, of a process."""
    before = os.times()
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", *command], capture_output=True, text=True, check=True, cwd=root)
    after = os.times()
    result, _, peak = done.stdout.rpartition("\n")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(result), cpu, int(peak)


def test_a_machine_year_of_minutes(benchmark: Any, history: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    reference, reference_s, reference_mb = told(PANDAS, str(history), json.dumps(windows()))

    def ours() -> tuple[Any, float, int]:
        return told(OURS, "replay", str(site), str(history), "--window", "shift", "--format", "json")

    records, cpu_s, peak_mb = benchmark.pedantic(ours, rounds=1)
    records = [record for record in records if record["final"]]
    assert len(records) == len(reference) == 2 * DAYS
    for one, other in zip(records, reference, strict=True):
        for mine, theirs in ((one["kpi"]["oee"], other["oee"]), (one["time_s"]["apt"], other["run"])):
            assert mine == pytest.approx(theirs, abs=1e-9)
        assert one["counts"]["pq"] == other["pieces"]
    figures = {
        "ours_s": cpu_s, "pandas_s": reference_s, "ratio": reference_s / cpu_s,
        "ours_mb": peak_mb, "pandas_mb": reference_mb,
    }  # fmt: skip
    print(f"\na year of 1-minute states and counts ({2 * DAYS} shifts): CPU {cpu_s:.2f} s, pandas {reference_s:.2f} s "
          f"({figures['ratio']:.1f} times), peak {peak_mb} MB, pandas {reference_mb} MB")  # fmt: skip
    benchmark.extra_info |= figures
