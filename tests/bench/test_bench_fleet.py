"""A hundred devices of a hundred registers on one core: CPU, jitter, skipped scans; and with ten of them dead.

Everything south of the journal runs as in the agent: sessions, decoding, cleaning, ring, deadband. The
devices are one libmodbus server on a hundred loopback addresses, on another core where there is one;
dead ones accept the connection and never answer. The jitter is how far a scan is from its grid.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvloop

from edge_agent import agent, registry
from edge_agent.api import Batch
from edge_agent.config import load
from edge_agent.health import Health
from edge_agent.south.reader import Reader
from tests.peers.build import compiled

DEVICES, REGISTERS, DEAD = 100, 100, 10
ALL = os.sched_getaffinity(0)
OURS = {min(ALL)}
OTHERS = (ALL - OURS) or ALL


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where the server listens, on 127.0.0.1 to 127.0.0.100."""
    program = compiled("mbserver", tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    command = [str(program), str(free), str(REGISTERS), "changing", str(DEVICES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        os.sched_setaffinity(server.pid, OTHERS)
        os.sched_setaffinity(0, OURS)
        yield free
        os.sched_setaffinity(0, ALL)
        server.kill()


def site_text(port: int, poll: str, dead: int) -> str:
    tags = "".join(f"      r{n}: holding:{n}\n" for n in range(REGISTERS))
    text = "agent: {id: bench}\napi: {listen: off}\ndevices:\n"
    for n in range(DEVICES):
        host = f"127.0.1.{n + 1}" if n < dead else f"127.0.0.{n + 1}"
        text += f'  d{n}:\n    driver: modbus\n    url: "modbus+tcp://{host}:{port}"\n'
        text += f"    poll: {poll}\n    tags:\n{tags}"
    return text


async def run(
    folder: Path, port: int, poll: str, period_s: float, seconds: float, dead: int
) -> tuple[dict[str, float], Any]:
    """What the fleet costs once it runs steadily, and how far each scan of the others was from its date, ms."""
    path = folder / f"site-{poll}-{dead}.yaml"
    path.write_text(site_text(port, poll, dead))
    site = load(path, registry.drivers(), registry.publishers())
    ready = agent.prepare(site, registry.drivers(), registry.publishers())
    engine, health = ready.engine, Health()
    times: dict[str, list[int]] = {name: [] for name in site.devices}

    def sink(device: str, batch: Batch) -> None:
        engine.feed(device, batch)
        times[device].append(int(batch.time[0]))

    readers = [
        Reader(name, driver, engine.table.device_tags(name), engine.seen, sink, health, time.time_ns,
               site.devices[name].addresses(), engine.evidence.tags)
        for name, driver in ready.drivers.items()
    ]  # fmt: skip
    with contextlib.ExitStack() as deaf:
        for n in range(dead):
            door = deaf.enter_context(socket.socket())
            door.bind((f"127.0.1.{n + 1}", port))
            door.listen(1)
        tasks = [asyncio.create_task(reader.keep_reading()) for reader in readers]
        await asyncio.sleep(1.0)
        gc.collect()        # as the agent does once it has started
        gc.freeze()
        for _ in range(4):
            await asyncio.sleep(0.5)
            engine.take_samples()
        for one in times.values():
            one.clear()
        skipped = health.counts["scans_skipped"]
        began, cpu = time.monotonic(), time.process_time()
        while time.monotonic() < began + seconds:
            await asyncio.sleep(0.5)
            engine.take_samples()
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        skipped = health.counts["scans_skipped"] - skipped
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        gc.unfreeze()
    off = np.concatenate([_off_grid(np.array(one) / 1e9, period_s) for one in list(times.values())[dead:]])
    scans = sum(len(one) for one in list(times.values())[dead:])
    return {
        "cpu_share": cpu / took, "us_a_scan": cpu / scans * 1e6, "skipped": skipped, "scans_s": scans / took,
    }, abs(off) * 1e3  # fmt: skip


def _off_grid(times: Any, period_s: float) -> Any:
    """How far scans are from their dates, s: the device's dates are where most of its scans are."""
    phases = (times - times[0] + period_s / 2) % period_s
    return phases - np.median(phases)


@pytest.mark.parametrize(("poll", "period_s", "seconds"), [("1s", 1.0, 20.0), ("100ms", 0.1, 6.0)])
def test_a_hundred_devices_keep_their_dates_and_ten_dead_ones_do_not_matter(
    benchmark: Any, tmp_path: Path, port: int, poll: str, period_s: float, seconds: float
) -> None:
    def measure() -> dict[str, list[tuple[dict[str, float], Any]]]:
        figures: dict[str, list[tuple[dict[str, float], Any]]] = {"all alive": [], "ten dead": []}
        for _ in range(3):      # in turns, so that whatever else the machine does meets both
            for name, dead in (("all alive", 0), ("ten dead", DEAD)):
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    figures[name].append(runner.run(run(tmp_path, port, poll, period_s, seconds, dead)))
        return figures

    figures = benchmark.pedantic(measure, rounds=1)
    middle = {}
    for name, runs in figures.items():
        middle[name] = {key: float(np.median([one[key] for one, _ in runs])) for key in runs[0][0]}
        off = np.concatenate([one for _, one in runs])
        middle[name] |= {"jitter_p99_ms": float(np.quantile(off, 0.99)), "jitter_max_ms": float(off.max())}
        print(f"\n{poll}, {name}: " + ", ".join(f"{key} {value:.4g}" for key, value in middle[name].items()))
    ratio = middle["ten dead"]["jitter_p99_ms"] / middle["all alive"]["jitter_p99_ms"]
    print(f"jitter p99 with ten dead / all alive: {ratio:.2f}")
    benchmark.extra_info |= {"ratio": ratio, **middle["all alive"]}
    assert middle["all alive"]["skipped"] == middle["ten dead"]["skipped"] == 0
    assert ratio < 1.5
