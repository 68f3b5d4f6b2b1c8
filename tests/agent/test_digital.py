"""How digital a plant is, as an agent with a real PLC and a real broker tells it."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.peers.waiting import free_port, wait_for

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SITE = """
agent: {{id: gw-1, data_dir: "{folder}/data"}}
api: {{listen: "127.0.0.1:{api}"}}
devices:
  plc:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 200ms
    timeout: 300ms
    tags: {{state: "holding:0", total: "holding:1 uint32", scrap: "holding:3 uint32"}}
machines:
  press-1:
    state: {{tag: plc.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: plc.total, scrap: plc.scrap}}
    ideal_cycle: 1s
assets:
  press-1: {{name: 冲床, class: press, type: JH21, location: hall 1, machine: press-1}}
  saw-1: {{class: saw, declared: [digital]}}
  saw-2: {{class: saw, status: scrapped}}
publish:
  broker: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
journal: {{flush: 100ms}}
"""


def asked(api: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{api}/api/v1/{path}", timeout=5) as answer:
        return json.load(answer)


def reachable(api: int) -> bool:
    try:
        return bool(asked(api, "digital"))
    except OSError:
        return False


def test_a_device_that_dies_drags_its_figures_down_and_the_reason_says_so(
    tmp_path: Path, broker: Any, listener: Any, start_agent: Callable[[str], Any], start_process: Callable[..., Any]
) -> None:
    plc, api = free_port(), free_port()
    machine = start_process("plc", sys.executable, str(PLC), str(plc), "0 1")
    wait_for(lambda: "ready" in machine.log(), 10, "the PLC listens")
    site = SITE.format(folder=tmp_path, api=api, plc=plc, broker=broker.port)
    agent = start_agent(site)

    told = wait_for(lambda: listener.on("gw-1/digital"), 30, "the first message about the plant")[0]
    assert told["register"]["counted"] == 2
    assert told["indices"]["device_digital_rate"] == 0.5
    assert told["declared"]["device_digital_rate"] == 1.0
    assert told["devices"]["saw-1"]["level"] == 0
    assert told["devices"]["saw-1"]["reasons"][0]["code"] == "unlinked"
    assert told["devices"]["saw-1"]["declared_level"] == 1
    press = told["devices"]["press-1"]
    assert press["level"] >= 2, press
    assert (press["tag"].partition(".")[0], press["protocol"]) == ("plc", "modbus+tcp")
    assert press["tags"]["energy"] == "missing"
    assert not press["cloud"], "a broker on the agent's own computer is no platform"
    before = asked(api, "digital")["devices"]["press-1"]
    assert before["quality"]["conformity"] == 1.0
    assert asked(api, "digital/tags?device=plc&limit=1")["tags"][0]["completeness"] > 0.8

    machine.stop(signal.SIGKILL)
    dead = wait_for(lambda: asked_if_fallen(api), 60, "half of the time it has been dead")
    assert dead["online_ratio"] < 0.5
    assert dead["quality"]["completeness"] < before["quality"]["completeness"]
    assert dead["quality"]["accessibility"] < 1.0
    assert dead["quality"]["score"] < before["quality"]["score"]
    assert [reason["code"] for reason in dead["reasons"]] == ["online", "line_down"]
    assert "plc is not connected now" in dead["missing"][1]
    assert "plc 当前未连接" in dead["reasons"][1]["zh"]

    assert agent.stop() == 0
    start_agent(site)
    wait_for(lambda: reachable(api), 30, "the agent back")
    again = asked(api, "digital")
    assert again["since"] <= told["since"]
    assert again["devices"]["press-1"]["last_good"] == dead["last_good"]
    assert 0 < again["devices"]["press-1"]["online_ratio"] < 0.5
    assert again["indices"]["device_digital_rate"] == 0.5, "what was evidenced once stays evidenced"


def asked_if_fallen(api: int) -> Any:
    press = asked(api, "digital")["devices"]["press-1"]
    return press if press["level"] == 1 else None
