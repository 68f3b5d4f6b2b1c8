"""The whole agent as an edge node, between real equipment, a real broker and a host; requirement ids in the names."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from edge_agent import agent, registry
from edge_agent.config import load
from edge_agent.encode import columns
from edge_agent.encode.sparkplug.datatype import DataType
from edge_agent.encode.sparkplug.metric import Metric, read
from edge_agent.encode.sparkplug.wire import parsed
from edge_agent.health import Count
from edge_agent.journal import RecordKind
from edge_agent.north import follow
from edge_agent.north.sparkplug import talk
from edge_agent.supervise import Backoff
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.recording_proxy import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE, RecordingProxy
from tests.peers.sparkplug_host import Host, values
from tests.peers.waiting import free_port

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SITE = """
agent: {{id: gw-01, place: {{enterprise: acme}}, data_dir: data, timezone: UTC}}
devices:
  toy-1:
    driver: simulated
    url: simulated://?seed=1
    poll: 20ms
    tags:
      temp:  {{signal: sine, low: 18, high: 26, period: 3s, unit: Cel, range: [0, 100]}}
      total: {{signal: counter, every: 20ms}}
      scrap: {{signal: constant, value: 0}}
      state: {{signal: cycle, steps: [{{value: 1, for: 1s}}, {{value: 0, for: 500ms}}]}}
      text:  {{signal: cycle, steps: [{{value: A100, for: 1s}}, {{value: B200, for: 1s}}]}}
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 100ms
    timeout: 500ms
    tags:
      setpoint: {{address: holding:10, type: int16, scale: 0.1, write: {{min: -40, max: 400, every: 0s}}}}
      closed:   {{address: holding:12, type: int16}}
machines:
  toy-1:
    state: {{tag: toy-1.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: toy-1.total, scrap: toy-1.scrap}}
    counter: {{bits: 32, max_rate: 1000}}
    ideal_cycle: 20ms
publish:
  scada: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", profile: sparkplug, group: acme, {more}}}
