"""Writing to equipment: the whole agent between a real Modbus server and a real broker."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pymodbus.client import ModbusTcpClient

from edge_agent import agent, registry, telling
from edge_agent.config import load
from edge_agent.core.command import Command, Outcome
from edge_agent.health import Count
from edge_agent.journal import audit_entries, audit_faults
from edge_agent.south import command as command_module
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.waiting import free_port
from tests.peers.writable import DRIVERS

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]

ROOT = "edge/acme/gw-1"
PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SITE = """
agent: {{id: gw-1, place: {{enterprise: acme}}, data_dir: data}}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 50ms
    tags:
      state:    {{address: holding:0}}
      setpoint: {{address: holding:10, type: int16, scale: 0.1, unit: Cel, write: {{min: -40, max: 400, every: 0s}}}}
      speed:    {{address: holding:11, write: {{values: [10, 20, 30], every: 0s}}}}
      seldom:   {{address: holding:12, write: {{min: 0, max: 9, every: 1min}}}}
      hands:    {{address: holding:13, write: {{min: 0, max: 9, every: 0s, through: [api]}}}}
      often:    {{address: holding:17, write: {{min: 0, max: 9, every: 400ms}}}}
      slow:     {{address: holding:15, delay: {delay}, write: {{min: 0, max: 9, every: 0s}}}}
      flag:     {{address: "holding:16.2"}}
      outside:  {{address: holding:5000, poll: 1h, write: {{min: 0, max: 9, every: 0s}}}}
      name:     {{address: holding:20, type: string, length: 4, write: {{values: [AB, CD], every: 0s}}}}
  press-2:
    driver: reading
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    tags: {{n: {{address: holding:0, write: {{values: [1]}}}}}}
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", commands: {commands}, version: "{version}"}}
"""

AGENT = """
import asyncio, logging, sys
from pathlib import Path
from edge_agent import agent, registry
from edge_agent.config import load
from tests.peers.writable import DRIVERS

async def day():
    logging.basicConfig(level=logging.INFO)
    site = load(Path(sys.argv[1]), DRIVERS, registry.publishers(), profiles=registry.profiles())
    await agent.run(await agent.build(site, DRIVERS, registry.publishers()), asyncio.Event())

asyncio.run(day())
"""


class Plc:
    """A Modbus server in a process of its own, and an eye on its registers that is not the agent's."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(PLC), str(self.port), "10 210"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def pause(self, number: int) -> None:
        self._process.send_signal(number)

    def register(self, address: int) -> int:
        with ModbusTcpClient("127.0.0.1", port=self.port) as client:
            return int(client.read_holding_registers(address).registers[0])


class Sender:
    """Whoever sends commands, and everything that comes back."""

    def __init__(self, port: int) -> None:
        self.replies: list[tuple[str, dict[str, Any], bytes]] = []
        ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe([(f"{ROOT}/reply/+", 1), ("mine/#", 1)])
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _c, _d, m: self.replies.append(
            (m.topic, orjson.loads(m.payload), getattr(m.properties, "CorrelationData", b""))
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, said: object, device: str = "press-1", retain: bool = False, **properties: Any) -> None:
        beside = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(beside, name, value)
        payload = said if isinstance(said, bytes) else orjson.dumps(said)
        self._client.publish(f"{ROOT}/command/{device}", payload, 1, retain, beside).wait_for_publish(10)

    def toss(self, said: object) -> None:
        """Send and do not look back."""
        self._client.publish(f"{ROOT}/command/press-1", orjson.dumps(said), 1)

    def replies_to(self, id: str) -> list[dict[str, Any]]:
        return [reply for topic, reply, _ in list(self.replies) if topic == f"{ROOT}/reply/{id}"]

    async def ask(self, id: str, tag: str, value: object, **more: Any) -> dict[str, Any]:
        """Send a command and wait for one more reply to it."""
        before = len(self.replies_to(id))
        self.send({"id": id, "tag": tag, "value": value}, **more)
        await until(lambda: len(self.replies_to(id)) > before)
        return self.replies_to(id)[-1]


