"""A machine that counts nothing: its pulses are read from a real Modbus server and come out as OEE at the broker."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_agent import registry
from edge_agent.config import load
from edge_agent.replay import asked, replay
from tests.peers.waiting import free_port, wait_for

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SITE = """
agent: {{id: gw-1, data_dir: "{folder}/data"}}
api: {{listen: "127.0.0.1:{api}"}}
devices:
  io:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 20ms
    tags:
      green: {{address: "holding:0.0"}}
      done: {{address: "holding:0.1"}}
machines:
  press:
    state: {{tag: io.green, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: {{pulse: io.done, debounce: 30ms}}}}
    units_per_count: 4
    ideal_cycle: 10ms
  stamp:
    state: {{pace: {{pulse: io.done, cycle: 300ms, gap: 2s}}}}
    counts: {{total: {{pulse: io.done, debounce: 30ms}}}}
    ideal_cycle: 300ms
publish:
  broker: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
journal: {{flush: 100ms}}
kpi: {{every: 200ms}}
"""


def told(listener: Any, wanted: Callable[[Any], bool]) -> list[Any]:
    return [record for record in listener.on("/press/kpi/day") if wanted(record)]


def test_pulses_become_pieces_of_every_cavity_and_a_lost_line_takes_its_time_out_of_the_plan(
    tmp_path: Path,
    broker: Any,
    listener: Any,
    start_agent: Callable[[str], Any],
    start_process: Callable[..., Any],
) -> None:
    port, api, began = free_port(), free_port(), time.time()
    plc = start_process("plc", sys.executable, str(PLC), str(port), "0 1")
    wait_for(lambda: "ready" in plc.log(), 60, "the PLC")
    agent = start_agent(SITE.format(folder=tmp_path, plc=port, broker=broker.port, api=api))
    wait_for(lambda: listener.values("io", "done"), 60, "the first reading")

    for _ in range(5):
        for level in (3, 1):
            plc.process.stdin.write(f"0 {level}\n".encode())
            plc.process.stdin.flush()
            time.sleep(0.3)
    made = wait_for(lambda: told(listener, lambda record: record["counts"]["pq"] == 20), 30, "pieces")
    record = made[-1]
    assert record["counts"]["gq"] == 20
    assert "QUALITY_ASSUMED" in record["flags"]

    wait_for(lambda: [one["state"] for one in listener.on("/stamp/state")][-2:] == ["RUN", "IDLE"], 30, "a stop")
    plc.stop()
    gone = wait_for(lambda: told(listener, lambda record: record["time_s"]["unk_raw"] > 2), 60, "a gap")[-1]
    assert gone["counts"]["pq"] == 20
    assert gone["time_s"]["pbt"] < gone["time_s"]["ct"] - 2

    with urllib.request.urlopen(f"http://127.0.0.1:{api}/api/v1/machines/stamp/spans", timeout=10) as answer:
        live = [(span["state"], span["start"][:23]) for span in json.load(answer)["spans"]]
    agent.stop()
    assert replayed(tmp_path, began) == [one for one in live if one[0] != "UNKNOWN"]


def replayed(folder: Path, began: float) -> list[tuple[str, str]]:
    """The states of the stamp as the journal tells them again."""
    site = load(folder / "site.yaml", registry.drivers(), registry.publishers(), profiles=registry.profiles())
    window = "/".join(datetime.fromtimestamp(t, UTC).isoformat() for t in (began - 1, time.time()))
    outcome = replay(site, [folder / "data"], asked(window, None, site.zone, ("day",))).machines["stamp"]
    return [
        (span.state.name, datetime.fromtimestamp(span.start // 10**6 / 1000, UTC).isoformat("T", "milliseconds")[:23])
        for span in outcome.spans if span.state.name != "UNKNOWN"
    ]  # fmt: skip
