"""`edge-agent check --connect` with real equipment and a real broker: what each row says, and nobody is disturbed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent import agent, cli, registry
from edge_agent.api import BAD, Batch, NotConnected, Reason, bad
from edge_agent.config import Site, load
from edge_agent.connect_check import trial as trial_room
from edge_agent.connect_check.row import Verdict
from edge_agent.connect_check.trial import Trial
from tests.peers.fake_influx import FakeInflux
from tests.peers.misbehaving import Misbehaving, environment
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.opcua_world import Farm

PASSWORD = "correct-horse-battery"
CNC = "nsu=http://acme.example/cnc/;s="
SIMULATED = """\
  sim:
    driver: simulated
    url: "simulated://"
    tags: {state: {signal: square, low: 0, high: 1, period: 2s}, total: {signal: counter, every: 1s, unit: "{piece}"}}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a site file of devices and destinations; its data_dir must not come to be."""

    def written(devices: str, publish: str = "") -> Path:
        path = tmp_path / "site.yaml"
        head = f"agent: {{id: gw-01, timezone: UTC, data_dir: {tmp_path / 'data'}}}\n"
        path.write_text(f"{head}devices:\n{devices}" + (f"publish:\n{publish}" if publish else ""))
        return path

    return written


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    made = Farm()
    yield made
    made.close()


def check(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`edge-agent check SITE --connect …` in a process of its own."""
    command = [sys.executable, "-m", "edge_agent.cli", "check", str(path), "--connect", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment())


def rows_of(text: str) -> dict[str, list[str]]:
    """Name of a row → its cells."""
    return {cells[0]: cells[1:] for line in text.splitlines() if (cells := re.split(r"\s{2,}", line.strip()))}


@pytest.mark.peer
@pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto")
def test_everything_that_answers_is_ok_and_nothing_is_started(
    write: Callable[..., Path], farm: Farm, tmp_path: Path
) -> None:
    server = farm.start(many=3)
    with Misbehaving() as plc, Mosquitto(tmp_path) as broker:
        path = write(
            SIMULATED
            + f"  plc: {{driver: modbus, url: 'modbus+tcp://127.0.0.1:{plc.port}', "
            "tags: {seven: {address: 'holding:7', scale: 0.1, unit: Cel}}}\n"
            f"  cnc: {{driver: opcua, url: '{server.url}', tags: {{n2: {{node: '{CNC}n2'}}, "
            f"state: {{node: '{CNC}State'}}, none: {{node: '{CNC}None', optional: true}}}}}}\n",
            f"  platform: {{type: mqtt, url: 'mqtt://127.0.0.1:{broker.port}'}}\n",
        )
        done = check(path)
        document = json.loads(check(path, "--json").stdout)
    assert done.returncode == 0, done.stdout
    rows = rows_of(done.stdout)
    assert rows["plc.seven"] == ["ok", "0.7 Cel", "holding:7"]
    assert rows["cnc.n2"] == ["ok", "2", f"{CNC}n2"]
    assert rows["cnc.state"][0] == rows["sim.total"][0] == "ok"
    assert rows["cnc.none"][0] == "absent"
    assert rows["publish.platform"][0] == "ok"
    assert rows["cnc"][0] == "ok"
    assert "3 devices: 3 ok; 6 tags: 5 ok, 1 absent; 1 destination: 1 ok" in done.stdout
    assert "trying 3 devices with 6 tags, 1 destination, each for at most 10 s" in done.stderr
    assert document["ok"] is True
    assert [device["verdict"] for device in document["devices"]] == ["ok", "ok", "ok"]
    [seven] = document["devices"][1]["tags"]
    assert seven == {
        "id": "plc.seven", "verdict": "ok", "address": "holding:7", "value": 0.7, "unit": "Cel", "quality": "good",
        "reason": None, "why": [],
    }  # fmt: skip
    assert not (tmp_path / "data" / "journal").exists()
    assert server.ask("seen")["sessions"] == 0