async def until(what: Callable[[], object], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


class Bench:
    def __init__(self, folder: Path, broker: Mosquitto, plc: Plc) -> None:
        self.folder, self.broker, self.plc = folder, broker, plc
        self.data = folder / "data"
        self.parts: agent.Parts
        self.sender = Sender(broker.port)

    def write_site(self, **said: Any) -> Path:
        path = self.folder / "site.yaml"
        usual = {"commands": "true", "delay": 1, "version": "auto"}
        path.write_text(SITE.format(plc=self.plc.port, broker=self.broker.port, **(usual | said)))
        return path

    @asynccontextmanager
    async def running(self, *, commands: str = "true", delay: float = 1, version: str = "auto") -> AsyncIterator[None]:
        path = self.write_site(commands=commands, delay=delay, version=version)
        site = load(path, DRIVERS, registry.publishers(), profiles=registry.profiles())
        self.parts = await agent.build(site, DRIVERS, registry.publishers())
        stop = asyncio.Event()
        task = asyncio.create_task(agent.run(self.parts, stop))
        try:
            await until(lambda: self.parts.readers[0].session is not None and not self.unheard())
            yield
        finally:
            stop.set()
            await task

    @contextmanager
    def process(self, **said: str) -> Iterator[subprocess.Popen[bytes]]:
        """The same agent in a process of its own, once it listens; killed at the end."""
        self.write_site(**said)
        log = self.folder / "agent.log"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PLC.parents[2]), *sys.path])}
        command = [sys.executable, "-c", AGENT, str(self.folder / "site.yaml")]
        with log.open("wb") as file, subprocess.Popen(command, stderr=file, env=environment) as process:
            try:
                end = time.monotonic() + 40
                while not (b"listens for commands" in log.read_bytes() and b"press-1: connected" in log.read_bytes()):
                    assert time.monotonic() < end, log.read_text()
                    time.sleep(0.05)
                yield process
            finally:
                process.kill()

    def unheard(self) -> bool:
        [follower] = self.parts.followers
        return follower.commands is not None and follower.commands.state != "listening"

    async def write(self, tag: str, value: object, id: str = "", device: str = "press-1") -> Outcome:
        """Straight to the commander, as the API does."""
        id = id or f"id-{time.monotonic_ns()}"
        return await self.parts.commander.execute(Command(id, device, tag, value, "api", "anna"))

    def steps(self, id: str) -> list[str]:
        return [entry["step"] for entry in audit_entries(self.data) if entry.get("id") == id]

    async def under_way(self, id: str) -> None:
        """The audit log has the command, and so has the driver."""
        await until(lambda: self.steps(id))
        await asyncio.sleep(0.1)

    def counts(self) -> tuple[int, int, int]:
        counts = self.parts.health.counts
        return counts[Count.COMMANDS_DONE], counts[Count.COMMANDS_REFUSED], counts[Count.COMMANDS_FAILED]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    plc = Plc(free_port())
    try:
        with Mosquitto(tmp_path, "allow_anonymous true", "persistence false") as broker:
            held = Bench(tmp_path, broker, plc)
            yield held
            held.sender.close()
    finally:
        plc.kill()


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow past `size` bytes: what a full disk does to the one that would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


# -- carried out -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_command_is_written_read_back_answered_and_audited(bench: Bench, version: str) -> None:
    async with bench.running(version=version):
        await until(lambda: bench.parts.engine.ring.latest.value[1] == 21)
        reply = await bench.sender.ask("c-1", "setpoint", -23.4)
        assert reply == {"id": "c-1", "ok": True, "error": None, "read_back": -23.4}
        assert bench.plc.register(10) == 0x10000 - 234
        assert bench.counts() == (1, 0, 0)
        assert telling.status(bench.parts).commands == {"platform": "listening"}
    asked, done = audit_entries(bench.data)
    assert (asked["step"], asked["value"], asked["old"], asked["who"]) == ("asked", -23.4, 21, "platform")
    assert (done["step"], done["read_back"], done["through"]) == ("done", -23.4, "mqtt")
    assert audit_faults(bench.data) == []


async def test_a_text_is_written_and_a_number_out_of_a_list(bench: Bench) -> None:
    async with bench.running():
        assert (await bench.sender.ask("c-1", "name", "CD"))["read_back"] == "CD"
        assert (await bench.sender.ask("c-2", "speed", 20.0))["read_back"] == 20
        assert bench.plc.register(11) == 20


async def test_the_answer_goes_where_the_sender_wants_it_with_what_it_wants_beside(bench: Bench) -> None:
    async with bench.running():
        said = {"id": "c-1", "tag": "speed", "value": 10}
        bench.sender.send(said, ResponseTopic="mine/answers", CorrelationData=b"\x00\x01")
        await until(lambda: bench.sender.replies)
        [(topic, reply, token)] = bench.sender.replies
        assert (topic, reply["ok"], token) == ("mine/answers", True, b"\x00\x01")


