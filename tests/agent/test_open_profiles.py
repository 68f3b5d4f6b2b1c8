"""The open profiles: a running agent, a real broker, and what stands there for whoever comes later."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.config import message_sample
from edge_agent_hil.program import Proxy
from tests.peers.waiting import free_port, wait_for

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SIMULATED = """
agent: {{id: gw-1, place: {{enterprise: acme, site: lab}}, data_dir: data}}
devices:
  toy-1:
    driver: simulated
    url: "simulated://?seed=1"
    poll: 100ms
    tags:
      state: {{signal: constant, value: 1}}
      total: {{signal: counter, every: 200ms}}
      scrap: {{signal: counter, every: 2s}}
      program: {{signal: constant, value: A100}}
machines:
  toy-1:
    line: toys
    state: {{tag: toy-1.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: toy-1.total, scrap: toy-1.scrap}}
    ideal_cycle: 200ms
publish:
  cloud: {{type: mqtt, url: "mqtt://127.0.0.1:{port}", {keys}}}
kpi: {{every: 1s, windows: [hour]}}
journal: {{flush: 200ms}}
"""
WRITABLE = """
agent: {{id: gw-1, data_dir: data}}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 100ms
    tags:
      state:    {{address: holding:0}}
      total:    {{address: holding:1}}
      scrap:    {{address: holding:2}}
      setpoint: {{address: holding:10, type: int16, scale: 0.1, unit: Cel, write: {{min: -40, max: 400, every: 0s}}}}
machines:
  press-1:
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    ideal_cycle: 1s
    operator: {{}}
publish:
  tb: {{type: mqtt, url: "mqtt://127.0.0.1:{port}", profile: thingsboard, commands: true}}
