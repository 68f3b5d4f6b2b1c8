"""A serial line as users have it: three meters on one adapter, read by a running agent, heard from the broker."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.misbehaving import Misbehaving
from tests.peers.serial_pair import SerialPair
from tests.peers.waiting import free_port, wait_for

SITE = """
agent: {{id: gw-1, data_dir: "{folder}/data"}}
api: {{listen: "127.0.0.1:{api}", tokens: {{anna: a-token-of-sixteen-or-more}}}}
devices:
  meter-1: &meter
    driver: modbus
    url: "modbus+rtu://{port}?unit=1&baud=19200"
    poll: 200ms
    timeout: 150ms
    tags:
      power:    "input:0 uint32"
      energy:   "input:100 uint32"
      setpoint: "holding:10 x0.1 write=0..100"
  meter-2: {{<<: *meter, url: "modbus+rtu://{port}?unit=2&baud=19200"}}
  meter-7: {{<<: *meter, url: "modbus+rtu://{port}?unit=7&baud=19200"}}
publish:
  broker: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", commands: true}}
journal: {{flush: 100ms}}
"""


@pytest.fixture
def line(tmp_path: Path) -> Iterator[SerialPair]:
    with SerialPair(tmp_path, 19_200) as pair:
        yield pair


def asked(api: int, path: str, body: object = None) -> Any:
    headers = {"authorization": "Bearer a-token-of-sixteen-or-more", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{api}/api/v1/{path}", data, headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def test_meters_on_one_line_are_read_written_and_explained_while_one_of_them_is_dead(
    tmp_path: Path,
    line: SerialPair,
    broker: Any,
    listener: Any,
    start_agent: Callable[[str], Any],
) -> None:
    api = free_port()
    with Misbehaving(face="serial", device=line.b, baud=19_200, units="1,2,7") as meters:
        start_agent(SITE.format(folder=tmp_path, port=line.a, broker=broker.port, api=api))
        first = (10_000 << 16) + 10_001
        for unit in (1, 2, 7):
            wait_for(lambda unit=unit: listener.values(f"meter-{unit}", "power"), 20, f"meter {unit}")
            assert listener.values(f"meter-{unit}", "power")[0][1:] == (first, "good")

        meters.switch("silent_units=7")
        wait_for(lambda: listener.values("meter-7", "power")[-1][1:] == (None, "bad"), 10, "the mark of a dead meter")
        why = asked(api, "tags/meter-7.power")
        assert why["reason"] == "no_answer"
        assert any("unit 7: no answer to reading" in sentence for sentence in why["why"])
        assert any("the next is due in" in sentence for sentence in why["why"])
        for unit in (1, 2):
            assert listener.values(f"meter-{unit}", "power")[-1][2] == "good"

        answer = asked(api, "tags/meter-2.setpoint", {"value": 23.4})
        assert (answer["ok"], answer["read_back"]) == (True, 23.4)
        assert meters.values("holding", 10, unit=2) == [234]
        assert meters.values("holding", 10, unit=1) == [10]

        meters.switch()
        wait_for(lambda: listener.values("meter-7", "power")[-1][1:] == (first, "good"), 10, "the meter back")
    told = subprocess.run(
        [sys.executable, "-m", "edge_agent.cli", "audit", str(tmp_path / "site.yaml")], capture_output=True, text=True
    ).stdout
    assert "done     meter-2.setpoint = 23.4 (was 1.0), by anna through api" in told
