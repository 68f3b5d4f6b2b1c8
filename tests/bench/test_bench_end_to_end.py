"""CPU from the register to the acknowledged message, against what one writes in an afternoon.

Equipment is a libmodbus server whose registers change at every read (nothing may be saved by a
deadband), the broker is mosquitto, the agent runs as users run it: journal on disk, one fdatasync
a second, QoS 1. Points are counted where they arrive, by a subscriber of their own.

Server, broker and what is measured share one core, the subscriber has another: a wake-up across
cores costs more than the work it is for, and how often one is needed is chance, so that only figures
of one core can be compared between runs and machines. What the kernel makes of it is told beside.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.peers.no_api import without_api
from tests.peers.waiting import free_port

PEERS = Path(__file__).parents[1] / "peers"
MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
DEVICES, REGISTERS = 50, 100
SECONDS = 15
ALL = os.sched_getaffinity(0)
ONE = {min(ALL)}
OTHERS = (ALL - ONE) or ALL


def cpu_s(pid: int) -> float:
    """User and system CPU seconds of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory, MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Points:
    """Counts the values that arrive, on the cores that are left for it."""

    def __init__(self, port: int) -> None:
        os.sched_setaffinity(0, OTHERS)     # the client's thread will inherit it
        self.count = 0
        self.status: dict[str, Any] = {}
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("edge/#", 0)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(60)

    def _take(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        payload = orjson.loads(message.payload)
        if message.topic.endswith("/status"):
            self.status = payload
        elif message.topic.endswith("/tags"):
            self.count += sum(len(group["values"]) for group in payload["samples"])

    def after_burst(self) -> None:
        """Wait until what the agent has just committed has arrived: to measure between such moments."""
        count, end = self.count, time.monotonic() + 3.0
        while self.count == count and time.monotonic() < end:
            time.sleep(0.01)
        while self.count != count and time.monotonic() < end:
            count = self.count
            time.sleep(0.2)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        os.sched_setaffinity(0, ALL)


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Ports of the Modbus server and the broker."""
    if not (MOSQUITTO and shutil.which("gcc") and Path("/usr/include/modbus/modbus.h").exists()):
        pytest.skip("needs mosquitto, gcc and libmodbus-dev")
    server = tmp_path / "mbserver"
    source = str(PEERS / "mbserver.c")
    subprocess.run(["gcc", "-O2", "-I/usr/include/modbus", source, "-o", str(server), "-lmodbus"], check=True)
    modbus, broker = free_port(), free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {broker} 127.0.0.1\nallow_anonymous true\n")
    with (tmp_path / "peers.log").open("wb") as log:
        started = [
            subprocess.Popen([server, str(modbus), "100", "changing", str(DEVICES)], stdout=log, stderr=log),
            subprocess.Popen([MOSQUITTO, "-c", str(config)], stdout=log, stderr=log),
        ]
        for process in started:
            os.sched_setaffinity(process.pid, ONE)
        time.sleep(1.0)
        yield modbus, broker
        for process in started:
            process.kill()
            process.wait()


def site_text(folder: Path, modbus: int, broker: int, poll: str, devices: int, registers: int) -> str:
    tags = "".join(f"      r{n}: {{address: holding:{n}}}\n" for n in range(registers))
    text = f'agent: {{id: bench, data_dir: "{folder / "data"}"}}\ndevices:\n'
    for number in range(devices):
        host = f"127.0.0.{number % DEVICES + 1}"
        text += f'  d{number}:\n    driver: modbus\n    url: "modbus+tcp://{host}:{modbus}?unit=1"\n'
        text += f"    poll: {poll}\n    tags:\n{tags}"
    return text + f'publish:\n  broker: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", profile: json}}\n'


def wait_for(what: Callable[[], Any], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def run_agent(
    folder: Path, text: str, broker: int, seconds: float, cores: set[int] = ONE
) -> dict[str, float]:
    """Run the agent on a site for a while; what it cost and what arrived, once it runs steadily."""
    folder.mkdir(exist_ok=True)
    path = folder / "site.yaml"
    path.write_text(without_api(text))
    points = Points(broker)
    with (folder / "agent.log").open("wb") as log:
        command = [sys.executable, "-m", "edge_agent.cli", "run", str(path)]
        agent = subprocess.Popen(command, stdout=log, stderr=log)
        os.sched_setaffinity(agent.pid, cores)
    try:
        wait_for(lambda: points.count > 0, 60)
        time.sleep(2)
        points.after_burst()
        count, cpu, start = points.count, cpu_s(agent.pid), time.monotonic()
        time.sleep(seconds)
        points.after_burst()
        count, cpu = points.count - count, cpu_s(agent.pid) - cpu
        elapsed = time.monotonic() - start
        memory = rss_mb(agent.pid)
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait(60)
        points.close()
    return {
        "points/s": round(count / elapsed),
        "CPU s per million points": round(1e6 * cpu / max(count, 1), 3),
        "CPU share": round(cpu / elapsed, 3),
        "RSS MB": round(memory, 1),
    }


def run_naive(modbus: int, broker: int, seconds: int) -> dict[str, float]:
    arguments = [str(number) for number in (modbus, broker, DEVICES, REGISTERS, seconds)]
    script = str(Path(__file__).with_name("naive.py"))
    with subprocess.Popen([sys.executable, script, *arguments], stdout=subprocess.PIPE) as process:
        os.sched_setaffinity(process.pid, ONE)
        output, _ = process.communicate(timeout=120)
    told = json.loads(output)
    return {
        "points/s": round(told["points"] / told["seconds"]),
        "CPU s per million points": round(1e6 * told["cpu_s"] / told["points"], 3),
    }


@pytest.mark.timeout(300)
def test_cpu_per_million_points_modbus_to_mqtt(benchmark: Any, tmp_path: Path, peers: tuple[int, int]) -> None:
    modbus, broker = peers

    def run() -> dict[str, dict[str, float]]:
        paced = site_text(tmp_path / "paced", modbus, broker, "100ms", DEVICES, REGISTERS)
        flat = site_text(tmp_path / "flat", modbus, broker, "5ms", DEVICES, REGISTERS)
        folder = tmp_path / "paced"
        return {
            f"agent, {DEVICES} × {REGISTERS} × 10 Hz": run_agent(folder, paced, broker, SECONDS),
            "the same, on any core": run_agent(folder, paced, broker, SECONDS, ALL),
            "agent, flat out": run_agent(tmp_path / "flat", flat, broker, SECONDS),
            "naive, flat out": run_naive(modbus, broker, SECONDS),
        }

    results = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(results)
    for name, figures in results.items():
        print(f"{name:32}", figures)
    naive, flat = results["naive, flat out"], results["agent, flat out"]
    paced = results[f"agent, {DEVICES} × {REGISTERS} × 10 Hz"]
    print(f"CPU naive / agent paced: {naive['CPU s per million points'] / paced['CPU s per million points']:.1f}")
    print(f"points/s agent flat out / naive: {flat['points/s'] / naive['points/s']:.1f}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("devices", "registers"), [(10, 100), (100, 100)], ids=["1000 tags", "10000 tags"])
def test_resident_memory(
    benchmark: Any, tmp_path: Path, peers: tuple[int, int], devices: int, registers: int
) -> None:
    modbus, broker = peers
    text = site_text(tmp_path / "agent", modbus, broker, "1s", devices, registers)
    result = benchmark.pedantic(lambda: run_agent(tmp_path / "agent", text, broker, SECONDS), rounds=1)
    benchmark.extra_info.update(result)
    print(f"{devices * registers} tags at 1 Hz", result)