async def test_the_answer_never_goes_to_a_topic_on_which_the_agent_itself_speaks(bench: Bench) -> None:
    async with bench.running():
        for n, topic in enumerate((f"{ROOT}/press-1/tags", f"{ROOT}/command/press-1", "$SYS/x", "mine/" + 600 * "x")):
            bench.sender.send({"id": f"c-{n}", "tag": "speed", "value": 10}, ResponseTopic=topic)
            await until(lambda n=n: bench.sender.replies_to(f"c-{n}"))
        assert bench.counts() == (4, 0, 0)


async def test_the_same_command_sent_twice_is_carried_out_once(bench: Bench) -> None:
    async with bench.running():
        first = await bench.sender.ask("c-1", "speed", 10)
        assert (await bench.sender.ask("c-2", "speed", 20))["ok"]
        assert await bench.sender.ask("c-1", "speed", 10) == first
        assert bench.plc.register(11) == 20
        other = await bench.sender.ask("c-1", "speed", 30)
        assert other["error"] == "the id c-1 was used before, with another tag or value"
        assert bench.plc.register(11) == 20
        assert bench.steps("c-1") == ["asked", "done", "repeated", "refused"]


async def test_the_same_command_sent_again_while_it_is_carried_out_has_one_outcome(bench: Bench) -> None:
    async with bench.running(delay=0.3):
        for _ in range(3):
            bench.sender.send({"id": "c-1", "tag": "slow", "value": 7})
        await until(lambda: len(bench.sender.replies_to("c-1")) == 3)
        assert {reply["ok"] for reply in bench.sender.replies_to("c-1")} == {True}
        assert bench.counts() == (1, 0, 0)


async def test_commands_to_one_device_are_carried_out_one_after_the_other_in_order(bench: Bench) -> None:
    async with bench.running(delay=0.05):
        for n in range(4):
            bench.sender.send({"id": f"c-{n}", "tag": "slow", "value": n})
        await until(lambda: len(bench.sender.replies) == 4)
        assert [topic[-1] for topic, _, _ in bench.sender.replies] == list("0123")
        assert bench.plc.register(15) == 3


# -- refused ---------------------------------------------------------------------------------------

REFUSED = [
    ("press-9", "speed", 10, "there is no device 'press-9'"),
    ("press-1", "sped", 10, "press-1 has no tag 'sped'"),
    ("press-1", "state", 1, "writing to press-1.state is not allowed: its tag has no write: in the site file"),
    ("press-1", "hands", 1, "writing to press-1.hands through mqtt is not allowed; allowed: api"),
    ("press-1", "speed", "10", "press-1.speed takes a number, not '10'"),
    ("press-1", "speed", True, "press-1.speed takes a number, not true"),
    ("press-1", "speed", None, "press-1.speed takes a number, not null"),
    ("press-1", "speed", [10], "press-1.speed takes a number, not a list"),
    ("press-1", "name", 5, "press-1.name takes a text, not 5"),
    ("press-1", "speed", 11, "press-1.speed may not be 11; allowed: 10, 20, 30"),
    ("press-1", "name", "EF", "press-1.name may not be 'EF'; allowed: 'AB', 'CD'"),
    ("press-1", "setpoint", 400.1, "press-1.setpoint may not be 400.1: the highest is 400"),
    ("press-1", "setpoint", -40.1, "press-1.setpoint may not be -40.1: the lowest is -40"),
    ("press-1", "setpoint", 23.45, "press-1.setpoint cannot be 23.45 exactly; the nearest are 23.4 and 23.5"),
]


async def test_what_is_not_allowed_is_refused_with_the_reason_and_never_reaches_the_equipment(bench: Bench) -> None:
    async with bench.running():
        for n, (device, tag, value, error) in enumerate(REFUSED):
            reply = await bench.sender.ask(f"c-{n}", tag, value, device=device)
            assert reply == {"id": f"c-{n}", "ok": False, "error": error, "read_back": None}
            assert bench.steps(f"c-{n}") == ["refused"]
        assert bench.counts() == (0, len(REFUSED), 0)
        assert [bench.plc.register(n) for n in range(10, 16)] == [210, 0, 0, 0, 0, 0]


