"""The agent as an OPC UA server: a real device behind it, an OPC UA client in front of it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from tests.peers.shown_plant import URI, Application, client_of, shown
from tests.peers.waiting import free_port, wait_for

PEERS = Path(__file__).parents[1] / "peers"
SITE = """
agent: {{id: gw-01, timezone: UTC, data_dir: "{data}"}}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 50ms
    timeout: 300ms
    tags:
      state: {{address: holding:0}}
      total: {{address: holding:1, type: uint32}}
      scrap: {{address: holding:3}}
      temp:  {{address: holding:4, type: int16, scale: 0.1, unit: Cel, range: [-40, 400]}}
      fault: {{address: "holding:5.3"}}
machines:
  press-1:
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN, 2: FAULT}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 100ms
journal: {{flush: 50ms}}
kpi: {{every: 200ms, windows: [day]}}
serve:
  scada:
    type: opcua
    listen: "127.0.0.1:{port}"
    users: {{scada: s3cret}}
    every: 100ms
"""


@pytest.fixture
def plc_port() -> int:
    return free_port()


@pytest.fixture
def plc(plc_port: int, start_process: Callable[..., Any]) -> Any:
    """The device: running, 70,000 pieces, 23.5 degrees."""
    preset = "0 1 1 4464 5 235 8"
    return start_process("plc", sys.executable, str(PEERS / "plc.py"), str(plc_port), preset)


async def soon(client: Client, key: str, is_so: Callable[[Any], bool], seconds: float = 15.0) -> Any:
    async with asyncio.timeout(seconds):
        while not is_so(value := await shown(client, key)):  # noqa: ASYNC110 (a server is asked)
            await asyncio.sleep(0.05)
    return value


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_scada_sees_machines_figures_and_what_becomes_of_a_device(
    tmp_path: Path, plc: Any, plc_port: int, start_agent: Callable[[str], Any]
) -> None:
    port, data = free_port(), tmp_path / "data"
    scada = Application(tmp_path / "clients", "scada")
    scada.trust(data)
    agent = start_agent(SITE.format(data=data, plc=plc_port, port=port))
    await asyncio.to_thread(wait_for, lambda: listens(port), 40, "the server")
    client = await client_of(port, scada, ("scada", "s3cret"))
    async with client:
        temp = await soon(client, "press-1.temp", lambda v: v.StatusCode.is_good())
        assert temp.Value.Value == pytest.approx(23.5)
        assert (await shown(client, "press-1.total")).Value.Value == 70_000
        assert (await shown(client, "press-1.fault")).Value.Value is True
        await soon(client, "machine.press-1.state", lambda v: v.Value.Value == 4)
        current = "machine.press-1.MachineryItemState.CurrentState"
        assert (await soon(client, current, lambda v: v.Value.Value is not None)).Value.Value.Text == "Executing"
        oee = await soon(client, "machine.press-1.kpi.day.oee", lambda v: v.Value.Value is not None)
        assert 0 <= oee.Value.Value <= 1
        await dies(plc, client, current)
        plc.start()
        back = await soon(client, "press-1.temp", lambda v: v.StatusCode.is_good())
        assert back.Value.Value == pytest.approx(23.5)
        assert (await client.get_namespace_array())[2] == URI
    assert agent.stop() == 0
    assert "Traceback" not in agent.log()
    assert f"scada: listening on 127.0.0.1:{port}" in agent.log()


async def dies(plc: Any, client: Client, current: str) -> None:
    """The device does not answer any more."""
    plc.stop(signal.SIGKILL)
    gone = await soon(client, "press-1.temp", lambda v: v.StatusCode.is_bad())
    assert gone.StatusCode.name == "BadNoCommunication"
    assert gone.Value.Value is None
    await soon(client, "device.press-1.connected", lambda v: v.Value.Value is False)
    await soon(client, "machine.press-1.state", lambda v: v.Value.Value == 0)
    unknown = await soon(client, current, lambda v: v.StatusCode.is_bad())
    assert unknown.StatusCode.value == ua.StatusCodes.BadNoData