journal: {{flush: 200ms}}
"""
PRESS = "acme/lab/toys/toy-1"


class Latecomer:
    """Who subscribes now: what was retained, by topic, and what comes after."""

    def __init__(self, port: int) -> None:
        self.retained: dict[str, Any] = {}
        self.live: list[tuple[str, Any]] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = lambda _c, _d, message: self._take(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _take(self, message: Any) -> None:
        said = orjson.loads(message.payload)
        if message.retain:
            self.retained[message.topic] = said
        else:
            self.live.append((message.topic, said))

    def publish(self, topic: str, said: object) -> None:
        self._client.publish(topic, orjson.dumps(said), 1).wait_for_publish(10)

    def on(self, topic: str) -> list[Any]:
        return [said for name, said in list(self.live) if name == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def join(broker: Any) -> Iterator[Callable[[], Latecomer]]:
    joined: list[Latecomer] = []

    def now() -> Latecomer:
        joined.append(Latecomer(broker.port))
        return joined[-1]

    yield now
    for one in joined:
        one.close()


def test_a_latecomer_finds_the_whole_plant_in_a_unified_namespace_also_after_the_broker_forgot_it(
    broker: Any, start_agent: Callable[[str], Any], join: Callable[[], Latecomer]
) -> None:
    start_agent(SIMULATED.format(port=broker.port, keys="profile: uns"))
    early = join()
    wait_for(lambda: len(early.on(f"{PRESS}/kpi/hour/pq")) > 1, 30, "figures")
    wanted = {f"{PRESS}/tags/program", f"{PRESS}/tags/total", f"{PRESS}/state", f"{PRESS}/kpi/hour/oee"}

    def complete() -> Latecomer | None:
        late = join()
        time.sleep(0.5)         # what is retained comes at once
        return late if wanted <= set(late.retained) else None

    for attempt in range(2):
        retained = wait_for(complete, 30, "what is retained").retained
        assert retained[f"{PRESS}/state"]["value"] == "RUN"
        program = retained[f"{PRESS}/tags/program"]
        assert list(program) == ["value", "timestamp_ms", "quality", "unit", "id"]
        assert (program["value"], program["quality"]) == ("A100", 192)
        assert retained["acme/lab/gw-1/status"]["value"] is True
        if not attempt:
            broker.stop(signal.SIGKILL)         # it keeps nothing on disk
            broker.start()
    assert len(early.on(f"{PRESS}/tags/total")) > 5


def test_umh_gets_rows_of_numbers_and_texts(
    broker: Any, start_agent: Callable[[str], Any], join: Callable[[], Latecomer]
) -> None:
    start_agent(SIMULATED.format(port=broker.port, keys="profile: umh"))
    hub = join()
    topic = f"umh/v1/{PRESS}/_historian"
    wait_for(lambda: len(hub.on(topic)) > 5, 30, "rows")
    rows = hub.on(topic)
    assert {"timestamp_ms", "state", "total", "scrap", "program"} == set(rows[0])
    assert all(isinstance(value, int | float | str) for row in rows for value in row.values())
    assert len({row["timestamp_ms"] for row in rows}) == len(rows)
    wait_for(lambda: hub.on(f"{topic}/state"), 10, "a state")


def test_a_users_templates_say_what_is_sent_and_the_backlog_goes_to_the_topic_of_history(
    broker: Any, tmp_path: Path, start_agent: Callable[[str], Any], join: Callable[[], Latecomer]
) -> None:
    (tmp_path / "rootcloud.yaml").write_text(message_sample("rootcloud"))
    platform = join()
    live, history = (f"v4/p/post/thing/{which}/json/1.1" for which in ("live", "history"))
    with Proxy(f"127.0.0.1:{broker.port}") as wire:     # cut for the agent only: the platform hears all the time
        start_agent(SIMULATED.format(port=wire.port, keys="profile: template, template: ./rootcloud.yaml"))
        wait_for(lambda: len(platform.on(live)) > 3, 30, "live values")
        wire.apply("refuse")
        time.sleep(2)
        wire.clear("refuse")
        wait_for(lambda: platform.on(history), 60, "the backlog")

    things = [thing for said in platform.on(live) + platform.on(history) for thing in said["body"]["things"]]
    assert {thing["id"] for thing in things} == {"gw-1_toy-1"}
    properties = {name for thing in things for item in thing["items"] for name in item["properties"]}
    assert {"total", "scrap", "program", "state"} <= properties
    first, missed = (
        min(item["ts"] for said in platform.on(topic) for thing in said["body"]["things"] for item in thing["items"])
        for topic in (live, history)
    )
    assert missed > first


@pytest.fixture
def plc() -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(PLC), str(port), "10 210"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_thingsboard_gateway_tells_its_devices_and_carries_out_calls(
    broker: Any, start_agent: Callable[[str], Any], join: Callable[[], Latecomer], plc: Callable[[int], Any]
) -> None:
    """The server is played by a client of a real broker: ThingsBoard itself needs a data base and a gigabyte."""
    port = free_port()
    held = plc(port)
    server = join()
    agent = start_agent(WRITABLE.format(port=broker.port, plc=port))
    connects = lambda: [one["device"] for one in server.on("v1/gateway/connect")]     # noqa: E731
    wait_for(lambda: {"press-1", "press-1 machine"} <= set(connects()), 30, "devices")

    wait_for(lambda: "tb: listens for commands" in agent.log(), 30, "somebody to call")
    rows = [row for said in server.on("v1/gateway/telemetry") for row in said.get("press-1", ())]
    assert all(isinstance(row["ts"], int) and row["values"] for row in rows)
    attributes = server.on("v1/gateway/attributes")
    assert any(said.get("press-1", {}).get("setpoint.unit") == "Cel" for said in attributes)

    answers = lambda id: [s for s in server.on("v1/gateway/rpc") if s.get("id") == id]      # noqa: E731
    server.publish("v1/gateway/rpc", {"device": "press-1", "data": {"id": 7, "method": "setpoint", "params": 23.4}})
    wait_for(lambda: answers(7), 20, "an answer")
    assert answers(7) == [{"device": "press-1", "id": 7, "data": {"success": True, "read_back": 23.4}}]
    server.publish("v1/gateway/rpc", {"device": "press-1", "data": {"id": 8, "method": "state", "params": 1}})
    wait_for(lambda: answers(8), 20, "a refusal")
    assert answers(8)[0]["data"]["success"] is False
    said = {"id": 9, "method": "state", "params": {"state": "MAINT", "reason": "TOOL"}}
    server.publish("v1/gateway/rpc", {"device": "press-1 machine", "data": said})
    wait_for(lambda: answers(9), 20, "an answer")
    assert answers(9)[0]["data"]["success"] is True

    held.kill()
    wait_for(lambda: {"device": "press-1"} in server.on("v1/gateway/disconnect"), 30, "it is gone")
    before = len(connects())
    plc(port)
    wait_for(lambda: "press-1" in connects()[before:], 40, "it is back")
    wait_for(
        lambda: any(
            row["values"].get("setpoint") == 23.4 or row["values"].get("state") is not None
            for said in server.on("v1/gateway/telemetry")[-3:] for row in said.get("press-1", ())
        ), 20, "values again",
    )  # fmt: skip


TO_FILES = """
agent: {id: gw-1, data_dir: data}
devices:
  toy-1: {driver: simulated, url: "simulated://", poll: 100ms, tags: {total: {signal: counter, every: 100ms}}}
publish:
  file: {type: file, path: out, format: FORMAT}
journal: {flush: 100ms}
"""


def rows_in(folder: Path, pattern: str) -> list[dict[str, str]]:
    found = []
    for path in sorted(folder.glob(pattern)):
        with path.open(newline="") as file:
            found += list(csv.DictReader(file))
    return found


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_agent_that_is_killed_again_and_again_leaves_each_row_once(
    tmp_path: Path, start_agent: Callable[[str], Any], form: str
) -> None:
    process = start_agent(TO_FILES.replace("FORMAT", form))
    out = tmp_path / "out"
    pattern = "samples/*.csv" if form == "csv" else "samples/*/*.open.csv"
    for attempt in range(4):
        wanted = len(rows_in(out, pattern)) + 10
        wait_for(lambda wanted=wanted: len(rows_in(out, pattern)) >= wanted, 30, "rows")
        if attempt == 3:
            break
        process.stop(signal.SIGKILL)
        process.start()
    assert process.stop(signal.SIGTERM) == 0
    times = [row["time"] for row in rows_in(out, pattern)]
    assert len(set(times)) == len(times)
    assert times == sorted(times)
