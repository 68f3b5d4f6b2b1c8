"""The whole agent between programs that are not ours: libmodbus and node-opcua south, mosquitto north."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.peers.waiting import free_port, wait_for

pytestmark = pytest.mark.peer

PEERS = Path(__file__).parents[1] / "peers"
BACK_WITHIN_S = 15.0
IDEAL = {"press-1": 0.1, "cnc-7": 0.08}

SITE = """
agent: {{id: gw-1, place: {{enterprise: acme, site: suzhou}}, timezone: UTC, data_dir: "{data}"}}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{modbus}?unit=1"
    poll: 100ms
    timeout: 500ms
    tags:
      state:   {{address: holding:0}}
      total:   {{address: holding:1, type: uint32}}
      scrap:   {{address: holding:3, type: uint32, order: CDAB}}
      load:    {{address: holding:40, type: float32, order: DCBA}}
      program: {{address: holding:50, type: string, length: 8}}
      temp:    {{address: input:10, type: int16, scale: 0.01, offset: -100, unit: Cel, range: [-40, 400]}}
      hot:     {{address: input:11, type: int16, range: [-40, 400]}}
      running: {{address: coil:3}}
      open:    {{address: discrete:4}}
      bit:     {{address: "holding:7.1"}}
      ghost:   {{address: holding:1500}}
  cnc-7:
    driver: opcua
    url: "opc.tcp://127.0.0.1:{opcua}"
    publish: 100ms
    tags:
      state: {{node: "ns=1;s=Mode"}}
      total: {{node: "ns=1;s=Fast", sample: 50ms}}
      scrap: {{node: "ns=1;s=n0"}}
      speed: {{node: "ns=1;s=Speed"}}
      level: {{node: "ns=1;s=Level"}}
      ghost: {{node: "ns=1;s=Ghost"}}
machines:
  press-1:
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN, 2: FAULT}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    ideal_cycle: 0.1s
    counter: {{max_rate: 1000}}
    calendar: now
    micro_stop: 500ms
    outside_plan: exclude
  cnc-7:
    state: {{tag: cnc-7.state, map: {{automatic: RUN}}}}
    counts: {{total: cnc-7.total, scrap: cnc-7.scrap}}
    ideal_cycle: 0.08s
    calendar: now
    outside_plan: exclude
calendars:
  now:
    shifts: {{now: {{start: "{minute}", end: "{minute}"}}}}
    planned_down: [{{start: 2020-01-01T00:00, end: "{begin}"}}]
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", profile: json}}
journal: {{flush: 100ms}}
kpi: {{every: 300ms, windows: [shift]}}
"""


class Server:
    """One of the servers: `start`, `kill`, `start` again on the same port."""

    def __init__(self, start: Callable[..., Any], name: str, *command: str) -> None:
        self._process = start(name, *command)
        self._starts = 1
        self.wait()

    def wait(self) -> None:
        wait_for(lambda: self._process.log().count("ready") == self._starts, 60, "the server is ready")

    def kill(self) -> None:
        self._process.stop(signal.SIGKILL)

    def restart(self) -> None:
        self._starts += 1
        self._process.start()
        self.wait()


class Plc(Server):
    """libmodbus under the test's hand: what a PLC program would write is written over Modbus."""

    def __init__(self, start: Callable[..., Any], program: Path, port: int) -> None:
        super().__init__(start, "modbus", str(program), str(port))
        self._port = port

    def set(self, address: int, *values: int) -> None:
        """Write holding registers (function 16)."""
        data = struct.pack(f">HHB{len(values)}H", address, len(values), 2 * len(values), *values)
        request = struct.pack(">HHHBB", 1, 0, len(data) + 2, 1, 16) + data
        with socket.create_connection(("127.0.0.1", self._port), timeout=5) as line:
            line.sendall(request)
            assert line.recv(260)[7] == 16, "the server refuses"

    def state(self, value: int) -> None:
        self.set(0, value)

    def count(self, total: int, scrap: int) -> None:
        self.set(1, total >> 16, total & 0xFFFF, scrap & 0xFFFF, scrap >> 16)


@pytest.fixture(scope="session")
def mbserver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc to build the libmodbus server (apt install gcc)")
    program = tmp_path_factory.mktemp("peers") / "mbserver"
    flags = ["-I/usr/include/modbus", "-I/usr/local/include/modbus", "-lmodbus"]
    source = str(PEERS / "mbserver.c")
    if subprocess.run(["gcc", "-O2", source, "-o", str(program), *flags], capture_output=True).returncode:
        pytest.skip("needs libmodbus to build its server (apt install libmodbus-dev)")
    return program