def test_each_row_that_is_not_ok_says_why_in_words_and_no_secret(write: Callable[..., Path], farm: Farm) -> None:
    server = farm.start(many=3)
    server.fault("refuse", {"n1": "BadSensorFailure"})
    with Misbehaving("holes=5-6") as plc:
        path = write(
            f"  plc: {{driver: modbus, url: 'modbus+tcp://127.0.0.1:{plc.port}', "
            "tags: {there: 'holding:7', hole: 'holding:5', high: {address: 'holding:9', range: [0, 1]}}}\n"
            "  dead: {driver: modbus, url: 'modbus+tcp://127.0.0.1:1', tags: {a: 'holding:0'}}\n"
            f"  cnc: {{driver: opcua, url: '{server.url}', login: {{user: edge, password: {PASSWORD}}}, "
            f"tags: {{n0: {{node: '{CNC}n0'}}}}}}\n"
            f"  cnc-2: {{driver: opcua, url: '{server.url}', tags: {{n0: {{node: '{CNC}n0'}}, "
            f"n1: {{node: '{CNC}n1'}}, ghost: {{node: '{CNC}ghost'}}}}}}\n",
            f"  platform: {{type: mqtt, url: 'mqtt://127.0.0.1:1', user: u, password: {PASSWORD}}}\n",
        )
        done = check(path, "--seconds", "6")
    assert done.returncode == 1
    rows = rows_of(done.stdout)
    assert rows["plc.there"][0] == "ok"
    assert rows["plc.hole"][0] == "bad"
    assert "the device refuses this address" in rows["plc.hole"][-1]
    assert rows["plc.high"][:2] == ["bad", "9"]
    assert "the value lies outside the tag's range" in rows["plc.high"][-1]
    assert rows["dead"][0] == "failed"
    assert "connection refused" in rows["dead"][-1]
    assert rows["dead.a"] == ["not asked", "holding:0"]
    assert rows["cnc"][0] == "failed"
    assert rows["cnc-2.n0"][0] == "ok"
    assert rows["cnc-2.ghost"][0] == "bad"
    assert "BadNodeIdUnknown" in rows["cnc-2.ghost"][-1]
    assert "BadSensorFailure" in rows["cnc-2.n1"][-1]
    assert rows["publish.platform"][0] == "failed"
    assert PASSWORD not in done.stdout + done.stderr


def test_an_influxdb_is_asked_whether_it_would_take_points_and_gets_none(write: Callable[..., Path]) -> None:
    with FakeInflux() as server:
        said = f"type: influxdb, url: '{server.url}', org: acme"
        path = write(
            SIMULATED,
            f"  fine: {{{said}, bucket: plant, token: secret}}\n"
            f"  wrong-token: {{{said}, bucket: plant, token: {PASSWORD}}}\n"
            f"  no-bucket: {{{said}, bucket: other, token: secret}}\n"
            f"  made-later: {{{said}, bucket: new, token: secret, create_bucket: true}}\n"
            f"  no-org: {{{said.replace('acme', 'nobody')}, bucket: new, token: secret, create_bucket: true}}\n"
            "  away: {type: influxdb, url: 'http://127.0.0.1:1', bucket: plant}\n",
        )
        done = check(path)
        assert not server.stored
        assert set(server.buckets) == {"plant"}
    assert done.returncode == 1
    rows = rows_of(done.stdout)
    assert rows["publish.fine"][0] == rows["publish.made-later"][0] == "ok"
    assert "see token:" in rows["publish.wrong-token"][-1]
    assert "create_bucket: true" in rows["publish.no-bucket"][-1]
    assert "nobody" in rows["publish.no-org"][-1]
    assert "connection refused" in rows["publish.away"][-1]
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("state", [
    "{{tag: plc.state, map: {{{state}: RUN}}}}", "{{sources: [{{tag: plc.state, map: {{{state}: RUN}}}}]}}",
])  # fmt: skip
def test_a_value_that_names_no_state_or_product_of_its_machine_is_named(
    write: Callable[..., Path], state: str
) -> None:
    with Misbehaving() as plc:          # a register holds its own number
        path = write(
            f"  plc: {{driver: modbus, url: 'modbus+tcp://127.0.0.1:{plc.port}', tags: {{state: 'holding:7', "
            "job: 'holding:8', total: 'holding:9', scrap: 'holding:10'}}\n"
        )
        machine = (
            f"    state: {state}\n    counts: {{{{total: plc.total, scrap: plc.scrap}}}}\n"
            "    job: {{tag: plc.job, products: {{{job}: {{ideal_cycle: 1s}}}}}}\n"
        )
        text = path.read_text()
        path.write_text(f"{text}machines:\n  m:\n{machine.format(state=1, job=5)}")
        done = check(path)
        path.write_text(f"{text}machines:\n  m:\n{machine.format(state=7, job=8)}")
        assert check(path).returncode == 0
    assert done.returncode == 1
    rows = rows_of(done.stdout)
    assert rows["plc.state"][:2] == ["not named", "7"]
    assert rows["plc.state"][-1].startswith("m: plc.state is 7, which its state does not name")
    assert rows["plc.job"][0] == "not named"
    assert rows["plc.job"][-1].startswith("m: plc.job is 8, which names no product")
    assert rows["plc.total"][0] == "ok"