PAYLOADS = [
    (b"", "a command is a JSON object; this is no JSON"),
    (b"{", "a command is a JSON object; this is no JSON"),
    (b"[1]", 'a command is a JSON object such as {"id":"1","tag":"speed","value":5}'),
    (b'{"id":"c","tag":"speed"}', "'value' is missing; a command has id, tag and value"),
    (b'{"id":"c","tag":"speed","value":10,"now":1}', "unknown key 'now'; a command has id, tag and value, and may"),
    (b'{"id":"a/b","tag":"speed","value":10}', "id must be a text of 1 to 64 letters, digits, - or _"),
    (b'{"id":7,"tag":"speed","value":10}', "id must be a text of 1 to 64 letters, digits, - or _"),
    (b'{"id":"c","tag":7,"value":10}', "tag must be the name of a tag of this device"),
    (b'{"id":"c","tag":"speed","value":10,"t":"now"}', "t must be the time of sending in whole ms UTC"),
    (b'{"id":"c","tag":"speed","value":10,"t":1}', "it was sent "),
    (b'{"id":"c","tag":"speed","value":"' + 5000 * b"x" + b'"}', "a command has at most 4096 bytes, not 5035"),
    (b"\xff\xfe", "a command is a JSON object; this is no JSON"),
]


async def test_what_is_no_command_is_refused_audited_and_answered_where_an_id_can_be_made_out(bench: Bench) -> None:
    async with bench.running():
        for payload, error in PAYLOADS:
            before = len(bench.sender.replies)
            bench.sender.send(payload, ResponseTopic="mine/answers")
            await until(lambda before=before: len(bench.sender.replies) > before)
            assert bench.sender.replies[-1][1]["error"].startswith(error)
            assert any(entry["error"].startswith(error) for entry in audit_entries(bench.data))
        bench.sender.send(b'{"id":"late","tag":"speed","value":10,"t":1}')
        bench.sender.send(b'{"id":"c/d"}')
        bench.sender.send({"id": "good", "tag": "speed", "value": 10, "t": time.time_ns() // 1_000_000})
        await until(lambda: bench.sender.replies_to("good"))
        assert bench.sender.replies_to("late")
        assert bench.counts()[0] == 1


@pytest.mark.parametrize("id", ["", "a b", "a/b", "x" * 65, "é", 7, None, ["c"]])
async def test_an_id_that_is_none_is_refused_whichever_way_it_comes(bench: Bench, id: Any) -> None:
    async with bench.running():
        command = Command(id, "press-1", "speed", 10, "api", "anna\ud800")
        outcome = await bench.parts.commander.execute(command)
        assert not outcome.ok
        assert [entry["step"] for entry in audit_entries(bench.data)] == ["refused"]


async def test_a_tag_is_written_no_more_often_than_it_may(bench: Bench) -> None:
    async with bench.running():
        assert (await bench.write("seldom", 1)).ok
        again = await bench.write("seldom", 2)
        assert again.error.startswith("press-1.seldom may be written once in 60 s; wait ")
        assert (await bench.write("seldom", 10)).error == "press-1.seldom may not be 10: the highest is 9"
        assert bench.plc.register(12) == 1


async def test_writes_that_had_to_wait_keep_their_distance_all_the_same(bench: Bench) -> None:
    async with bench.running(delay=1):
        waiting = [asyncio.create_task(bench.write("slow", 1)), asyncio.create_task(bench.write("often", 1))]
        await asyncio.sleep(0.5)
        second = await bench.write("often", 2)      # accepted half a second after the first, sent just behind it
        assert [outcome.ok for outcome in await asyncio.gather(*waiting)] == [True, True]
        assert second.error.startswith("nothing was written: press-1.often may be written once in 0.4 s; wait ")
        assert bench.plc.register(17) == 1


async def test_a_write_that_was_not_sent_does_not_count_as_one(bench: Bench) -> None:
    async with bench.running():
        bench.plc.kill()
        await until(lambda: bench.parts.readers[0].session is None)
        refused = await bench.write("seldom", 1)
        assert refused.error.startswith("press-1 is not connected: ")
        bench.plc.start()
        await until(lambda: bench.parts.readers[0].session is not None)
        assert (await bench.write("seldom", 1)).ok


async def test_a_driver_that_only_reads_is_said_to(bench: Bench) -> None:
    async with bench.running():
        await until(lambda: bench.parts.readers[1].session is not None)
        outcome = await bench.write("n", 1, device="press-2")
        assert outcome.error == "press-2 cannot be written: its driver only reads"


async def test_a_busy_device_is_said_to_be_busy(bench: Bench) -> None:
    async with bench.running(delay=0.2):
        outcomes = await asyncio.gather(*(bench.write("slow", n, f"c-{n}") for n in range(8)))
        assert [outcome.ok for outcome in outcomes].count(True) in (4, 5)
        busy = {outcome.error for outcome in outcomes if not outcome.ok}
        assert busy == {"press-1 is busy: 4 commands wait for it already"}


async def test_what_waited_too_long_is_not_written_any_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_module, "PATIENCE_S", 0.1)
    async with bench.running(delay=0.3):
        first, second = await asyncio.gather(bench.write("slow", 1, "c-1"), bench.write("slow", 2, "c-2"))
        assert first.ok
        assert second.error == "nothing was written: press-1 was busy for 0.1 s"
        assert bench.plc.register(15) == 1


async def test_without_commands_true_nobody_listens(bench: Bench) -> None:
    async with bench.running(commands="false"):
        bench.sender.send({"id": "c-1", "tag": "speed", "value": 10})
        await asyncio.sleep(0.5)
        assert bench.sender.replies == []
        assert telling.status(bench.parts).commands == {}
        assert bench.plc.register(11) == 0


# -- retained, away, restarted ---------------------------------------------------------------------


async def test_a_retained_command_is_refused_at_once_and_after_every_restart(bench: Bench) -> None:
    async with bench.running():
        reply = await bench.sender.ask("c-1", "speed", 10, retain=True)
        assert reply["error"].startswith("the message is retained")
    async with bench.running():
        await until(lambda: len(bench.sender.replies_to("c-1")) == 2)
        assert not bench.sender.replies_to("c-1")[1]["ok"]
        assert bench.plc.register(11) == 0
    assert bench.steps("c-1") == ["refused", "refused"]
    bench.sender.send(b"", retain=True)


async def test_a_command_sent_while_the_agent_is_away_is_never_carried_out(bench: Bench) -> None:
    async with bench.running():
        pass
    bench.sender.send({"id": "c-1", "tag": "speed", "value": 10})
    async with bench.running():
        assert (await bench.sender.ask("c-2", "seldom", 3))["ok"]
        assert bench.plc.register(11) == 0
        assert bench.sender.replies_to("c-1") == []
    assert [entry["n"] for entry in audit_entries(bench.data)] == [1, 2]
    assert audit_faults(bench.data) == []


async def test_what_was_heard_before_the_broker_died_is_carried_out_once_and_answered_afterwards(bench: Bench) -> None:
    async with bench.running(delay=0.5):
        bench.sender.send({"id": "c-1", "tag": "slow", "value": 7})
        await until(lambda: bench.steps("c-1"))
        bench.broker.kill()
        await until(lambda: bench.steps("c-1") == ["asked", "done"])
        assert bench.plc.register(15) == 7
        bench.broker.start()
        await until(lambda: not bench.unheard())
        await asyncio.to_thread(lambda: time.sleep(1.5))    # the sender comes back, too
        assert (await bench.sender.ask("c-1", "slow", 7))["ok"]
        assert bench.counts() == (1, 0, 0)


async def test_a_stop_in_the_middle_of_a_write_is_audited_as_unknown(bench: Bench) -> None:
    async with bench.running(delay=5):
        tasks = [asyncio.create_task(bench.write("slow", n, f"c-{n}")) for n in (1, 2)]
        await bench.under_way("c-1")
    outcomes = await asyncio.gather(*tasks)
    assert [outcome.step for outcome in outcomes] == ["unknown", "refused"]
    assert bench.steps("c-1") == ["asked", "unknown"]
    assert bench.steps("c-2") == ["refused"]
    assert (await bench.write("slow", 3)).error == "the agent is not running, or about to stop"


async def test_an_agent_killed_in_the_middle_of_a_write_leaves_it_in_the_audit_log_and_does_not_repeat_it(
    bench: Bench,
) -> None:
    with bench.process(delay="30"):
        bench.sender.send({"id": "c-1", "tag": "slow", "value": 7})
        await until(lambda: bench.steps("c-1"))
    with bench.process(delay="0"):
        assert (await bench.sender.ask("c-2", "speed", 10))["ok"]
        assert bench.plc.register(15) == 0
    assert bench.steps("c-1") == ["asked"]
    assert bench.steps("c-2") == ["asked", "done"]
    assert bench.sender.replies_to("c-1") == []
    assert audit_faults(bench.data) == []


async def test_a_slow_device_keeps_no_other_waiting(bench: Bench) -> None:
    async with bench.running(delay=2):
        for n in range(40):
            bench.sender.toss({"id": f"s-{n}", "tag": "slow", "value": n % 10})
        await until(lambda: bench.counts()[1] >= 30)
        begun = time.monotonic()
        assert "no tag" in (await bench.sender.ask("c-1", "x", 1, device="press-2"))["error"]
        assert time.monotonic() - begun < 1


# -- when it goes wrong ----------------------------------------------------------------------------


async def test_a_value_the_equipment_refuses_is_a_failure_with_its_reason(bench: Bench) -> None:
    async with bench.running():
        outcome = await bench.write("outside", 1, "c-1")
        assert (outcome.ok, outcome.step) == (False, "failed")
        assert "exception 2" in outcome.error
        assert bench.steps("c-1") == ["asked", "failed"]
        assert bench.counts() == (0, 0, 1)


async def test_a_write_that_is_not_answered_may_have_arrived(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_module, "WRITE_S", 0.3)
    async with bench.running(delay=5):
        outcome = await bench.write("slow", 1, "c-1")
        assert outcome.error == "unknown: it may have been written (no answer within 0.3 s)"
        assert bench.steps("c-1") == ["asked", "unknown"]


async def test_a_line_lost_during_a_write_is_unknown_too(bench: Bench) -> None:
    async with bench.running(delay=0.5):
        task = asyncio.create_task(bench.write("slow", 1, "c-1"))
        await bench.under_way("c-1")
        bench.plc.kill()
        outcome = await task
        assert outcome.error.startswith("unknown: it may have been written (")
        assert bench.steps("c-1") == ["asked", "unknown"]
        bench.plc.start()


async def test_nothing_is_written_to_equipment_while_the_audit_log_cannot_be(bench: Bench) -> None:
    async with bench.running():
        assert (await bench.write("speed", 10, "c-1")).ok
        await asyncio.sleep(0)
        size = (bench.data / "audit.log").stat().st_size
        with full_disk(size + 100):
            outcome = await bench.write("speed", 20, "c-2")
            why = os.strerror(errno.EFBIG)
            assert outcome.error == f"nothing was written: the audit log cannot be written ({why})"
            assert bench.plc.register(11) == 10
            assert telling.status(bench.parts).audit == why
        assert (await bench.write("speed", 20, "c-3")).ok
        assert telling.status(bench.parts).audit == ""
        assert bench.plc.register(11) == 20
    assert audit_faults(bench.data) == []
    assert bench.steps("c-3") == ["asked", "done"]


async def test_an_outcome_the_disk_did_not_take_is_written_before_anything_else(bench: Bench) -> None:
    async with bench.running(delay=0.5):
        task = asyncio.create_task(bench.write("slow", 7, "c-1"))
        await until(lambda: bench.steps("c-1"))
        with full_disk((bench.data / "audit.log").stat().st_size + 10):
            assert (await task).ok
        assert bench.steps("c-1") == ["asked"]
        assert (await bench.write("speed", 10, "c-2")).ok
        steps = [(entry["step"], entry["id"]) for entry in audit_entries(bench.data)]
        assert steps == [("asked", "c-1"), ("done", "c-1"), ("asked", "c-2"), ("done", "c-2")]
    assert audit_faults(bench.data) == []


async def test_a_flood_neither_fills_the_disk_nor_keeps_a_good_command_waiting(bench: Bench) -> None:
    async with bench.running():
        for n in range(1000):
            bench.sender.toss({"id": f"x-{n}", "tag": "t", "value": n})
        await until(lambda: bench.counts()[1] == 1000)
        asked = time.monotonic()
        assert (await bench.sender.ask("good", "speed", 10))["ok"]
        assert time.monotonic() - asked < 5
        entries = list(audit_entries(bench.data))
        assert len(entries) <= 32
    last = list(audit_entries(bench.data))[-1]
    refused = [entry for entry in entries if entry["step"] == "refused"]
    assert last["step"] == "left_out"
    assert last["times"] + len(refused) == 1000
    assert audit_faults(bench.data) == []


async def test_neither_log_nor_status_tells_the_values_that_were_sent(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "edge_agent")
    async with bench.running():
        await bench.sender.ask("c-1", "name", "AB")
        bench.sender.send(b'{"id":"c-2","tag":"speed","value":1,"password":"hunter2"}')
        await until(lambda: bench.sender.replies_to("c-2"))
    assert "hunter2" not in caplog.text + (bench.data / "audit.log").read_text()
    assert "command c-1 of platform through mqtt to press-1.name: done" in caplog.text
