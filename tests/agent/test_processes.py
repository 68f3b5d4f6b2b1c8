"""The agent as a process: killed again and again, started twice, stopped early, on a full disk."""

from __future__ import annotations

import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.waiting import free_port, wait_for

PEERS = Path(__file__).parents[1] / "peers"
SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: "{data}"}}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 50ms
    timeout: 500ms
    tags: {{state: {{address: holding:0}}, total: {{address: holding:1, type: uint32}}, scrap: {{address: holding:3}}}}
machines:
  press-1:
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN, 2: FAULT}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    counter: {{bits: 32, max_rate: 100}}
    ideal_cycle: 100ms
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", profile: json, ack_timeout: 3s}}
journal: {{flush: 50ms, segment: 64KB}}
kpi: {{every: 200ms, windows: [day]}}
"""


@pytest.fixture
def plc_port() -> int:
    return free_port()


@pytest.fixture
def count(plc_port: int, start_process: Callable[..., Any]) -> Callable[[int], None]:
    """A PLC that stands at 100 pieces; sets its counter."""
    plc = start_process("plc", sys.executable, str(PEERS / "plc.py"), str(plc_port), "0 1 0 100 0")

    def set_count(total: int) -> None:
        plc.process.stdin.write(f"1 {total >> 16} {total & 0xFFFF}\n".encode())
        plc.process.stdin.flush()

    return set_count


@pytest.fixture
def site(tmp_path: Path, broker: Any, plc_port: int) -> str:
    return SITE.format(data=tmp_path / "data", plc=plc_port, broker=broker.port)


def pieces(listener: Any) -> int:
    records = listener.on("/press-1/kpi/day")
    return int(records[-1]["counts"]["pq"]) if records else -1


def test_killed_again_and_again_the_agent_counts_exactly_what_the_plc_made(
    site: str, count: Callable[[int], None], listener: Any, start_agent: Callable[[str], Any]
) -> None:
    dice = random.Random(5)
    agent = start_agent(site)
    wait_for(lambda: pieces(listener) == 0, 15, "the first KPI record")
    total = 100
    for _ in range(4):
        for _ in range(dice.randrange(5, 20)):
            total += 1
            count(total)
            time.sleep(dice.uniform(0.02, 0.08))
        agent.stop(signal.SIGKILL)
        total += 3
        count(total)
        agent.start()
        time.sleep(dice.uniform(0.0, 0.7))
    wait_for(lambda: pieces(listener) >= total - 100, 15, "all pieces")
    time.sleep(0.5)
    assert pieces(listener) == total - 100
    known = [record["as_of"] for record in listener.on("/press-1/kpi/day")]
    assert known == sorted(known)


def test_a_second_agent_on_the_same_data_is_refused_with_a_clear_message(
    site: str,
    tmp_path: Path,
    count: Callable[[int], None],
    listener: Any,
    start_agent: Callable[[str], Any],
    start_process: Callable[..., Any],
) -> None:
    start_agent(site)
    wait_for(lambda: pieces(listener) == 0, 15, "the first agent works")
    path = str(tmp_path / "site.yaml")
    second = start_process("second", sys.executable, "-m", "edge_agent.cli", "run", path)
    assert second.process.wait(60) == 1
    assert "another process has this journal open" in second.log()
    assert "Traceback" not in second.log()


def test_a_broker_that_is_away_at_the_start_gets_everything_later(
    site: str,
    count: Callable[[int], None],
    broker: Any,
    start_agent: Callable[[str], Any],
    request: pytest.FixtureRequest,
) -> None:
    broker.stop(signal.SIGKILL)
    agent = start_agent(site)
    wait_for(lambda: "press-1: connected" in agent.log(), 10, "the device")
    for total in range(101, 106):
        count(total)
        time.sleep(0.2)
    broker.start()
    listener = request.getfixturevalue("listener")
    wait_for(lambda: pieces(listener) == 5, 30, "KPIs")
    assert [value for _, value, _ in listener.values("press-1", "total")] == [100, 101, 102, 103, 104, 105]
    assert agent.log().count("no connection to mqtt") == 1


def test_a_stop_during_the_start_is_an_orderly_one(
    site: str, count: Callable[[int], None], start_agent: Callable[[str], Any]
) -> None:
    agent = start_agent(site)
    codes = [agent.stop()]
    for wait in (0.4, 0.6, 0.8, 1.0, 1.2):
        agent.start()
        time.sleep(wait)
        codes.append(agent.stop())
    # Before Python has come to our handlers the signal itself ends the process.
    assert set(codes) <= {0, -signal.SIGTERM}, agent.log()
    assert "Traceback" not in agent.log()
    started = agent.log().count("press-1: connected")
    agent.start()
    wait_for(lambda: agent.log().count("press-1: connected") > started, 10, "the device")
    assert agent.stop() == 0


def test_on_a_full_disk_the_agent_goes_on_says_so_and_loses_nothing_it_can_hold(
    site: str, count: Callable[[int], None], listener: Any, start_agent: Callable[[str], Any]
) -> None:
    agent = start_agent(site)
    wait_for(lambda: pieces(listener) == 0, 15, "the first KPI record")

    def allow(size: int) -> None:
        resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    allow(0)
    for total in range(101, 111):
        count(total)
        time.sleep(0.15)
    wait_for(lambda: pieces(listener) == 10, 5, "KPIs go on")
    wait_for(lambda: listener.on("/status")[-1].get("journal"), 5, "the status tells")
    allow(resource.RLIM_INFINITY)
    wait_for(lambda: not listener.on("/status")[-1].get("journal"), 5, "the status tells that it is over")
    wait_for(lambda: len(listener.values("press-1", "total")) == 11, 5, "what waited in memory")
    assert agent.stop() == 0
