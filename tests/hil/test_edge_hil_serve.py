"""`edge-hil serve` as a process: ready file, truth service, end, and every way to call it wrongly."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymodbus.client import AsyncModbusTcpClient

from edge_agent_hil.cli import main
from edge_agent_hil.plant import simulated_clock

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000_000
COMMAND = [sys.executable, "-m", "edge_agent_hil.cli", "serve"]
PLANT = """\
machines:
  a:
    products: {A: {code: 1, ideal_cycle: 50ms}}
    micro_stops: {every: 2s, for: [100ms, 300ms]}
    scrap: 0.1
    modbus: {tags: {total: {address: "holding:0", start: 65530}, running: {address: "coil:0"}}}
  b:
    products: {B: {code: 2, ideal_cycle: 0.3s}}
    modbus: {port: 0, tags: {total: {address: "holding:0"}}}
"""


def environment() -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "hil"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=100, check=False)


class Rig:
    """A serving process."""

    def __init__(self, folder: Path, plant: Path, *options: str) -> None:
        self.ready_file, self.truth_file = folder / "ready.json", folder / "truth.json"
        files = ["--ready-file", str(self.ready_file), "--truth", str(self.truth_file)]
        self.process = subprocess.Popen([*COMMAND, str(plant), *files, *options], env=environment())
        try:
            self.ready: Any = self._wait_until_ready()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _wait_until_ready(self) -> object:
        deadline = time.monotonic() + 80
        while not self.ready_file.exists():
            assert self.process.poll() is None, "the rig ended before it was ready"
            assert time.monotonic() < deadline, "no ready file within 80 s"
            time.sleep(0.05)
        return json.loads(self.ready_file.read_text())

    def ask(self, *questions: object) -> list[Any]:
        with socket.create_connection((self.ready["truth"]["host"], self.ready["truth"]["port"]), 5) as line:
            stream = line.makefile("rwb")
            with stream:
                stream.writelines(json.dumps(question).encode() + b"\n" for question in questions)
                stream.flush()
                return [json.loads(stream.readline()) for _ in questions]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def rigs(tmp_path: Path) -> Iterator[Any]:
    started: list[Rig] = []

    def start(plant: Path | None = None, *options: str) -> Rig:
        if plant is None:
            plant = tmp_path / "plant.yaml"
            plant.write_text(PLANT)
        started.append(Rig(tmp_path, plant, *options))
        return started[-1]

    yield start
    for rig in started:
        if rig.process.poll() is None:
            rig.process.kill()
            rig.process.wait()


def test_the_demo_plant_serves_within_seconds_and_ends_cleanly_with_its_truth_written(rigs: Any) -> None:
    rig = rigs(ROOT / "hil" / "edge_agent_hil" / "plants" / "demo.yaml", "--seed", "3")
    assert list(rig.ready["machines"]) == ["press-1", "press-2", "cnc-7"]
    urls = [machine["url"].partition(":")[0] for machine in rig.ready["machines"].values()]
    assert urls == ["modbus+tcp", "modbus+tcp", "opc.tcp"]
    assert rig.ready["machines"]["press-2"]["counters"]["total"] == {"bits": 16, "start": 65400}
    assert rig.ready["machines"]["cnc-7"]["tags"]["total"] == {
        "node": "nsu=urn:edge-agent:hil:demo;s=cnc-7.Total"
    }
    listed, now = rig.ask({"machines": True}, {"now": True})
    assert listed == {"machines": ["press-1", "press-2", "cnc-7"], "start": rig.ready["start"]}
    assert abs(now["now"] - time.time_ns()) < 2 * SECOND, "at speed 1 simulated time is the wall clock"
    assert rig.stop() == 0
    truth = json.loads(rig.truth_file.read_text())
    assert truth["seed"] == 3
    assert truth["start"] == rig.ready["start"] < truth["end"]
    assert set(truth["machines"]) == set(rig.ready["machines"])


async def test_counters_read_over_the_wire_agree_with_the_truth_service_and_the_truth_file(rigs: Any) -> None:
    rig = rigs(None, "--speed", "20")
    machine = rig.ready["machines"]["a"]
    client = AsyncModbusTcpClient("127.0.0.1", port=urlsplit(machine["url"]).port or 0)
    assert await client.connect()
    everything = {"machine": "a", "start": 0, "end": 1 << 62}
    answers, wrapped = [], 0
    for _ in range(20):
        (before,) = rig.ask(everything)
        count = (await client.read_holding_registers(0, count=1)).registers[0]
        (after,) = rig.ask(everything)
        made = (count - 65530) % 65536
        assert before["counts"]["total"] <= made <= after["counts"]["total"]
        assert sum(after["time_ns"].values()) == after["end"] - rig.ready["start"]
        answers.append((after["end"], after["counts"]["total"]))
        wrapped += made > 6
        await asyncio.sleep(0.02)
    client.close()
    assert wrapped, "the 16-bit counter has started again"
    assert rig.stop(signal.SIGINT) == 0
    truth = json.loads(rig.truth_file.read_text())
    pieces = [t for t, _, _ in truth["machines"]["a"]["pieces"]]
    assert [total for _, total in answers] == [sum(t <= end for t in pieces) for end, _ in answers]


def test_the_truth_service_answers_wrong_questions_and_goes_on(rigs: Any) -> None:
    rig = rigs()
    unknown, typo, text, listing, good = rig.ask(
        {"machine": "z"},
        {"machine": "a", "strat": 1},
        {"machine": "a", "start": "now"},
        [1],
        {"machine": "a"},
    )
    assert unknown == {"error": "no machine 'z'; there are a, b"}
    assert "strat" in typo["error"]
    assert text == {"error": "start: 'now' is no integer of ns"}
    assert listing["error"].startswith("an order is a JSON object with one of machine, ")
    assert good["machine"] == "a"
    assert good["kpi_exact"].keys() == good["kpi"].keys()


def test_faults_are_ordered_and_cleared_through_the_truth_service(rigs: Any) -> None:
    rig = rigs()
    told, wrong, cleared, log = rig.ask(
        {"fault": {"machine": "a", "kind": "stuck", "signal": "total"}},
        {"fault": {"machine": "a", "kind": "nan"}},
        {"clear": True},
        {"faults": True},
    )
    assert (told["machines"], told["until"]) == (["a"], None)
    assert wrong == {"error": "kind: a shows nothing that nan is of"}
    assert cleared["machines"] == ["a", "b"]
    assert log["faults"] == [
        {"kind": "stuck", "at": told["at"], "until": cleared["at"], "machines": ["a"], "signals": ["total"]}
    ]


def test_a_simulated_clock_begins_when_told_and_runs_a_thousand_times_as_fast(rigs: Any) -> None:
    rig = rigs(None, "--speed", "1000", "--start", "2025-12-01T08:00:00+08:00")
    assert rig.ready["start"] == 1_764_547_200 * SECOND
    everything = {"start": 0, "end": 1 << 62}
    while (first := rig.ask({"machine": "a", **everything})[0])["counts"]["total"] < 20_000:
        time.sleep(0.05)
    assert first["end"] - rig.ready["start"] > 1000 * SECOND
    jobs, states = rig.ask({"jobs": "a", **everything}, {"states": "a", **everything})
    assert jobs["jobs"][0][:1] + jobs["jobs"][0][2:] == [rig.ready["start"], "A"]
    spans = states["states"]
    assert {state for _, _, state, _ in spans} == {"RUN", "IDLE"}
    assert all(before[1] == after[0] for before, after in pairwise(spans))


def test_a_wrong_plant_file_ends_with_78_and_names_every_mistake(tmp_path: Path) -> None:
    plant = tmp_path / "wrong.yaml"
    plant.write_text(PLANT.replace("scrap: 0.1", "scarp: 0.1").replace("code: 2", "code: many"))
    done = run(str(plant), "--ready-file", str(tmp_path / "ready.json"))
    assert done.returncode == 78
    assert (
        "wrong.yaml:5: machines.a.scarp: is no key of a plant file here; did you mean scrap?" in done.stderr
    )
    assert "wrong.yaml:8: machines.b.products.B.code: 'many'" in done.stderr
    assert not (tmp_path / "ready.json").exists()
    assert run(str(tmp_path / "missing.yaml")).returncode == 78


@pytest.mark.parametrize(
    "options",
    [
        ["--speed", "0"], ["--speed", "fast"], ["--start", "today"], ["--start", "2026-01-01T00:00"],
        ["--truth", "/no/such/folder/t"], ["--x"],
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_2(options: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", "plant.yaml", *options])
    assert end.value.code == 2


def test_a_taken_port_ends_with_1_and_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        plant = tmp_path / "plant.yaml"
        plant.write_text(PLANT.replace("port: 0", f"port: {port}"))
        done = run(str(plant))
    assert done.returncode == 1
    assert str(port) in done.stderr


def test_simulated_time_is_start_plus_speed_times_elapsed_and_never_goes_back() -> None:
    moments = iter([1_000, 1_500, 1_400, 3_000])
    now = simulated_clock(1_000, Fraction(5, 2), lambda: next(moments))
    assert [now() for _ in range(4)] == [1_000, 2_250, 2_250, 6_000]


def test_machines_listen_where_they_are_told_to_and_the_truth_stays_on_this_computer(rigs: Any) -> None:
    rig = rigs(ROOT / "hil" / "edge_agent_hil" / "plants" / "demo.yaml", "--listen", "127.0.0.2")
    urls = [urlsplit(machine["url"]) for machine in rig.ready["machines"].values()]
    assert [url.hostname for url in urls] == ["127.0.0.2"] * 3
    for url in urls:
        socket.create_connection(("127.0.0.2", url.port), 5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", url.port), 5)
    assert rig.ready["truth"]["host"] == "127.0.0.1"
    assert rig.stop() == 0