@pytest.fixture(scope="session")
def uaserver(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the node-opcua server, but for its port; its certificates are made once."""
    if shutil.which("node") is None:
        pytest.skip("needs node: install Node.js 18 or newer")
    if not (PEERS / "node" / "node_modules" / "node-opcua").is_dir():
        if os.environ.get("EDGE_AGENT_NODE_PEERS") != "1" or shutil.which("npm") is None:
            pytest.skip("needs node-opcua: run tests/peers/install.sh or set EDGE_AGENT_NODE_PEERS=1")
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
        subprocess.run(install, cwd=PEERS / "node", check=True, timeout=300)
    return ["node", str(PEERS / "node" / "uaserver.js"), str(tmp_path_factory.mktemp("certificates"))]


class Plant:
    """Both servers, the broker's listener and the agent between them."""

    def __init__(self, plc: Plc, cnc: Server, listener: Any, agent: Any, begin: int) -> None:
        self.plc, self.cnc, self.listener, self.agent, self.begin = plc, cnc, listener, agent, begin

    def newest(self, device: str, tag: str) -> tuple[Any, str]:
        """Value and quality as the broker has them; (None, "") before the first."""
        found = self.listener.values(device, tag)
        return found[-1][1:] if found else (None, "")

    def kpi(self, machine: str) -> dict[str, Any]:
        records = self.listener.on(f"/{machine}/kpi/shift")
        return records[-1] if records else {}

    def state(self, machine: str) -> tuple[str, str | None]:
        changes = self.listener.on(f"/{machine}/state")
        return (changes[-1]["state"], changes[-1]["reason"]) if changes else ("", None)

    def counted(self, machine: str, from_ms: float, to_ms: float) -> int:
        """Pieces in (from, to] by the published values of its counter alone."""
        before = [value for t, value, _ in self.listener.values(machine, "total") if t <= from_ms]
        within = [value for t, value, _ in self.listener.values(machine, "total") if t <= to_ms]
        return int(within[-1] - (before or within[:1])[-1])     # the first that was read is where counting begins


@pytest.fixture
def plant(
    tmp_path: Path,
    broker: Any,
    listener: Any,
    mbserver: Path,
    uaserver: list[str],
    start_process: Callable[..., Any],
    start_agent: Callable[[str], Any],
) -> Plant:
    modbus, opcua = free_port(), free_port()
    node, program, folder = uaserver
    cnc = Server(start_process, "opcua", node, program, str(opcua), folder)
    plc = Plc(start_process, mbserver, modbus)
    plc.state(1)
    plc.count(70_000, 5)
    plc.set(40, *struct.unpack("<2H", struct.pack(">f", 12.75))[::-1])
    plc.set(50, *struct.unpack(">4H", b"A100\0\0\0\0"))
    for lead in (6, 12, 24, 48):
        begin = int(time.time()) + lead
        starts = datetime.fromtimestamp(begin, UTC).replace(tzinfo=None)
        site = SITE.format(
            data=tmp_path / f"data-{lead}",
            modbus=modbus,
            opcua=opcua,
            broker=broker.port,
            minute=f"{starts:%H:%M}",
            begin=starts.isoformat(),
        )
        agent = start_agent(site)
        running = Plant(plc, cnc, listener, agent, begin)
        wait_for(lambda: plant_is_known(running), 20, "the first values of both devices")   # noqa: B023
        if time.time() < begin:
            return running
        # A busy machine: what follows is about a shift that is seen from its first moment on.
        agent.stop(signal.SIGKILL)
        time.sleep(0.5)
        listener.messages.clear()
        agent.output.unlink()
    pytest.fail("the first values never came before the shift")


def plant_is_known(plant: Plant) -> bool:
    return plant.newest("press-1", "state") == (1, "good") and plant.newest("cnc-7", "state") == ("automatic", "good")


def test_values_kinds_and_qualities_are_those_of_the_equipment(plant: Plant) -> None:
    plant.plc.set(7, 7)
    wait_for(lambda: plant.newest("cnc-7", "ghost")[1] == "bad", 5, "the refused node")
    wait_for(lambda: plant.newest("press-1", "ghost")[1] == "bad", 5, "the refused register")
    press = {tag: plant.newest("press-1", tag) for tag in (
        "state", "total", "scrap", "load", "program", "temp", "hot", "running", "open", "bit", "ghost")}  # fmt: skip
    assert {tag: value for tag, (value, quality) in press.items() if quality == "good"} == {
        "state": 1, "total": 70_000, "scrap": 5, "load": 12.75, "program": "A100", "temp": pytest.approx(0.1),
        "running": True, "open": False, "bit": True,
    }  # fmt: skip
    assert {tag for tag, (_, quality) in press.items() if quality == "bad"} == {"hot", "ghost"}
    assert press["hot"][0] in (10_011, None)
    assert press["ghost"][0] is None
    cnc = {tag: plant.newest("cnc-7", tag) for tag in ("state", "scrap", "speed", "level", "ghost")}
    assert cnc == {
        "state": ("automatic", "good"), "scrap": (0, "good"), "speed": (12.5, "good"), "level": (3, "good"),
        "ghost": (None, "bad"),
    }  # fmt: skip
    kinds = {tag: type(value) for tag, (value, _) in (*press.items(), *cnc.items()) if value is not None}
    assert (kinds["running"], kinds["open"], kinds["bit"]) == (bool, bool, bool)
    assert (kinds["total"], kinds["level"], kinds["load"], kinds["speed"]) == (int, int, float, float)
    totals = [value for _, value, quality in plant.listener.values("cnc-7", "total") if quality == "good"]
    assert totals == list(range(totals[0], totals[0] + len(totals)))
    times = [t for t, *_ in plant.listener.values("cnc-7", "total")]
    assert times == sorted(times)


def test_kpis_are_those_of_the_equipment(plant: Plant) -> None:
    wait_for(lambda: time.time() > plant.begin + 0.5, 10, "the shift")
    plant.plc.count(70_020, 7)
    plant.plc.state(2)
    time.sleep(1.5)
    plant.plc.state(1)
    plant.plc.count(70_030, 8)
    wait_for(lambda: plant.kpi("press-1").get("counts", {}).get("pq") == 30, 5, "thirty pieces")
    wait_for(lambda: time.time() > plant.begin + 4, 10, "some pieces of the other machine")
    for machine in ("press-1", "cnc-7"):
        record = plant.kpi(machine)
        time_s, counts, kpi = record["time_s"], record["counts"], record["kpi"]
        as_of = datetime.fromisoformat(record["as_of"]).timestamp()
        begin_ms, as_of_ms = plant.begin * 1e3, as_of * 1e3
        # What arrives has whole milliseconds: a piece on the edge may be seen on either side of it.
        fewest, most = (plant.counted(machine, begin_ms + ms, as_of_ms - ms) for ms in (2, -2))
        assert fewest <= counts["pq"] <= most
        assert time_s["pbt"] == pytest.approx(as_of - plant.begin, abs=1e-5)
        assert record["ideal_s"]["igt"] == pytest.approx(IDEAL[machine] * counts["gq"])
        assert kpi["oee"] == pytest.approx(IDEAL[machine] * counts["gq"] / (as_of - plant.begin), rel=1e-5)
        product = kpi["availability_classic"] * kpi["performance_classic"] * kpi["quality_count"]
        assert kpi["oee"] == pytest.approx(product, rel=1e-6)
        assert kpi["data_coverage"] == 1.0
        assert time_s["unk"] == 0
    press, cnc = plant.kpi("press-1"), plant.kpi("cnc-7")
    assert {name: press["counts"][name] for name in ("pq", "gq", "sq", "rq")} == {"pq": 30, "gq": 27, "sq": 3, "rq": 0}
    assert press["time_s"]["adet_fault"] == pytest.approx(1.5, abs=0.4)
    assert cnc["time_s"]["apt"] == cnc["time_s"]["pbt"]
    assert cnc["kpi"]["quality_count"] == 1.0
    assert 0.6 < cnc["kpi"]["oee"] < 0.85, "0.08 s of every tenth of a second"


def test_a_server_killed_and_restarted_is_back_without_a_restart_of_the_agent(plant: Plant) -> None:
    pid = plant.agent.process.pid
    went = goes(plant, plant.plc, "press-1", "cnc-7")
    plant.plc.restart()
    plant.plc.state(1)
    plant.plc.count(70_100, 5)
    comes_back(plant, "press-1", went, lambda: plant.newest("press-1", "total") == (70_100, "good"))
    went = goes(plant, plant.cnc, "cnc-7", "press-1")
    plant.cnc.restart()
    comes_back(plant, "cnc-7", went, lambda: plant.newest("cnc-7", "total")[1] == "good")
    alive = len(plant.listener.values("cnc-7", "total"))
    wait_for(lambda: len(plant.listener.values("cnc-7", "total")) > alive + 5, 5, "it goes on changing")
    assert plant.agent.process.poll() is None
    assert plant.agent.process.pid == pid
    log = plant.agent.log()
    for device in ("press-1", "cnc-7"):
        assert log.count(f"{device}: lost") == 1
        assert log.count(f"{device}: connected") == 2
    assert "Traceback" not in log


def goes(plant: Plant, server: Server, device: str, other: str) -> float:
    """Kill the device's server: its tags are marked and its machine unknown, the other's are not. When it was."""
    killed = time.time()
    server.kill()
    tags = ("state", "total", "scrap")
    wait_for(lambda: all(plant.newest(device, tag) == (None, "bad") for tag in tags), 10, "the marks")
    wait_for(lambda: plant.state(device)[0] == "UNKNOWN", 5, "the unknown state")
    wait_for(lambda: plant.listener.on("/status")[-1]["devices"][device] == "lost", 5, "the status")
    assert plant.listener.on("/status")[-1]["devices"][other] == "connected"
    assert plant.newest(other, "state")[1] == "good"
    assert plant.state(other) == ("RUN", None)
    return killed


def comes_back(plant: Plant, device: str, killed: float, is_back: Callable[[], bool]) -> None:
    ready = time.monotonic()
    wait_for(is_back, BACK_WITHIN_S, f"data of {device}")
    assert time.monotonic() - ready < BACK_WITHIN_S
    wait_for(lambda: plant.state(device) == ("RUN", None), 5, "its state")
    qualities = [quality for t, _, quality in plant.listener.values(device, "total") if t > killed * 1e3 - 500]
    assert qualities.count("bad") == 1, "one mark says it"
    assert qualities[-1] == "good"
