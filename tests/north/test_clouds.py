"""Cloud platforms: a follower of a real journal, a real broker, a gate that checks who comes, an application that
answers. What the application has not taken stays in the journal."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import orjson
import pytest

from edge_agent.api import Kind, Vocabulary
from edge_agent.core.batch import row
from edge_agent.core.command import Command, Outcome
from edge_agent.core.report import Status
from edge_agent.encode import columns
from edge_agent.health import Count, Health
from edge_agent.journal import Journal, RecordKind
from edge_agent.north import follow, mqtt, pace
from edge_agent.north.commands import Commands
from edge_agent.supervise import Backoff
from tests.encode.cloud_profiles import PSK, config, profile
from tests.peers.cloud import Application, Gate, Who
from tests.peers.follower import follower_of
from tests.peers.mosquitto import MOSQUITTO, Mosquitto

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]

GATEWAY = "/sys/a1gw/gw-01/thing"
LOGIN = "/ext/session/a1gw/gw-01/combine/batch_login"
HMAC_KEY = base64.b64decode(PSK)


# -- who comes ----------------------------------------------------------------------------------


def _alibaba(who: Who) -> bool:
    head, _, more = who.client_id.partition("|")
    said = dict(one.split("=") for one in more.strip("|").split(","))
    text = f"clientId{head}deviceNamegw-01productKeya1gwtimestamp{said['timestamp']}"
    right = hmac.new(b"abc", text.encode(), hashlib.sha256).hexdigest()
    fresh = abs(time.time() * 1000 - int(said["timestamp"])) < 60_000
    return (who.user, who.password) == ("gw-01&a1gw", right) and fresh and said["securemode"] == "3"


def _huawei(who: Who) -> bool:
    device, node, checked, hour = who.client_id.rsplit("_", 3)
    right = hmac.new(hour.encode(), b"abc", hashlib.sha256).hexdigest()
    now = time.time()
    hours = [time.strftime("%Y%m%d%H", time.gmtime(now + shift)) for shift in (-60, 60)]
    return (device, node, checked, who.user, who.password) == ("gw", "0", "1", "gw", right) and hour in hours


def _tencent(who: Who) -> bool:
    signed, _, method = who.password.partition(";")
    right = hmac.new(HMAC_KEY, who.user.encode(), hashlib.sha256).hexdigest()
    fresh = int(who.user.split(";")[3]) > time.time()
    return (who.client_id, signed, method, who.level) == ("GWPRODUCT1gw-01", right, "hmacsha256", 4) and fresh


def _azure(who: Who) -> bool:
    said = dict(one.split("=", 1) for one in who.password.removeprefix("SharedAccessSignature ").split("&"))
    resource = quote("hub.example/devices/gw-01", safe="")
    right = hmac.new(HMAC_KEY, f"{resource}\n{said['se']}".encode(), hashlib.sha256).digest()
    return said["sr"] == resource and base64.b64decode(unquote(said["sig"])) == right and int(said["se"]) > time.time()


# -- what the application says --------------------------------------------------------------------


@dataclass
class Alink:
    """Answers every request; `code` says how, by what comes behind the root."""

    code: Callable[[str, Mapping[str, Any]], int] = lambda below, said: 200
    answered: list[tuple[str, int, bytes]] = field(default_factory=list)

    def __call__(self, topic: str, payload: bytes) -> Iterator[tuple[str, bytes]]:
        if topic.endswith("_reply") or "/service/" in topic:
            return
        said = orjson.loads(payload)
        below = topic.removeprefix(f"{GATEWAY}/")
        code = self.code(below, said)
        self.answered.append((below, code, payload))
        yield f"{topic}_reply", orjson.dumps({"id": said["id"], "code": code, "data": {}, "message": "as scripted"})

    def count(self, code: int) -> int:
        """How often it answered so."""
        return [one for _, one, _ in self.answered].count(code)

    def taken(self) -> list[int]:
        """Values of `total` of all that was answered 200."""
        found = []
        for below, code, payload in self.answered:
            if code == 200 and below.startswith("event/property"):
                params = orjson.loads(payload)["params"]
                for thing in params if isinstance(params, list) else params.get("subDevices", ()):
                    groups = thing["properties"]
                    for group in groups if isinstance(groups, list) else [groups]:
                        found += [group["total"]["value"]] if "total" in group else []
        return found


# -- the agent's side -----------------------------------------------------------------------------


class Bench:
    """A follower of a journal with numbered samples of press-1."""

    def __init__(self, journal: Journal, name: str, port: int, **keys: Any) -> None:
        self.journal = journal
        self.health = Health()
        self.written = 0
        self.commands: list[Command] = []
        self.states = {"press-1": "connected"}
        joined = config(name, url=f"mqtt://127.0.0.1:{port}", **keys)
        made = profile(name, url=f"mqtt://127.0.0.1:{port}", **keys)
        commands = Commands("cloud", made, self._execute, self._refuse, lambda: None, time.time_ns, self._operate)
        self.follower = follower_of(
            journal, mqtt.plugin.build("cloud", joined, "gw-01", made), made, self.health, "cloud",
            status=lambda: Status(True, time.time_ns(), self.states),
            commands=commands if keys.get("commands") else None,
        )  # fmt: skip
        definition = {"device": "press-1", "names": ["total"], "kinds": [int(Kind.INT)]}
        self._key = journal.define("press-1", orjson.dumps(definition))

    async def _execute(self, command: Command) -> Outcome:
        self.commands.append(command)
        return Outcome(True, "", command.value, "done")

    async def _refuse(self, command: Command, why: str) -> Outcome:
        return Outcome(False, why)

    async def _operate(self, *_: object) -> Outcome:
        raise AssertionError("nobody says anything of a machine here")

    async def write(self, n: int) -> None:
        """n records of one sample each, numbered on and on, a millisecond apart."""
        start = time.time_ns() - n * 1_000_000
        for at in range(n):
            batch = row(np.zeros(1, np.int32), start + at * 1_000_000, np.array([float(self.written)]))
            self.journal.append(RecordKind.SAMPLES, columns.pack(batch, 0, {}), self._key)
            self.written += 1
        await self.journal.flush()

    async def write_text(self, text: str) -> None:
        """A record with the next number, and a text beside it."""
        definition = {"device": "press-1", "names": ["total", "note"], "kinds": [int(Kind.INT), int(Kind.TEXT)]}
        key = self.journal.define("press-1", orjson.dumps(definition))
        note = Vocabulary()
        values = np.array([float(self.written), note.code(text)])
        batch = row(np.arange(2, dtype=np.int32), time.time_ns(), values)
        self.journal.append(RecordKind.SAMPLES, columns.pack(batch, 0, {1: note}), key)
        self.written += 1
        await self.journal.flush()

    @property
    def waiting(self) -> int:
        return self.follower.places.backlog

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.follower.keep_following())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(what: Callable[[], object], why: str) -> None:
    for _ in range(3000):
        if what():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"waited in vain: {why}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "BACKOFF", Backoff(first=0.05, longest=0.2))
    monkeypatch.setattr(pace, "SLOWER_S", (0.05, 0.2))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with await Journal.open(
        tmp_path / "journal", max_bytes=50_000_000, max_age_ns=None, clock=time.time_ns
    ) as opened:
        yield opened


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


# -- Alibaba ----------------------------------------------------------------------------------------


async def test_alibaba_gets_a_backlog_after_an_outage_and_only_its_own_answer_releases_it(
    broker: Mosquitto, journal: Journal
) -> None:
    platform = Alink()
    with Application(broker.port, platform) as there:
        async with Gate(broker.port, _alibaba) as gate:
            bench = Bench(journal, "aliyun-iot", gate.port)
            async with bench.following():
                await bench.write(50)
                await until(lambda: not bench.waiting, "the first samples")
                there.away()
                gate.shut = True
                broker.kill()
                await bench.write(300)
                # It comes back, but has no time for us: PUBACK alone must release nothing.
                platform.code = lambda below, said: 200 if below.startswith(("topo", "/ext")) else 429
                broker.start()
                await asyncio.to_thread(there.wait_until_back)
                gate.shut = False
                await until(lambda: platform.count(429) > 3, "asked again and again")
                links = len(gate.came)
                assert bench.waiting == 300
                assert set(platform.taken()) == set(range(50))
                platform.code = lambda below, said: 200
                await until(lambda: not bench.waiting, "all the rest")
                assert len(gate.came) == links      # over the same link
            assert not gate.refused
            assert len({who.client_id for who in gate.came}) == len(gate.came)
            assert not any(who.will for who in gate.came)
    assert sorted(set(platform.taken())) == list(range(350))
    assert bench.health.counts[Count.MESSAGES_REJECTED] == 0
    history = [below for below, code, _ in platform.answered if code == 200 and "history" in below]
    assert len(history) >= 300


async def test_alibaba_logs_in_its_sub_devices_over_every_link_before_it_says_anything_of_them(
    broker: Mosquitto, journal: Journal
) -> None:
    platform = Alink()
    with Application(broker.port, platform) as there:
        async with Gate(broker.port, _alibaba) as gate:
            bench = Bench(journal, "aliyun-iot", gate.port)
            async with bench.following():
                for links in range(3):
                    if links:
                        gate.cut()
                    await bench.write(5)
                    await until(lambda: not bench.waiting, "samples")
            await until(lambda: any(topic.endswith("batch_logout") for topic, _ in there.heard), "the goodbye")
    logins = [n for n, (below, _, _) in enumerate(platform.answered) if below == LOGIN]
    assert len(logins) == len(gate.came) >= 3
    first_told = next(n for n, (below, _, _) in enumerate(platform.answered) if "pack" in below or "history" in below)
    assert logins[0] < first_told
    (one,) = orjson.loads(platform.answered[logins[0]][2])["params"]["deviceList"]
    text = f"clientId{one['clientId']}deviceNamepress-1productKeya1presstimestamp{one['timestamp']}"
    right = hmac.new(b"def", text.encode(), hashlib.sha256).hexdigest()
    assert one["sign"] == right


async def test_what_alibaba_refuses_is_kept_with_its_words_and_keeps_nothing_back(
    broker: Mosquitto, journal: Journal, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def code(below: str, said: Mapping[str, Any]) -> int:
        return 6106 if b'"value":7,' in orjson.dumps(said["params"]) else 200

    platform = Alink(code)
    with Application(broker.port, platform), caplog.at_level(logging.ERROR):
        async with Gate(broker.port, _alibaba) as gate:
            bench = Bench(journal, "aliyun-iot", gate.port)
            async with bench.following():
                await bench.write(20)
                await until(lambda: not bench.waiting, "all but one")
    assert set(platform.taken()) == set(range(20)) - {7}
    assert bench.health.counts[Count.MESSAGES_REJECTED] == 1
    assert "6106: as scripted" in caplog.text
    (letter,) = (tmp_path / "dead" / "cloud.jsonl").read_text().splitlines()
    assert "6106: as scripted" in letter


async def test_a_sub_device_whose_session_is_gone_is_logged_in_again_and_nothing_is_lost(
    broker: Mosquitto, journal: Journal
) -> None:
    logged_in = True

    def code(below: str, said: Mapping[str, Any]) -> int:
        nonlocal logged_in
        logged_in = logged_in or below == LOGIN
        return 200 if logged_in or not below.startswith("event/property/") else 520

    platform = Alink(code)
    with Application(broker.port, platform):
        async with Gate(broker.port, _alibaba) as gate:
            bench = Bench(journal, "aliyun-iot", gate.port)
            async with bench.following():
                await bench.write(10)
                await until(lambda: not bench.waiting, "the first")
                logged_in = False
                await bench.write(10)
                await until(lambda: not bench.waiting, "the others")
    assert set(platform.taken()) == set(range(20))
    assert Counter(code for _, code, _ in platform.answered)[520] >= 1
    assert bench.health.counts[Count.MESSAGES_REJECTED] == 0


async def test_a_wrong_secret_is_refused_and_told(broker: Mosquitto, journal: Journal) -> None:
    async with Gate(broker.port, _alibaba) as gate:
        bench = Bench(journal, "aliyun-iot", gate.port, secret="wrong")
        async with bench.following():
            await until(lambda: gate.refused and bench.follower.line.error, "a refusal")
    assert "wrong" not in bench.follower.line.error


async def test_a_property_that_alibaba_sets_is_a_command_and_answered(broker: Mosquitto, journal: Journal) -> None:
    with Application(broker.port, Alink()) as there:
        async with Gate(broker.port, _alibaba) as gate:
            bench = Bench(journal, "aliyun-iot", gate.port, commands=True)
            topic = "/sys/a1press/press-1/thing/service/property/set"
            async with bench.following():
                await until(lambda: bench.follower.commands and bench.follower.commands.state == "listening", "ears")
                there.say(topic, b'{"id":"9","version":"1.0","params":{"temp":12.5}}')
                await until(lambda: any(heard == f"{topic}_reply" for heard, _ in there.heard), "an answer")
    (command,) = bench.commands
    assert (command.device, command.tag, command.value) == ("press-1", "temp", 12.5)
    assert orjson.loads(dict(there.heard)[f"{topic}_reply"]) == {"id": "9", "code": 200, "data": {}}


# -- the others -------------------------------------------------------------------------------------


def numbers(heard: list[tuple[str, bytes]], ending: str) -> list[int]:
    """Values of `total` in what was heard on such topics."""
    found = []
    for topic, payload in heard:
        if topic.endswith(ending):
            said = orjson.loads(payload)
            if "devices" in said:
                properties = [service["properties"] for service in said["devices"][0]["services"]]
                found += [one["total"] for one in properties if "total" in one]
            elif "params" in said:
                found += [said["params"]["total"]] if "total" in said["params"] else []
            else:
                found += [group["values"]["total"] for group in said.get("samples", ())]
    return found


async def test_huawei_tells_its_sub_devices_online_and_gets_the_backlog(broker: Mosquitto, journal: Journal) -> None:
    def answer(topic: str, payload: bytes) -> Iterator[tuple[str, bytes]]:
        if topic.endswith("/sys/events/up"):
            (entry,) = orjson.loads(payload)["services"]
            told = {**entry, "event_type": f"{entry['event_type'].removesuffix('_request')}_response", "paras": {}}
            yield topic.replace("/up", "/down"), orjson.dumps({"services": [told]})

    with Application(broker.port, answer) as there:
        async with Gate(broker.port, _huawei) as gate:
            bench = Bench(journal, "huawei-iotda", gate.port, check_clock=True, commands=True)
            async with bench.following():
                await bench.write(20)
                await until(lambda: not bench.waiting, "the first")
                there.away()
                gate.shut = True
                broker.kill()
                await bench.write(200)
                broker.start()
                await asyncio.to_thread(there.wait_until_back)
                gate.shut = False
                await until(lambda: not bench.waiting, "the backlog")
                bench.states["press-1"] = "lost"
                bench.follower.tell(bench.follower.profile.status, bench.follower._status())
                await until(lambda: any(b"OFFLINE" in payload for _, payload in there.heard), "it is gone")
                request = "$oc/devices/gw/sys/properties/set/request_id=abc"
                services = [{"service_id": "edge", "properties": {"temp": 5}}]
                said = {"object_device_id": "prod_press-1", "services": services}
                await until(lambda: bench.follower.commands and bench.follower.commands.state == "listening", "ears")
                there.say(request, orjson.dumps(said))
                answered = "$oc/devices/gw/sys/properties/set/response/request_id=abc"
                await until(lambda: answered in dict(there.heard), "an answer")
        assert not gate.refused
    assert set(numbers(there.heard, "sub_devices/properties/report")) >= set(range(20, 220))
    statuses = [payload for topic, payload in there.heard if topic.endswith("events/up")]
    assert b"add_sub_device_request" in statuses[0]
    assert b'"prod_press-1","status":"ONLINE"' in statuses[1]
    assert [command.value for command in bench.commands] == [5]
    assert orjson.loads(dict(there.heard)[answered]) == {"result_code": 0, "result_desc": "success"}


def tencent(topic: str, payload: bytes) -> Iterator[tuple[str, bytes]]:
    said = orjson.loads(payload)
    if topic.startswith("$gateway/"):
        devices = [{**one, "result": 0} for one in said["payload"]["devices"]]
        result = {"type": said["type"], "payload": {"devices": devices}}
        yield "$gateway/operation/result/GWPRODUCT1/gw-01", orjson.dumps(result)
    elif said["method"] == "report":
        reply = {"method": "report_reply", "clientToken": said["clientToken"], "code": 0, "status": "success"}
        yield topic.replace("/up/", "/down/"), orjson.dumps(reply)


async def test_tencent_has_its_sub_devices_online_before_anything_is_said_of_them(
    broker: Mosquitto, journal: Journal
) -> None:
    with Application(broker.port, tencent) as there:
        async with Gate(broker.port, _tencent) as gate:
            bench = Bench(journal, "tencent-iot", gate.port, commands=True)
            async with bench.following():
                await bench.write(100)
                await until(lambda: not bench.waiting, "all of it")
                await until(lambda: bench.follower.commands and bench.follower.commands.state == "listening", "ears")
                control = {"method": "control", "clientToken": "x-1", "params": {"temp": 7}}
                there.say("$thing/down/property/PRESSPROD1/press-1", orjson.dumps(control))
                await until(lambda: any(b"control_reply" in payload for _, payload in there.heard), "an answer")
        assert not gate.refused
    kinds = [orjson.loads(payload)["type"] for topic, payload in there.heard if topic.startswith("$gateway/")]
    assert kinds[:2] == ["bind", "online"]
    told = [n for n, (topic, _) in enumerate(there.heard) if topic == "$thing/up/property/PRESSPROD1/press-1"]
    online = [n for n, (_, payload) in enumerate(there.heard) if payload.startswith(b'{"type":"online"')]
    assert online[0] < told[0]
    assert set(numbers(there.heard, "PRESSPROD1/press-1")) == set(range(100))
    assert [command.value for command in bench.commands] == [7]


async def test_what_tencent_refuses_of_a_sub_device_is_counted_with_its_words(
    broker: Mosquitto, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    def choosy(topic: str, payload: bytes) -> Iterator[tuple[str, bytes]]:
        for back, reply in tencent(topic, payload):
            if b'"total":7}' in payload:
                reply = reply.replace(b'"code":0,"status":"success"', b'"code":406,"status":"no such property"')
            yield back, reply

    with Application(broker.port, choosy) as there, caplog.at_level(logging.ERROR):
        async with Gate(broker.port, _tencent) as gate:
            bench = Bench(journal, "tencent-iot", gate.port)
            async with bench.following():
                await bench.write(10)
                await until(lambda: not bench.waiting, "all but one")
    assert set(numbers(there.heard, "PRESSPROD1/press-1")) == set(range(10))
    assert bench.health.counts[Count.MESSAGES_REJECTED] == 1
    assert "406: no such property" in caplog.text


async def test_a_text_larger_than_a_message_of_tencent_is_refused_here_and_keeps_nothing_back(
    broker: Mosquitto, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    with Application(broker.port, tencent) as there, caplog.at_level(logging.ERROR):
        async with Gate(broker.port, _tencent) as gate:
            bench = Bench(journal, "tencent-iot", gate.port)
            async with bench.following():
                for size in (15_000, 17_000, 10):
                    await bench.write_text("x" * size)
                await until(lambda: not bench.waiting, "all of it")
    assert bench.health.counts[Count.MESSAGES_REJECTED] == 1
    assert "max_payload is 16000" in caplog.text
    assert sorted(numbers(there.heard, "PRESSPROD1/press-1")) == [0, 1, 2]
    texts = [len(payload) for _, payload in there.heard if b'"note"' in payload]
    assert len(texts) == 2
    assert max(texts) <= 16_000


async def test_azure_checks_the_token_of_each_link_and_gets_events_with_properties(
    broker: Mosquitto, journal: Journal
) -> None:
    with Application(broker.port, lambda topic, payload: ()) as there:
        async with Gate(broker.port, lambda who: who.will or _azure(who)) as gate:
            bench = Bench(journal, "azure-iothub", gate.port, hub="hub.example", commands=True)
            async with bench.following():
                await bench.write(30)
                await until(lambda: not bench.waiting, "the first")
                gate.cut()
                await bench.write(30)
                await until(lambda: not bench.waiting, "the others")
                await until(lambda: bench.follower.commands and bench.follower.commands.state == "listening", "ears")
                there.say("$iothub/methods/POST/write/?$rid=3", b'{"tag":"press-1.temp","value":4}')
                answered = "$iothub/methods/res/200/?$rid=3"
                await until(lambda: answered in dict(there.heard), "an answer")
        assert not gate.refused
        assert all(who.level == 4 for who in gate.came)
    events = [topic for topic, _ in there.heard if topic.startswith("devices/")]
    assert all(topic.startswith("devices/gw-01/messages/events/$.ct=application%2Fjson&$.ce=utf-8") for topic in events)
    assert set(numbers(there.heard, "topic=press-1%2Ftags")) == set(range(60))
    assert [command.value for command in bench.commands] == [4]
