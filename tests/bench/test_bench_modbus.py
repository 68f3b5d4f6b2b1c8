"""What reading 125 registers costs: pymodbus in a loop, libmodbus in C, and the driver with all it does.

Client and server share one core: across cores a wake-up costs several times the request, and how often one
is needed is chance. The ways are measured in turns, and of each the best of many short runs counts: what
is more was somebody else's. "all in" is a scan as the agent has it: planned, asked, decoded, marked, noted,
cleaned, kept in the ring and held against the deadband.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pymodbus.client import AsyncModbusTcpClient

from edge_agent.api import Tag
from edge_agent.core.engine import Engine
from edge_agent.core.tags import TagTable
from edge_agent.health import Health
from edge_agent.south.reader import Nobody, Reader
from edge_agent_modbus import plugin
from tests.peers.build import compiled
from tests.peers.waiting import free_port

REGISTERS = 125
ROUNDS, REQUESTS = 60, 100


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Where a libmodbus server listens, and the libmodbus client."""
    server, client, port = compiled("mbserver", tmp_path), compiled("mbclient", tmp_path), free_port()
    with subprocess.Popen([str(server), str(port), str(REGISTERS)], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        cores = os.sched_getaffinity(0)
        for process in (0, running.pid):
            os.sched_setaffinity(process, {min(cores)})
        assert running.stdout.readline() == "ready\n"
        yield port, client
        os.sched_setaffinity(0, cores)
        running.kill()


async def always_due(driver: Any) -> Any:
    """A session that scans whenever it is asked: the waiting is not what is measured."""
    session = await driver.connect()
    session._schedule.next = lambda: (0, 0)
    return session


async def measure(port: int) -> tuple[dict[str, float], dict[str, float]]:
    """CPU and time of one request, µs, each way."""
    tags = {f"t{n}": f"holding:{n}" for n in range(REGISTERS)}
    url = f"modbus+tcp://127.0.0.1:{port}"
    config = plugin.config.model_validate({"driver": "modbus", "url": url, "poll": "1ms", "tags": tags})
    table = TagTable([Tag(n, "d", name, config.tags[name].kind()) for n, name in enumerate(config.tags)])
    driver = plugin.build("d", config, list(table), time.time_ns)
    session = await always_due(driver)
    engine = Engine(table, driver.groups, [], ring_bytes=64_000_000)
    reader = Reader("d", driver, list(table), engine.seen, engine.feed, Health(), time.time_ns, (url,), Nobody())
    plain = AsyncModbusTcpClient("127.0.0.1", port=port)
    await plain.connect()

    async def all_in() -> None:
        engine.feed("d", reader._note(await session.read()))

    [block] = session._scans[0]._blocks
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "pymodbus": lambda: plain.read_holding_registers(0, count=REGISTERS),
        "request": lambda: session.dialogue.read(block),
        "scan": session.read,
        "all in": all_in,
    }
    cpu, wall = dict.fromkeys(ways, 1e9), dict.fromkeys(ways, 1e9)
    for _ in range(ROUNDS):
        for name, one in ways.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            for _ in range(REQUESTS):
                await one()
            cpu[name] = min(cpu[name], (time.process_time() - began_cpu) / REQUESTS * 1e6)
            wall[name] = min(wall[name], (time.perf_counter() - began) / REQUESTS * 1e6)
        engine.take_samples()
    plain.close()
    await session.close()
    return cpu, wall


def measure_c(port: int, client: Path) -> tuple[float, float]:
    """The same of libmodbus."""
    command = [str(client), str(port), str(REGISTERS), str(20 * REQUESTS)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(5)]
    told = [json.loads(run) for run in runs]
    return min(one["cpu_us_per_request"] for one in told), 1e6 / max(one["requests_per_s"] for one in told)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_scan_with_everything_costs_less_than_plain_pymodbus_without(
    benchmark: Any, peers: tuple[int, Path], loop: str
) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
        cpu, wall = benchmark.pedantic(lambda: runner.run(measure(peers[0])), rounds=1)
    cpu["libmodbus"], wall["libmodbus"] = measure_c(*peers)
    print(f"\n{loop}, 125 registers: CPU µs a request, × libmodbus in C, k registers/s")
    for name, us in cpu.items():
        print(f"  {name:10} {us:7.1f} {us / cpu['libmodbus']:7.2f} {REGISTERS / wall[name] * 1e3:9.0f}")
    benchmark.extra_info |= {f"{name}_us": us for name, us in cpu.items()}
    assert cpu["all in"] < cpu["pymodbus"]
