"""The agent as a Modbus server: a real device behind it, other programs in front of it."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymodbus.client import ModbusTcpClient

from edge_agent import agent, registry
from edge_agent.api import GOOD, row
from edge_agent.cli import main
from edge_agent.config import load
from edge_agent.core.cell import Cell
from edge_agent.core.report import Report, Window
from edge_agent_modbus.serving.image import Image
from tests.peers.build import compiled
from tests.peers.waiting import free_port, wait_for

PEERS = Path(__file__).parents[1] / "peers"
BACK_WITHIN_S = 10.0
SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: "{data}"}}
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
      temp:  {{address: holding:4, type: int16, scale: 0.1}}
      fault: {{address: "holding:5.3"}}
      name:  {{address: holding:10, type: string, length: 8}}
machines:
  press-1:
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN, 2: FAULT}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 100ms
publish: {{{publish}}}
journal: {{flush: 50ms}}
kpi: {{every: 200ms, windows: [day]}}
serve:
  hmi:
    type: modbus
    listen: "{listen}"
    map:
      - {{address: "input:0", tag: press-1.temp, type: float32}}
      - {{address: "input:2", tag: press-1.total, type: uint32, order: CDAB}}
      - {{address: "input:4", quality: press-1.temp}}
      - {{address: "input:5", age: press-1.temp}}
      - {{address: "input:6", kpi: press-1.day.oee, type: float32}}
      - {{address: "input:8", kpi: press-1.day.pq, type: uint32}}
      - {{address: "input:10", state: press-1}}
      - {{address: "holding:0", tag: press-1.name, type: string, length: 8}}
      - {{address: "discrete:0", connected: press-1}}
      - {{address: "discrete:1", tag: press-1.fault}}
"""
IMAGE = struct.Struct(">fHHHHfIH")      # input 0..10; the second and third are the total, low word first


class Hmi:
    """An independent client that looks at the whole map."""

    def __init__(self, port: int, process: Any = None) -> None:
        self.port = port
        self.agent = process

    def look(self) -> dict[str, Any]:
        """What is shown now; {} while nobody answers."""
        with ModbusTcpClient("127.0.0.1", port=self.port, timeout=2) as client:
            if not client.connected:
                return {}
            words = client.read_input_registers(0, count=11)
            bits = client.read_discrete_inputs(0, count=2)
            name = client.read_holding_registers(0, count=4)
        temp, low, high, quality, age, oee, pieces, state = IMAGE.unpack(struct.pack(">11H", *words.registers))
        text = struct.pack(">4H", *name.registers).rstrip(b"\0").decode()
        return {
            "temp": temp, "total": high << 16 | low, "quality": quality, "age": age, "oee": oee, "pieces": pieces,
            "state": state, "name": text, "connected": bits.bits[0], "fault": bits.bits[1],
        }  # fmt: skip


class Plc:
    """The device behind the agent."""

    def __init__(self, process: Any) -> None:
        self.process = process

    def set(self, address: int, *values: int) -> None:
        """What its program would write."""
        self.process.process.stdin.write(" ".join(map(str, (address, *values))).encode() + b"\n")
        self.process.process.stdin.flush()


@pytest.fixture
def plc_port() -> int:
    return free_port()


@pytest.fixture
def plc(plc_port: int, start_process: Callable[..., Any]) -> Plc:
    name = struct.unpack(">4H", b"A100\0\0\0\0")
    presets = ["0 1 1 4464 5 235 8", "10 " + " ".join(map(str, name))]
    return Plc(start_process("plc", sys.executable, str(PEERS / "plc.py"), str(plc_port), *presets))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def site(tmp_path: Path, plc_port: int, port: int) -> str:
    return SITE.format(data=tmp_path / "data", plc=plc_port, publish="", listen=f"127.0.0.1:{port}")


@pytest.fixture
def hmi(port: int, plc: Plc, site: str, start_agent: Callable[[str], Any]) -> Hmi:
    """In front of a running agent that knows its device and has reported."""
    held = Hmi(port, start_agent(site))
    wait_for(lambda: (seen := held.look()) and seen["name"] and not math.isnan(seen["oee"]), 20, "the first values")
    return held


def test_an_hmi_sees_what_the_device_has(hmi: Hmi, plc: Plc) -> None:
    seen = hmi.look()
    assert seen["temp"] == pytest.approx(23.5)
    assert (seen["total"], seen["name"], seen["fault"], seen["connected"]) == (70_000, "A100", True, True)
    assert (seen["quality"], seen["state"]) == (0, 4)
    assert seen["age"] <= 1
    plc.set(4, 0x10000 - 55)
    plc.set(5, 0)
    plc.set(0, 2)
    wait_for(lambda: hmi.look()["temp"] == pytest.approx(-5.5), 3, "the new temperature")
    wait_for(lambda: (hmi.look()["state"], hmi.look()["fault"]) == (5, False), 3, "the new state")