def test_devices_are_tried_at_the_same_time_and_a_silent_one_costs_only_itself(write: Callable[..., Path]) -> None:
    with Misbehaving("deaf") as deaf:
        url = f"modbus+tcp://127.0.0.1:{deaf.port}?timeout=30s"
        device = f"{{driver: modbus, url: '{url}', tags: {{a: 'holding:0'}}}}"
        path = write(SIMULATED + "".join(f"  deaf-{n}: {device}\n" for n in range(4)))
        began = time.monotonic()
        assert cli.main(["check", str(path), "--connect", "--seconds", "2"]) == 1
    assert time.monotonic() - began < 6


def test_ctrl_c_ends_it_with_what_is_known(write: Callable[..., Path]) -> None:
    with Misbehaving("deaf") as deaf:
        url = f"modbus+tcp://127.0.0.1:{deaf.port}?timeout=30s"
        path = write(SIMULATED + f"  deaf: {{driver: modbus, url: '{url}', tags: {{a: 'holding:0'}}}}\n")
        command = [sys.executable, "-m", "edge_agent.cli", "check", str(path), "--connect", "--seconds", "60"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment()) as process:
            assert process.stderr is not None
            assert process.stdout is not None
            assert "trying 2 devices with 3 tags" in process.stderr.readline()
            time.sleep(1.0)
            process.send_signal(signal.SIGINT)
            assert "ending with what is known so far" in process.stderr.readline()
            told = process.stdout.read()
    assert process.returncode == 1
    rows = rows_of(told)
    assert rows["sim.state"][0] == "ok"
    assert rows["deaf"][0] == rows["deaf.a"][0] == "not asked"


@pytest.mark.peer
@pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto")
@pytest.mark.parametrize("client_id", ["", ", client_id: gw-own"])
def test_an_agent_that_runs_keeps_its_session_with_the_broker(
    write: Callable[..., Path], tmp_path: Path, client_id: str
) -> None:
    lost, heard = threading.Event(), []
    with Mosquitto(tmp_path) as broker:
        running = Client(CallbackAPIVersion.VERSION2, "gw-own" if client_id else "gw-01", reconnect_on_failure=False)
        running.on_disconnect = lambda *_: lost.set()
        running.on_message = lambda _client, _user, message: heard.append(message.topic)
        running.connect("127.0.0.1", broker.port)
        running.subscribe("#")
        running.loop_start()
        try:
            path = write(SIMULATED, f"  platform: {{type: mqtt, url: 'mqtt://127.0.0.1:{broker.port}'{client_id}}}\n")
            assert check(path).returncode == 0
            time.sleep(0.3)
            assert not lost.is_set()
            assert heard == []
        finally:
            running.disconnect()
            running.loop_stop()