journal: {{flush: 100ms}}
kpi: {{every: 500ms, windows: [hour]}}
api: {{listen: off}}
"""


async def until(what: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


class Bench:
    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder, self.broker = folder, broker
        self.parts: agent.Parts
        self.acquired = Counter[tuple[str, str, int, Any]]()
        self.plc_port = free_port()
        self._plc: subprocess.Popen[bytes] | None = None
        self.start_plc()

    def start_plc(self) -> None:
        command = [sys.executable, str(PLC), str(self.plc_port), "10 210 0 7"]
        self._plc = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._plc.stdout
        assert self._plc.stdout.readline() == b"ready\n"

    def kill_plc(self) -> None:
        assert self._plc
        self._plc.kill()
        self._plc.communicate()

    def register(self, address: int) -> int:
        with ModbusTcpClient("127.0.0.1", port=self.plc_port) as client:
            return int(client.read_holding_registers(address).registers[0])

    def write_site(self, port: int = 0, **more: Any) -> Path:
        path = self.folder / "site.yaml"
        said = ", ".join(f"{key}: {value}" for key, value in more.items()) or "node: gw-01"
        path.write_text(SITE.format(plc=self.plc_port, broker=port or self.broker.port, more=said))
        return path

    @asynccontextmanager
    async def running(self, port: int = 0, **more: Any) -> AsyncIterator[None]:
        path = self.write_site(port, **more)
        site = load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
        self.parts = await agent.build(site, registry.drivers(), registry.publishers())
        self._watch_journal()
        stop = asyncio.Event()
        task = asyncio.create_task(agent.run(self.parts, stop))
        try:
            yield
        finally:
            stop.set()
            await task

    def _watch_journal(self) -> None:
        """Note every sample that is journalled: what must arrive."""
        append = self.parts.journal.append

        def watched(kind: RecordKind, body: bytes, key: int = 0) -> int:
            if kind == RecordKind.SAMPLES:
                [device] = [device for device, known in self.parts.keys.items() if known == key]
                names = [tag.name for tag in self.parts.engine.table.device_tags(device)]
                batch, texts = columns.unpack(body)
                for tag, at, value in zip(batch.tag.tolist(), batch.time.tolist(), batch.value.tolist(), strict=True):
                    held = texts[tag][int(value)] if tag in texts else value
                    self.acquired[device, names[tag], at // 1_000_000, held] += 1
            return append(kind, body, key)

        self.parts.journal.append = watched     # type: ignore[method-assign]

    async def all_arrives(self, *hosts: Host) -> None:
        """Wait until every sample of the machine that was journalled by now has been heard."""
        wanted = {one for one in self.acquired if one[0] == "toy-1"}
        assert wanted

        def missing() -> set[Any]:
            heard = {one[:4] for host in hosts for one in values(host.heard()) if one[0]}
            return {one for one in wanted - heard if not self._stands_behind(one, heard)}

        end = time.monotonic() + 60
        while missing():
            assert time.monotonic() < end, f"{len(missing())} of {len(wanted)}: {sorted(missing(), key=str)[:9]}"
            await asyncio.sleep(0.2)

    def _stands_behind(self, one: tuple[str, str, int, Any], heard: set[Any]) -> bool:
        """Whether it was read in the same ms as another value of its tag, and is told as of the next."""
        device, name, at, value = one
        twins = sum(known[:3] == (device, name, at) for known in self.acquired)
        return twins > 1 and (device, name, at + 1, value) in heard

    def backlog(self) -> int:
        return self.parts.followers[0].places.backlog


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, broker: Mosquitto) -> Iterator[Bench]:
    made = Bench(tmp_path, broker)
    yield made
    made.kill_plc()


@pytest.fixture
def host(broker: Mosquitto) -> Iterator[Host]:
    with Host(broker.port) as listening:
        yield listening


def born(host: Host, times: int = 1) -> Callable[[], bool]:
    return lambda: len(host.of("NBIRTH")) >= times and len(host.of("DBIRTH")) >= 2 * times and bool(host.of("DDATA"))


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_message_flow_edge_node_birth_publish_order_of_connect_subscribe_births_data_and_death(
    bench: Bench, host: Host, version: str
) -> None:
    async with RecordingProxy(bench.broker.port) as wire:
        async with bench.running(wire.port, version=f'"{version}"', commands="true"):
            await until(born(host))
            await until(lambda: len(host.of("NDATA")) > 3)
        await until(lambda: host.of("NDEATH"))
        connect, *rest = wire.packets()
    assert connect.kind == CONNECT
    flags = connect.body[7]
    assert flags & 0b10, "principles-persistence-clean-session"
    assert flags & 0b100, "message-flow-edge-node-birth-publish-will-message"
    assert flags >> 3 & 0b11 == 1, "message-flow-edge-node-birth-publish-will-message-qos"
    assert not flags & 0b100000, "message-flow-edge-node-birth-publish-will-message-will-retained"
    assert b"spBv1.0/acme/NDEATH/gw-01" in connect.body, "…-will-message-topic"
    first = next(n for n, one in enumerate(rest) if one.kind == PUBLISH)
    assert rest[first].topic == "spBv1.0/acme/NBIRTH/gw-01", "principles-birth-certificates-order"
    subscribed = b"".join(one.body for one in rest[:first] if one.kind == SUBSCRIBE)
    assert b"spBv1.0/acme/NCMD/gw-01\x01" in subscribed or b"spBv1.0/acme/NCMD/gw-01\x09" in subscribed
    assert b"spBv1.0/acme/DCMD/gw-01/+" in subscribed, "message-flow-device-dcmd-subscribe"
    published = [one for one in rest if one.kind == PUBLISH]
    assert {one.flags for one in published} == {0}, "payloads-…-qos, payloads-…-retain"
    assert [one.topic for one in published][-1] == "spBv1.0/acme/NDEATH/gw-01"
    assert (rest[-1].kind, rest[-1].body[:1]) == (DISCONNECT, b"\x04" if version == "5" else b"")
    fences = [one for one in rest[first:] if one.kind == SUBSCRIBE]
    assert len(fences) > 5
    assert host.faults() == []
    assert {one.bdseq for one in host.of("NBIRTH") + host.of("NDEATH")} == {0}
    birth = host.of("NBIRTH")[-1]
    assert birth.metric("Machines/toy-1/state").value in ("RUN", "IDLE", "UNKNOWN")
    assert {"Machines/toy-1/hour/oee", "Agent/backlog", "Digital/levels"} <= set(birth.names)
    data = {(device, name): value for device, name, _, value, _ in values(host.heard())}
    assert data["", "Machines/toy-1/hour/counts/total"] > 0
    assert data["toy-1", "text"] in ("A100", "B200")


@pytest.mark.parametrize("mode", [{}, {"aliases": "true", "templates": "true"}])
async def test_nothing_is_lost_when_connections_break_under_load_and_live_goes_on(
    bench: Bench, host: Host, mode: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "BACKOFF", Backoff(first=0.05, longest=0.2))
    async with RecordingProxy(bench.broker.port) as wire:
        wire.cut_each_after("5000-50000")
        async with bench.running(wire.port, **mode):
            await until(lambda: len(wire.sent) > 15, 60)
            wire.mend()
            births = len(host.of("NBIRTH"))
            await until(lambda: len(host.of("NBIRTH")) > births and bench.backlog() == 0)
            await asyncio.sleep(1)
            assert not list(values(host.heard()))[-1][-1], "live again"
            await bench.all_arrives(host)
    assert len(bench.acquired) > 300
    assert host.faults() == []
    found = list(values(host.heard()))
    assert any(old for *_, old in found), "what was on the way is sent again as history"
    births = [one.bdseq for one in host.of("NBIRTH")]
    assert births == sorted(births)
    packets = [one for connection in range(len(wire.sent)) for one in wire.packets(connection)]
    connects = sum(one.kind == CONNECT for one in packets)
    assert births[-1] >= connects - 1, "topics-nbirth-bdseq-increment: one more for each CONNECT"


async def test_topics_nbirth_bdseq_increment_counts_connects_not_attempts_and_goes_on_after_a_restart(
    bench: Bench, host: Host
) -> None:
    async with RecordingProxy(bench.broker.port) as wire:
        async with bench.running(wire.port):
            await until(born(host))
            wire.refuse()
            await asyncio.sleep(2)
            wire.mend()
            await until(born(host, 2))
        bench.acquired.clear()
        async with bench.running(wire.port):
            await until(born(host, 3))
        packets = [one for connection in range(len(wire.sent)) for one in wire.packets(connection)]
        connects = [one for one in packets if one.kind == CONNECT]
    assert [one.bdseq for one in host.of("NBIRTH")] == list(range(len(connects)))
    assert host.faults() == []
    for last, first in ((254, 255), (255, 0)):
        (bench.folder / "data" / "sparkplug" / "scada.bdseq").write_text(f"{last}\n")
        before = len(host.of("NBIRTH"))
        async with bench.running():
            await until(lambda before=before: len(host.of("NBIRTH")) > before)
        assert host.of("NBIRTH")[-1].bdseq == first


AGENT = """
import asyncio, sys
from pathlib import Path
from edge_agent import agent, registry
from edge_agent.config import load

