"""What operators say over MQTT and the API: the whole agent between a real Modbus server and a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.publish as publish

from edge_agent import registry
from edge_agent.config import load
from edge_agent.replay import asked, replay
from tests.peers.waiting import free_port, wait_for

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
TOKEN = "a-token-of-sixteen-or-more"
SITE = """
agent: {{id: gw-1, data_dir: data}}
api: {{listen: "127.0.0.1:{api}", tokens: {{terminal: {token}}}}}
devices:
  io:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 50ms
    tags: {{state: {{address: "holding:0"}}, total: {{address: "holding:1"}}, scrap: {{address: "holding:2"}}}}
machines:
  press:
    state: {{tag: io.state, map: {{0: IDLE, 1: RUN, 2: FAULT}}}}
    counts: {{total: io.total, scrap: io.scrap}}
    ideal_cycle: 1s
    operator: {{}}
  locked:
    state: {{tag: io.state, map: {{0: IDLE, 1: RUN, 2: FAULT}}}}
    counts: {{total: io.total, scrap: io.scrap}}
    ideal_cycle: 1s
publish:
  broker: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", commands: true}}
journal: {{flush: 100ms}}
kpi: {{every: 200ms}}
"""


class Floor:
    """A shop floor with an agent: says things, asks things."""

    def __init__(self, api: int, broker: int) -> None:
        self.api, self.broker = api, broker

    def asked(self, path: str, body: object = None) -> Any:
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.api}/api/v1/{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def says(self, machine: str, **said: object) -> None:
        publish.single(f"edge/gw-1/command/{machine}", orjson.dumps(said), qos=1, port=self.broker)

    def spans(self) -> list[tuple[str, str | None, str | None]]:
        return [(span["state"], span["reason"], span["source"]) for span in self.asked("machines/press/spans")["spans"]]


def test_what_an_operator_says_counts_at_once_is_audited_and_outlives_the_agent(
    tmp_path: Path,
    broker: Any,
    listener: Any,
    start_agent: Callable[[str], Any],
    start_process: Callable[..., Any],
) -> None:
    plc_port, api = free_port(), free_port()
    plc = start_process("plc", sys.executable, str(PLC), str(plc_port), "0 2 10 1")
    wait_for(lambda: "ready" in plc.log(), 60, "the PLC")
    agent = start_agent(SITE.format(plc=plc_port, broker=broker.port, api=api, token=TOKEN))
    floor = Floor(api, broker.port)
    began = time.time()

    def replies(id: str) -> list[Any]:
        return listener.on(f"/reply/{id}")

    wait_for(lambda: listener.on("/press/state"), 60, "the first state")
    wait_for(lambda: "listens for commands" in agent.log(), 60, "listening")

    floor.says("press", id="s-1", reason="TOOL", who="anna")
    reply = wait_for(lambda: replies("s-1"), 30, "an answer")[0]
    assert reply == {"id": "s-1", "ok": True, "error": None, "read_back": None}
    told = wait_for(lambda: [one for one in listener.on("/press/state") if one["reason"] == "TOOL"], 30, "the state")
    assert told[-1]["state"] == "FAULT"
    assert floor.spans()[-1] == ("FAULT", "TOOL", "operator")
    assert floor.asked("status")["machines"]["press"]["source"] == "operator"

    floor.says("press", id="s-1", reason="TOOL", who="anna")
    wait_for(lambda: len(replies("s-1")) == 2, 30, "the same answer")
    assert replies("s-1")[1] == reply

    answer = floor.asked("machines/press/states", {"id": "s-2", "state": "MAINT", "reason": "PREVENTIVE"})
    assert answer == {"id": "s-2", "ok": True, "error": None}
    assert floor.spans()[-1] == ("MAINT", "PREVENTIVE", "operator")
    wait_for(lambda: any(one["time_s"]["maint"] > 0 for one in listener.on("/press/kpi/day")), 30, "maintenance")

    floor.says("locked", id="s-3", reason="TOOL")
    refusal = wait_for(lambda: replies("s-3"), 30, "a refusal")[0]
    assert refusal["error"] == "nobody may say anything of locked: it has no operator: in the site file"
    turned = {"state": "RUN", "from": "2026-01-01T00:00", "until": "2025-01-01T00:00"}
    answer = floor.asked("machines/press/states", turned)
    assert answer["error"] == "until must be after from"
    assert "should be 'UNKNOWN', 'OFF'" in floor.asked("machines/press/states", {"state": "WORKING"})["error"]
    assert floor.asked("machines/pres/states", {"state": "RUN"})["near"] == ["press"]

    agent.stop()
    agent.start()
    wait_for(lambda: agent.log().count("listening at") == 2, 60, "the API again")
    wait_for(lambda: ("MAINT", "PREVENTIVE", "operator") in floor.spans(), 30, "what was said before")
    assert ("FAULT", "TOOL", "operator") in floor.spans()
    plc.process.stdin.write(b"0 1\n")
    plc.process.stdin.flush()
    wait_for(lambda: floor.spans()[-1] == ("RUN", None, None), 30, "the end of what was said without an end")
    spans = floor.spans()
    agent.stop()

    command = [sys.executable, "-m", "edge_agent.cli", "audit", str(tmp_path / "site.yaml")]
    audit = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "press.state" in audit and "TOOL" in audit and "by terminal through api" in audit
    assert "anna" not in audit
    assert (tmp_path / "data" / "operator.key").stat().st_mode & 0o777 == 0o600
    assert not any(b"anna" in path.read_bytes() for path in (tmp_path / "data" / "journal").rglob("*.seg"))
    assert replayed(tmp_path, began) == [one for one in spans if one[0] != "UNKNOWN"]


def replayed(folder: Path, began: float) -> list[tuple[str, str | None, str | None]]:
    """The states of the press as the journal tells them again."""
    site = load(folder / "site.yaml", registry.drivers(), registry.publishers(), profiles=registry.profiles())
    window = "/".join(datetime.fromtimestamp(t, UTC).isoformat() for t in (began, time.time()))
    wanted = asked(window, None, site.zone, ("shift", "hour", "day"))
    outcome = replay(site, [folder / "data"], wanted).machines["press"]
    return [
        (span.state.name, span.reason or None, span.source or None)
        for span in outcome.spans if span.state.name != "UNKNOWN"
    ]  # fmt: skip
