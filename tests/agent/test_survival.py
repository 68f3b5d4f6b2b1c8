"""What a plant does to an agent: servers, brokers and the agent itself die and come back."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.process import proxy_command
from tests.peers.waiting import free_port, wait_for

PEERS = Path(__file__).parents[1] / "peers"

SITE = """
agent: {{id: gw-1, place: {{enterprise: acme, site: suzhou}}, timezone: UTC, data_dir: "{data}"}}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 100ms
    timeout: 500ms
    tags:
      state: {{address: holding:0}}
      total: {{address: holding:1, type: uint32}}
      scrap: {{address: holding:3, type: uint32}}
machines:
  press-1:
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN, 2: FAULT}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    counter: {{bits: 32, max_rate: 1000}}
    ideal_cycle: 1s
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", profile: json, ack_timeout: 3s}}
journal: {{flush: 100ms}}
kpi: {{every: 300ms, windows: [day]}}
"""
ROOT = "edge/acme/suzhou/gw-1"


class Plc:
    """The PLC under the test's hand."""

    def __init__(self, start: Callable[..., Any], port: int, presets: str = "0 1 0 100 0 5") -> None:
        self.port = port
        self.process = start("plc", sys.executable, str(PEERS / "plc.py"), str(port), presets)

    def set(self, address: int, *values: int) -> None:
        stdin = self.process.process.stdin
        stdin.write(f"{address} {' '.join(map(str, values))}\n".encode())
        stdin.flush()

    def count(self, total: int) -> None:
        self.set(1, total >> 16, total & 0xFFFF)


@pytest.fixture
def plc(start_process: Callable[..., Any], request: pytest.FixtureRequest) -> Plc:
    return Plc(start_process, request.getfixturevalue("plc_port"))


@pytest.fixture
def plc_port() -> int:
    return free_port()


@pytest.fixture
def site(tmp_path: Path, broker: Any, plc_port: int) -> str:
    return SITE.format(data=tmp_path / "data", plc=plc_port, broker=broker.port)


def newest_kpi(listener: Any) -> dict[str, Any]:
    records = listener.on("/press-1/kpi/day")
    return records[-1] if records else {}


def pieces(listener: Any) -> int:
    return int(newest_kpi(listener).get("counts", {}).get("pq", -1))