def test_a_dead_device_is_shown_as_unknown_and_a_live_one_again(hmi: Hmi, plc: Plc) -> None:
    plc.process.stop(signal.SIGKILL)
    died = time.monotonic()
    gone = wait_for(lambda: (seen := hmi.look())["quality"] == 2 and seen, 5, "the marks")
    assert math.isnan(gone["temp"])
    assert (gone["total"], gone["name"], gone["fault"]) == (0xFFFFFFFF, "", False)
    wait_for(lambda: (hmi.look()["connected"], hmi.look()["state"]) == (False, 0), 5, "the lost line")
    wait_for(lambda: hmi.look()["age"] >= 2, 5, "the age")
    assert hmi.look()["age"] <= time.monotonic() - died + 1
    assert hmi.look()["oee"] == hmi.look()["oee"], "the day's OEE is still known"
    plc.process.start()
    back = wait_for(lambda: (seen := hmi.look())["quality"] == 0 and seen, BACK_WITHIN_S, "the device")
    assert back["temp"] == pytest.approx(23.5)
    assert back["connected"]


def test_kpis_are_those_that_are_published(
    tmp_path: Path, plc: Plc, plc_port: int, port: int, broker: Any, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    publish = f'platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker.port}"}}'
    start_agent(SITE.format(data=tmp_path / "data", plc=plc_port, publish=publish, listen=f"127.0.0.1:{port}"))
    hmi = Hmi(port)
    wait_for(lambda: hmi.look() and not math.isnan(hmi.look()["oee"]), 20, "the first KPI")
    shown = []
    for n in range(15):
        plc.set(1, 1, 4464 + 3 * n)
        shown.append((hmi.look()["oee"], hmi.look()["pieces"]))
        time.sleep(0.1)
    time.sleep(1.0)
    records = listener.on("/press-1/kpi/day")
    published = {struct.unpack(">f", struct.pack(">f", record["kpi"]["oee"]))[0] for record in records}
    pieces = {record["counts"]["pq"] for record in records}
    assert {oee for oee, _ in shown} <= published
    assert {n for _, n in shown} <= pieces
    assert len({oee for oee, _ in shown}) > 3
    assert shown[-1][1] > 10


@pytest.mark.peer
def test_libmodbus_reads_it_and_can_write_nothing(hmi: Hmi, tmp_path: Path) -> None:
    program = str(compiled("mbread", tmp_path))

    def ask(*words: object) -> list[str]:
        command = [program, str(hmi.port), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.splitlines()

    assert ask(1, "input", 2, 3) == ["4464", "1", "0"]
    assert ask(1, "holding", 0, 4) == [str(word) for word in struct.unpack(">4H", b"A100\0\0\0\0")]
    assert ask(1, "discrete", 0, 2) == ["1", "1"]
    before = hmi.look()
    assert ask(1, "write", 0, 4) == ["refused: Illegal function"]
    assert ask(1, "write-coil", 0, 1) == ["refused: Illegal function"]
    assert ask(1, "input", 0, 12) == ["refused: Illegal data address"]
    assert ask(1, "input", 3, 1) == ["refused: Illegal data address"]
    assert ask(9, "input", 0, 2) == ["refused: Target device failed to respond"]
    after = hmi.look()
    assert {k: after[k] for k in ("name", "total", "temp")} == {k: before[k] for k in ("name", "total", "temp")}


def test_too_many_and_rude_clients_do_not_disturb_the_agent(hmi: Hmi) -> None:
    dice = random.Random(3)
    lines = [socket.create_connection(("127.0.0.1", hmi.port), 5) for _ in range(20)]
    served = 0
    for line in lines:
        try:
            line.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 4, 4, 1))
            served += len(line.recv(100)) == 11
        except OSError:
            pass
    assert served == 8
    for line in lines:
        line.close()
    wait_for(hmi.look, 5, "room for one")
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", hmi.port), 5) as line:
            try:
                line.sendall(dice.randbytes(dice.randrange(1, 2_000)))
            except OSError:
                continue
    wait_for(hmi.look, 5, "an answer")
    assert hmi.look()["age"] <= 1
    log = hmi.agent.log()
    assert "Traceback" not in log
    assert log.count("press-1: lost") == 0
    assert hmi.agent.stop() == 0


