"""What one scan costs: 100 registers of a libmodbus server, ours and plain pymodbus in the same run.

Client and server share one core: across cores a wake-up costs several times the request.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pymodbus.client import AsyncModbusTcpClient

from edge_agent.api import Tag
from edge_agent_modbus import plugin

SOURCE = Path(__file__).parents[1] / "peers" / "mbserver.c"
SCANS = 400
TAGS = 100


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where a libmodbus server listens."""
    program = tmp_path / "mbserver"
    command = ["gcc", "-O2", str(SOURCE), "-o", str(program), "-I/usr/include/modbus", "-lmodbus"]
    if shutil.which("gcc") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs gcc and libmodbus (apt install gcc libmodbus-dev)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    with subprocess.Popen([str(program), str(free)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        cores = os.sched_getaffinity(0)
        for process in (0, server.pid):
            os.sched_setaffinity(process, {min(cores)})
        assert server.stdout.readline() == "ready\n"
        yield free
        os.sched_setaffinity(0, cores)
        server.kill()


async def cpu_us(one: Callable[[], Awaitable[object]]) -> float:
    """CPU of this process for one call, in µs: the best of 15 runs."""
    runs = []
    for _ in range(15):
        began = time.process_time()
        for _ in range(SCANS):
            await one()
        runs.append((time.process_time() - began) / SCANS * 1e6)
    return min(runs)


async def measure(port: int) -> dict[str, float]:
    """CPU per scan of our session, and of reading and converting with pymodbus alone."""
    tags = {f"t{n}": {"address": f"holding:{n}"} for n in range(TAGS)}
    url = f"modbus+tcp://127.0.0.1:{port}"
    config = plugin.config.model_validate({"driver": "modbus", "url": url, "poll": "1ms", "tags": tags})
    table = [Tag(n, "d", name, config.tags[name].kind()) for n, name in enumerate(config.tags)]
    session: Any = await plugin.build("d", config, table, time.time_ns).connect()
    session._schedule.next = lambda: (0, 0)  # always due: the waiting is not what is measured
    plain = AsyncModbusTcpClient("127.0.0.1", port=port)
    await plain.connect()
    kind = plain.DATATYPE.UINT16

    async def by_hand() -> list[object]:
        registers = (await plain.read_holding_registers(0, count=TAGS)).registers
        return [plain.convert_from_registers([register], kind) for register in registers]

    try:
        assert list((await session.read()).value) == await by_hand()
        request = session.dialogue._requests[(3, 0, TAGS)]
        return {
            "scan_us": await cpu_us(session.read),
            "request_us": await cpu_us(lambda: session.dialogue.ask(request, "")),
            "plain_pymodbus_us": await cpu_us(by_hand),
        }
    finally:
        plain.close()
        await session.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_scan_costs_clearly_less_than_reading_and_converting_by_hand(
    benchmark: Any, port: int, loop: str
) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
        figures = benchmark.pedantic(lambda: runner.run(measure(port)), rounds=1)
    benchmark.extra_info |= figures
    print(f"\n{loop}: " + ", ".join(f"{name} {value:.1f}" for name, value in figures.items()))
    assert figures["scan_us"] < figures["plain_pymodbus_us"] / 1.5