async def day():
    site = load(Path(sys.argv[1]), registry.drivers(), registry.publishers(), profiles=registry.profiles())
    await agent.run(await agent.build(site, registry.drivers(), registry.publishers()), asyncio.Event())

asyncio.run(day())
"""


async def test_an_agent_that_is_killed_is_declared_dead_and_comes_back_with_the_next_number(
    bench: Bench, host: Host
) -> None:
    path = bench.write_site()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(3):
        command = [sys.executable, "-c", AGENT, str(path)]
        births, devices = len(host.of("NBIRTH")), len(host.of("DBIRTH"))
        with subprocess.Popen(command, env=environment) as process:  # noqa: ASYNC220
            try:
                await until(lambda n=births: len(host.of("NBIRTH")) > n, 60)
                await until(lambda n=devices: len(host.of("DBIRTH")) >= n + 2)
            finally:
                process.send_signal(signal.SIGKILL)
        last = host.of("NBIRTH")[-1].bdseq
        await until(lambda last=last: last in [one.bdseq for one in host.of("NDEATH")])
        assert host.of("NDEATH")[-1].qos == 1
    births = [one.bdseq for one in host.of("NBIRTH")]
    assert births == sorted(births)
    assert len(set(births)) == 3
    assert {one.bdseq for one in host.of("NDEATH")} >= set(births)
    assert host.faults() == []


async def test_operational_behavior_data_commands_rebirth_same_number_no_death_and_not_too_often(
    bench: Bench, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "REBIRTH_EVERY_S", 2.0)
    async with bench.running():
        await until(born(host))
        await asyncio.sleep(1)
        before = len(host.of("NBIRTH"))
        host.rebirth()
        await until(lambda: len(host.of("NBIRTH")) == before + 1, 1.5)
        for _ in range(20):
            host.rebirth()
        await until(lambda: len(host.of("NBIRTH")) == before + 2)
        await asyncio.sleep(1)
        assert len(host.of("NBIRTH")) == before + 2
        assert host.of("NDEATH") == []
        await bench.all_arrives(host)
    assert {one.bdseq for one in host.of("NBIRTH")} == {0}
    assert len(host.of("DBIRTH")) == 2 * len(host.of("NBIRTH"))
    assert host.faults() == []


async def test_a_backlog_is_history_and_survives_births_in_its_middle(
    bench: Bench, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "REBIRTH_EVERY_S", 0.05)
    async with RecordingProxy(bench.broker.port) as wire, bench.running(wire.port):
        await until(born(host))
        gone_ms = time.time_ns() // 1_000_000
        wire.refuse()
        await asyncio.sleep(4)
        wire.mend()
        back_ms = time.time_ns() // 1_000_000
        births = len(host.of("NBIRTH"))
        while bench.backlog() or len(host.of("NBIRTH")) == births:
            host.rebirth()
            await asyncio.sleep(0.02)
        await bench.all_arrives(host)
    assert len(host.of("NBIRTH")) > births + 1
    away = [old for device, _, at, _, old in values(host.heard()) if device and gone_ms + 500 < at < back_ms - 500]
    assert len(away) > 100
    assert all(away), "is_historical"
    assert host.faults() == []


async def test_operational_behavior_device_ddeath_a_lost_device_dies_and_is_born_again(
    bench: Bench, host: Host
) -> None:
    async with bench.running():
        await until(born(host))
        bench.kill_plc()
        await until(lambda: host.of("DDEATH", "press-1"))
        before = len(host.of("DBIRTH", "press-1"))
        await asyncio.sleep(2.5)
        assert len(host.of("DBIRTH", "press-1")) == before, "what only says that the line is lost brings no birth"
        bench.start_plc()
        await until(lambda: len(host.of("DBIRTH", "press-1")) > before)
        assert host.of("DBIRTH", "press-1")[-1].metric("setpoint").value == pytest.approx(21.0)
        assert host.of("DDEATH", "toy-1") == []
        await until(lambda: host.of("DBIRTH", "press-1")[-1].metric("setpoint").properties.get("Quality") is None)
    assert host.faults() == []


async def test_what_was_sampled_of_a_device_that_is_lost_by_now_arrives_between_a_birth_and_a_death(
    bench: Bench, host: Host
) -> None:
    async with RecordingProxy(bench.broker.port) as wire, bench.running(wire.port):
        await until(born(host))
        wire.refuse()
        await asyncio.sleep(0.5)
        with ModbusTcpClient("127.0.0.1", port=bench.plc_port) as client:
            for value in range(1, 9):
                client.write_register(12, value)
                await asyncio.sleep(0.25)
        bench.kill_plc()
        await until(lambda: not bench.parts.look.connected("press-1"))
        wire.mend()
        wanted = {one for one in bench.acquired if one[0] == "press-1" and one[3] == one[3]}
        assert len(wanted) >= 8
        await until(lambda: wanted <= {one[:4] for one in values(host.heard()) if one[0] == "press-1"})
        await until(lambda: len(host.of("DDEATH", "press-1")) > 0)
        bench.start_plc()
    assert host.faults() == []


async def test_nothing_is_lost_when_the_broker_hangs(bench: Bench, host: Host) -> None:
    async with bench.running(ack_timeout="1s", keepalive="5s"):
        await until(born(host))
        bench.broker.signal(signal.SIGSTOP)
        try:
            await until(lambda: bench.parts.health.counts[Count.LINKS_LOST] > 0)
        finally:
            bench.broker.signal(signal.SIGCONT)
        await until(born(host, 2))
        await bench.all_arrives(host)
    assert host.faults() == []


async def test_dcmd_writes_what_may_be_written_and_the_answer_is_what_the_tag_holds(bench: Bench, host: Host) -> None:
    topic = "spBv1.0/acme/DCMD/gw-01/press-1"

    def told(name: str) -> list[Any]:
        return [value for device, key, _, value, _ in values(host.heard()) if (device, key) == ("press-1", name)]

    async with bench.running(commands="true"):
        await until(born(host))
        await until(lambda: self_listens(bench))
        host.command(topic, Metric("setpoint", DataType.DOUBLE, 23.4), time_ms=time.time_ns() // 1_000_000)
        await until(lambda: bench.register(10) == 234)
        await until(lambda: told("setpoint")[-1:] == [23.4])
        host.command(topic, Metric("setpoint", DataType.DOUBLE, 25.0), typed=False)
        await until(lambda: told("setpoint")[-1:] == [25.0])
        counts = bench.parts.health.counts
        done, refused = counts[Count.COMMANDS_DONE], counts[Count.COMMANDS_REFUSED]
        late = time.time_ns() // 1_000_000 - 3_600_000
        host.command(topic, Metric("closed", DataType.INT64, 5), Metric("setpoint", DataType.DOUBLE, 999.0))
        host.command(topic, Metric("nothing", DataType.INT64, 5))
        host.command(topic, Metric("setpoint", DataType.STRING, "x"))
        host.command(topic, Metric("setpoint", DataType.DOUBLE, 30.0), time_ms=late)
        host.command("spBv1.0/acme/DCMD/gw-01/nobody", Metric("setpoint", DataType.DOUBLE, 30.0))
        host.say(topic, b"not protobuf")
        host.say(topic, b"", retain=False)
        host.command("spBv1.0/acme/NCMD/gw-01", Metric("Node Control/Reboot", DataType.BOOLEAN, True))
        await until(lambda: counts[Count.COMMANDS_REFUSED] >= refused + 7)
        await asyncio.sleep(0.3)
        assert (counts[Count.COMMANDS_DONE], counts[Count.COMMANDS_REFUSED]) == (done, refused + 7)
        assert (bench.register(10), bench.register(12)) == (250, 7)
    assert host.faults() == []


def self_listens(bench: Bench) -> bool:
    commands = bench.parts.followers[0].commands
    return commands is not None and commands.state == "listening"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_retained_command_is_passed_over_once_and_not_with_every_fence(
    bench: Bench, host: Host, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    rebirth = Metric("Node Control/Rebirth", DataType.BOOLEAN, True)
    from edge_agent.encode.sparkplug.payload import body_of

    host.say("spBv1.0/acme/NCMD/gw-01", body_of((rebirth,), birth=True), retain=True)
    async with bench.running(version=f'"{version}"'):
        await until(born(host))
        await asyncio.sleep(2)
    said = [one for one in caplog.messages if "retained" in one]
    assert len(said) == 1
    assert host.faults() == []


async def test_message_flow_edge_node_birth_publish_phid_wait_and_termination_host_offline(
    bench: Bench, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    host.state(False, 1000)
    async with bench.running(primary_host="scada"):
        await asyncio.sleep(2)
        assert host.heard() == [], "phid-wait: offline"
        host.state(True, 900)
        await asyncio.sleep(0.5)
        assert host.heard() == [], "phid-timestamp: older than what was heard"
        assert [one for one in caplog.messages if "was its clock set back?" in one]
        host.state(True, 2000)
        await until(born(host))
        host.state(False, 1999)
        await asyncio.sleep(0.5)
        assert host.of("NDEATH") == [], "phid-offline-timestamp: an old word"
        host.state(False, 2000)
        await until(lambda: host.of("NDEATH"), 2)
        await asyncio.sleep(1.5)
        heard = len(host.heard())
        gone_ms = time.time_ns() // 1_000_000
        await asyncio.sleep(1.5)
        assert len(host.heard()) == heard, "phid-offline: nothing is said to nobody"
        back_ms = time.time_ns() // 1_000_000
        host.state(True, 3000)
        births = len(host.of("NBIRTH"))
        await until(lambda: len(host.of("NBIRTH")) > births)
        await bench.all_arrives(host)
    away = [old for device, _, at, _, old in values(host.heard()) if device and gone_ms < at < back_ms - 500]
    assert away
    assert all(away)
    assert host.faults() == []


async def test_a_host_of_sparkplug_2_is_believed_where_that_is_asked_for(bench: Bench, host: Host) -> None:
    host.say("STATE/scada", b"OFFLINE", retain=True)
    async with bench.running(primary_host="scada", old_state="true"):
        await asyncio.sleep(1)
        assert host.heard() == []
        host.say("STATE/scada", b"ONLINE", retain=True)
        await until(born(host))
        host.say("STATE/scada", b"OFFLINE", retain=True)
        await until(lambda: host.of("NDEATH"), 3)


async def test_primary_application_state_with_multiple_servers_walk(bench: Bench, host: Host, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with Mosquitto(tmp_path / "second") as second, Host(second.port) as there:
        host.state(False, 1000)
        there.state(True, 1000)
        async with bench.running(primary_host="scada", also=f'["mqtt://127.0.0.1:{second.port}"]'):
            await until(born(there))
            assert host.of("NBIRTH") == []
            host.state(True, 2000)
            there.state(False, 1000)
            await until(born(host))
            await bench.all_arrives(host, there)
        assert there.of("NDEATH")
        assert host.faults() == there.faults() == []
        assert host.of("NBIRTH")[-1].bdseq > there.of("NBIRTH")[-1].bdseq


async def test_values_of_the_birth_are_those_of_the_moment(bench: Bench, host: Host) -> None:
    async with bench.running():
        await until(born(host))
        await asyncio.sleep(1)
        host.rebirth()
        await until(lambda: len(host.of("DBIRTH", "toy-1")) > 1)
    birth = host.of("DBIRTH", "toy-1")[-1]
    temp = birth.metric("temp")
    assert temp.value is not None
    assert abs(birth.payload.timestamp - (temp.time or 0)) < 1000
    assert temp.properties["engUnit"].value == "Cel"
    assert (temp.properties["engLow"].value, temp.properties["engHigh"].value) == (0.0, 100.0)
    assert [read(one).name for one in parsed(birth.raw).metrics] == ["temp", "total", "scrap", "state", "text"]