@pytest.mark.parametrize(
    ("text", "options", "code", "what"),
    [
        ("  sim: {driver: simulatd, url: 'simulated://'}\n", ["--connect"], 78, "did you mean 'simulated'"),
        (SIMULATED, ["--seconds", "3"], 2, "--seconds belongs to --connect"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_tried(
    write: Callable[..., Path], text: str, options: list[str], code: int, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", str(write(text)), *options]) == code
    out, err = capsys.readouterr()
    assert (out, what in err) == ("", True)


# -- what a driver may do ------------------------------------------------------------------------


class Scripted:
    """A driver, and its session, that gives one batch after another and then nothing."""

    groups = ()
    confirms = False
    lag_ns = 0
    skipped = 0

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.closed = 0

    async def connect(self) -> Scripted:
        return self

    async def read(self) -> Batch:
        if not self.steps:
            await asyncio.Event().wait()
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def close(self) -> None:
        self.closed += 1

    def why(self, _tag: object) -> tuple[str, ...]:
        return ("the driver says so",)


def sample(position: int, value: float, quality: int = 0) -> Batch:
    one = np.array([position], np.int32), np.array([1], np.int64)
    return Batch(*one, np.array([value]), np.array([quality], np.uint8))


def tried(path: Path, driver: Scripted, seconds: float) -> Trial:
    """The site's only device over that driver."""
    site: Site = load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
    ready = agent.prepare(site, registry.drivers(), registry.publishers())
    ready.drivers["sim"] = driver
    trial = Trial(site, ready, seconds)
    asyncio.run(trial.run(asyncio.Event()))
    return trial


def test_a_first_sample_that_is_bad_is_not_the_last_word(write: Callable[..., Path]) -> None:
    waiting = bad(Reason.DEVICE)
    driver = Scripted(sample(0, 1.0), sample(1, float("nan"), waiting), sample(1, 5.0))
    [device] = tried(write(SIMULATED), driver, 5.0).devices
    assert [tag.verdict for tag in device.tags] == [Verdict.OK, Verdict.OK]
    assert driver.closed == 1


def test_a_bad_one_is_not_waited_for_to_the_end(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_room, "_GRACE_S", 0.2)
    driver = Scripted(sample(0, 1.0), sample(1, float("nan"), bad(Reason.REFUSED)))
    began = time.monotonic()
    [device] = tried(write(SIMULATED), driver, 30.0).devices
    assert time.monotonic() - began < 5
    assert device.tags[1].verdict is Verdict.BAD
    assert device.tags[1].why == ["the device refuses this address", "the driver says so"]


def test_a_tag_without_a_sample_and_a_line_that_breaks_are_said(write: Callable[..., Path]) -> None:
    [device] = tried(write(SIMULATED), Scripted(sample(0, 1.0)), 0.3).devices
    assert device.tags[1].verdict is Verdict.SILENT
    assert device.tags[1].why[0] == "nothing has come within 0.3 s"
    driver = Scripted(sample(0, 1.0), NotConnected("the cable is out"))
    [device] = tried(write(SIMULATED), driver, 5.0).devices
    assert (device.verdict, device.error) == (Verdict.FAILED, "connected, then lost: the cable is out")
    assert (device.tags[0].verdict, driver.closed) == (Verdict.OK, 1)


def test_a_fault_of_one_driver_keeps_no_other_row_from_being_shown(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: object, _tag: object) -> tuple[str, ...]:
        raise KeyError("tag")

    monkeypatch.setattr(Scripted, "why", broken)
    [device] = tried(write(SIMULATED), Scripted(sample(0, 1.0, BAD), RuntimeError("a bug")), 1.0).devices
    assert device.error == "connected, then lost: RuntimeError: a bug"