def test_a_port_that_is_taken_is_said_once_and_used_once_it_is_free(
    site: str, plc: Plc, port: int, start_agent: Callable[[str], Any]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        process = start_agent(site)
        wait_for(lambda: "press-1: connected" in process.log(), 15, "the device, all the same")
        wait_for(lambda: "does not listen" in process.log(), 5, "the warning")
        time.sleep(2.0)
    wait_for(lambda: Hmi(port).look(), BACK_WITHIN_S, "the server")
    log = process.log()
    assert log.count(f"hmi: does not listen on 127.0.0.1:{port}: port {port} is taken by another program") == 1
    assert log.count(f"hmi: listening on 127.0.0.1:{port}, after") == 1
    assert "Traceback" not in log
    assert process.stop() == 0


async def test_a_fault_of_the_server_costs_the_agent_nothing_and_the_server_comes_back(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(data=tmp_path / "data", plc=9, publish="", listen=f"0.0.0.0:{port}"))
    site = load(path, registry.drivers(), registry.publishers(), servers=registry.servers())
    parts = await agent.build(site, registry.drivers(), registry.publishers())
    answer, faults = Image.answer, iter((RuntimeError("a bug"),))

    def faulty(self: Image, *rest: Any) -> bytes:
        for fault in faults:
            raise fault
        return answer(self, *rest)

    monkeypatch.setattr(Image, "answer", faulty)
    caplog.set_level(logging.INFO)
    stop = asyncio.Event()
    running = asyncio.create_task(agent.run(parts, stop))
    hmi = Hmi(port)
    await asyncio.to_thread(wait_for, lambda: "hmi: listening" in caplog.text, 15, "the server")
    with pytest.raises(Exception, match=r"(?i)connection|response"):
        await asyncio.to_thread(hmi.look)
    for _ in range(50):
        await asyncio.sleep(0.1)
        if seen := await asyncio.to_thread(hmi.look):
            break
    assert (seen["quality"], seen["age"], seen["state"], seen["connected"]) == (2, 0xFFFF, 0, False)
    assert not running.done()
    stop.set()
    await running
    told = [record.getMessage() for record in caplog.records]
    assert sum("hmi: unexpected error" in line for line in told) == 1
    assert sum("no login" in line for line in told) == 1
    assert not await asyncio.to_thread(hmi.look), "the port is closed with the agent"


async def test_what_servers_see_is_what_the_core_knows_and_no_window_that_is_over(tmp_path: Path, port: int) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(data=tmp_path / "data", plc=9, publish="", listen=f"127.0.0.1:{port}"))
    site = load(path, registry.drivers(), registry.publishers(), servers=registry.servers())
    now = 1_700_000_000 * 10**9
    ready = agent.prepare(site, registry.drivers(), registry.publishers(), lambda: now)
    engine, look = ready.engine, ready.look
    assert look.value("press-1.temp") is None
    tags = {tag.name: tag for tag in engine.table}
    values = {"state": 1, "total": 7, "temp": 235, "fault": 1, "name": tags["name"].vocabulary.code("A100")}
    for name, value in values.items():
        engine.feed("press-1", row(np.array([tags[name].position], np.int32), now, np.array([value], float)))
    assert [look.value(f"press-1.{name}") for name in values] == [
        (value, GOOD, now) for value in (1, 7, 23.5, True, "A100")
    ]
    assert look.state("press-1") == 4
    assert not look.connected("press-1")
    assert look.kpi("press-1", "day", "oee") is None, "nothing was reported yet"
    cell = Cell(apt=5 * 10**9, adet_fault=5 * 10**9, pq=4, gq=4, ipt=Fraction(4), igt=Fraction(4))
    for end, oee, pieces in ((now + 1, 0.4, 4), (now, None, None)):
        window = Window("day", "day", now - 10, end, production_date=date(2026, 1, 1), zone="UTC")
        look.note(Report("press-1", window, 0, False, now, "", cell))
        assert look.kpi("press-1", "day", "oee") == oee
        assert look.kpi("press-1", "day", "pq") == pieces


def test_check_warns_of_a_port_that_others_can_reach(
    tmp_path: Path, plc_port: int, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yaml"
    for listen, warned in (("127.0.0.1", False), ("0.0.0.0", True)):
        path.write_text(SITE.format(data=tmp_path / "data", plc=plc_port, publish="", listen=f"{listen}:{port}"))
        assert main(["check", os.fspath(path)]) == 0
        said = capsys.readouterr()
        assert said.out.rstrip().endswith("0 destinations, 1 server")
        assert ("warning: serve.hmi: listens on port" in said.err) is warned