def test_values_states_and_kpis_arrive_as_the_contract_says(
    site: str, plc: Plc, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    start_agent(site)
    wait_for(lambda: pieces(listener) == 0, 15, "the first KPI record")
    plc.count(110)
    wait_for(lambda: pieces(listener) == 10, 5, "ten pieces")
    wait_for(lambda: len(listener.values("press-1", "total")) >= 2, 5, "the samples, which come after the KPIs")
    assert [value for _, value, _ in listener.values("press-1", "total")] == [100, 110]
    wait_for(lambda: listener.on("/press-1/state")[-1]["state"] == "RUN", 5, "its state")
    wait_for(lambda: listener.on(f"{ROOT}/status")[-1]["devices"] == {"press-1": "connected"}, 5, "the status")
    assert listener.on(f"{ROOT}/status")[-1]["online"] is True
    record = newest_kpi(listener)
    assert {name: n for name, n in record["counts"].items() if n} == {"pq": 10, "gq": 10}
    assert record["ideal_s"] == {"ipt": 10, "igt": 10}
    assert record["final"] is False


def test_after_kill_9_the_record_continues_exactly_and_the_absence_is_unknown_time(
    site: str, plc: Plc, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    agent = start_agent(site)
    wait_for(lambda: pieces(listener) == 0, 15, "the first KPI record")
    plc.count(107)
    wait_for(lambda: pieces(listener) == 7, 5, "seven pieces")
    before = newest_kpi(listener)["time_s"]
    plc.count(108)
    wait_for(lambda: (listener.values("press-1", "total") or [(0, 0, "")])[-1][1] == 108, 5, "what was committed")
    agent.stop(signal.SIGKILL)
    plc.count(120)
    time.sleep(2.0)
    agent.start()
    wait_for(lambda: pieces(listener) == 20, 15, "what the PLC counted meanwhile")
    after = newest_kpi(listener)
    assert after["counts"]["pq"] == 20
    away = after["time_s"]["unk_raw"] - before["unk_raw"]
    assert away >= 1.9
    # Known up to the last commit before the kill: that of the sample which had arrived.
    assert after["time_s"]["apt"] >= before["apt"]
    reasons = [(change["state"], change["reason"]) for change in listener.on("/press-1/state")]
    assert ("UNKNOWN", "AGENT_DOWN") in reasons
    assert reasons[-1] == ("RUN", None)


def test_a_plc_that_restarts_is_back_by_itself_and_its_counter_bridges_the_gap(
    site: str,
    plc: Plc,
    plc_port: int,
    listener: Any,
    start_agent: Callable[[str], Any],
    start_process: Callable[..., Any],
) -> None:
    agent = start_agent(site)
    wait_for(lambda: pieces(listener) == 0, 15, "the first KPI record")
    plc.process.stop(signal.SIGKILL)
    wait_for(lambda: listener.on("/press-1/state")[-1]["state"] == "UNKNOWN", 10, "the loss")
    wait_for(lambda: listener.values("press-1", "total")[-1][1:] == (None, "bad"), 5, "the mark")
    time.sleep(1.0)
    Plc(start_process, plc_port, "0 1 0 130 0 5")
    wait_for(lambda: pieces(listener) == 30, 15, "the pieces made during the gap")
    wait_for(lambda: listener.on("/press-1/state")[-1]["state"] == "RUN", 5, "its state")
    assert newest_kpi(listener)["time_s"]["credited"] > 0
    log = agent.log()
    assert log.count("press-1: lost") == 1
    assert log.count("press-1: connected") == 2


def test_a_network_that_goes_away_costs_nothing_but_time(
    site: str,
    plc: Plc,
    broker: Any,
    listener: Any,
    start_agent: Callable[[str], Any],
    start_process: Callable[..., Any],
) -> None:
    wire_port = free_port()
    wire = start_process("wire", *proxy_command(wire_port, broker.port))
    start_agent(site.replace(f":{broker.port}", f":{wire_port}"))
    wait_for(lambda: pieces(listener) == 0, 15, "the first KPI record")
    wire.stop(signal.SIGKILL)
    for total in range(101, 121):
        plc.count(total)
        time.sleep(0.15)
    wire.start()
    wait_for(lambda: pieces(listener) == 20, 20, "KPIs after the outage")
    plc.count(121)
    wait_for(lambda: pieces(listener) == 21, 10, "live data after the outage")
    # the KPIs of open windows do not wait for the commit that the samples wait for
    wait_for(lambda: listener.values("press-1", "total")[-1][1] == 121, 5, "its sample")
    payloads = listener.on("/press-1/tags")
    in_order = list({payload["seq"]: payload for payload in payloads}.values())
    assert [payload["seq"] for payload in in_order] == sorted(payload["seq"] for payload in in_order)
    totals = [g["values"]["total"] for p in in_order for g in p["samples"] if "total" in g["values"]]
    assert totals == list(range(100, 122))
    assert any(payload["historical"] for payload in payloads)
    assert not payloads[-1]["historical"]


def test_a_device_that_is_dead_from_the_start_neither_stops_nor_delays_the_others(
    site: str, plc: Plc, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    dead = (
        "devices:\n  dead-1: {driver: modbus, url: \"modbus+tcp://127.0.0.1:9?unit=1\", poll: 100ms, "
        "tags: {x: {address: holding:0}}}\n"
    )
    start_agent(site.replace("devices:\n", dead))
    wait_for(lambda: pieces(listener) == 0, 15, "the living device's first KPI record")
    told = {"press-1": "connected", "dead-1": "lost"}
    wait_for(lambda: listener.on("/status")[-1]["devices"] == told, 5, "the status")
    wait_for(lambda: listener.values("press-1", "state"), 5, "its samples")


def test_an_orderly_stop_says_goodbye_and_loses_nothing(
    site: str, plc: Plc, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    agent = start_agent(site)
    wait_for(lambda: pieces(listener) == 0, 15, "the first KPI record")
    plc.count(150)
    wait_for(lambda: pieces(listener) == 50, 5, "fifty pieces")
    assert agent.stop() == 0
    wait_for(lambda: not listener.on("/status")[-1]["online"], 2, "the goodbye")
    agent.start()
    wait_for(lambda: pieces(listener) == 50 and len(listener.on("/press-1/state")) >= 3, 15, "the restart")

    def totals() -> list[Any]:
        return [value for _, value, _ in listener.values("press-1", "total") if value is not None]

    wait_for(lambda: len(totals()) >= 3, 5, "the samples, which come after the KPIs")
    assert totals() == [100, 150, 150]
