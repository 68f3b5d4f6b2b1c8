"""How many simulated machines a core carries: by the wall clock with both faces, and how much faster than it without.

Machines make a piece a second. A client asks each by Modbus once a second, and every change is written to OPC UA.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edge_agent_hil.expand import expand
from edge_agent_hil.plant import Plant
from edge_agent_hil.plant_file import PlantFile
from tests.bench.test_bench_end_to_end import cpu_s, rss_mb

SECONDS = 20
START, S = 1_764_547_200_000_000_000, 1_000_000_000
READ = bytes.fromhex("000100000006010300000007")
MACHINE: dict[str, Any] = {
    "products": {"A": {"code": 1, "ideal_cycle": "1s"}, "B": {"code": 2, "ideal_cycle": "1.5s"}},
    "jobs": [{"product": "A", "pieces": 200}, {"product": "B", "pieces": 100}],
    "setup": ["60s", "180s"], "speed_loss": 0.1, "spread": 0.05, "scrap": 0.02,
    "micro_stops": {"every": "120s", "for": ["5s", "30s"]}, "faults": {"every": "30min", "for": "5min"},
    "power": {"RUN": 10, "IDLE": 2},
    "modbus": {"tags": {
        "state": {"address": "holding:0"}, "total": {"address": "holding:1", "type": "uint32"},
        "scrap": {"address": "holding:3", "type": "uint32"}, "power": {"address": "holding:5", "type": "float32"},
    }},
}  # fmt: skip
OPCUA = {"tags": {"state": {}, "total": {}, "scrap": {}}}


def test_a_hundred_machines_faster_than_real_time(benchmark: Any) -> None:
    file = expand(PlantFile.model_validate({"machines": {"m": {**MACHINE, "count": 100}}}))

    def simulate() -> float:
        now = [START]
        plant = Plant(file, 1, START, lambda: now[0])
        began = time.process_time()
        for _ in range(600):
            now[0] += S
            plant.advance()
        return 600 / (time.process_time() - began)

    speed = benchmark.pedantic(simulate, rounds=5)
    benchmark.extra_info["speed_up"] = round(speed)
    print(f"\na hundred machines, a piece a second each: {speed:.0f} times as fast as real time")


@pytest.mark.parametrize("count", [100, 1000])
def test_machines_with_both_faces_in_real_time(benchmark: Any, tmp_path: Path, count: int) -> None:
    plant, ready_file = tmp_path / "plant.yaml", tmp_path / "ready.json"
    plant.write_text(json.dumps({"machines": {"m": {**MACHINE, "opcua": OPCUA, "count": count}}}))
    command = [sys.executable, "-m", "edge_agent_hil.cli", "serve", str(plant), "--ready-file", str(ready_file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while not ready_file.exists():
                assert process.poll() is None
                time.sleep(0.1)
            share, worst = benchmark.pedantic(lambda: ask_all(process.pid, ready_file), rounds=1)
            memory = rss_mb(process.pid)
        finally:
            process.terminate()
    benchmark.extra_info.update(core=round(share, 3), worst_ms=round(worst * 1e3), rss_mb=round(memory))
    print(f"\n{count} machines, both faces: {100 * share:.0f} % of a core, so {count / share:.0f} machines a core; "
          f"worst answer {worst * 1e3:.0f} ms, {memory:.0f} MB")  # fmt: skip


def ask_all(pid: int, ready_file: Path) -> tuple[float, float]:
    """The share of a core that it took, and the slowest answer, s."""
    machines = json.loads(ready_file.read_text())["machines"].values()
    lines = [socket.create_connection(("127.0.0.1", urlsplit(one["url"]).port)) for one in machines]
    began, used, worst = time.monotonic(), cpu_s(pid), 0.0
    for second in range(1, SECONDS + 1):
        for line in lines:
            asked = time.monotonic()
            line.sendall(READ)
            line.recv(300)
            worst = max(worst, time.monotonic() - asked)
        time.sleep(max(0.0, began + second - time.monotonic()))
    share = (cpu_s(pid) - used) / (time.monotonic() - began)
    for line in lines:
        line.close()
    return share, worst
