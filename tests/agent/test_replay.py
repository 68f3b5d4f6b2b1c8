"""What an agent told while it lived, and what a replay of its journal tells: the very same records."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent import registry
from edge_agent.config import Site, load
from edge_agent.encode.kpi_record import kpi_record
from edge_agent.encode.rollup_record import rollup_record
from edge_agent.replay import Asked, asked, replay
from tests.peers.no_api import without_api
from tests.peers.waiting import free_port, wait_for

PEERS = Path(__file__).parents[1] / "peers"
FACTOR = 30
ZONE = "Asia/Shanghai"
ORIGIN = int(datetime.fromisoformat("2026-11-23T05:48:10+08:00").timestamp()) * 1_000_000_000
SITE = """
agent: {{id: gw-1, place: {{enterprise: acme}}, timezone: Asia/Shanghai, data_dir: "{data}"}}
devices:
  plc:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 100ms
    timeout: 500ms
    tags:
      state: {{address: holding:0, stale: 30s}}
      total: {{address: holding:1, type: uint32, stale: 30s}}
      scrap: {{address: holding:3, stale: 30s}}
      program: {{address: holding:4, type: string, length: 4, stale: 30s}}
      kwh: {{address: holding:20, scale: 0.01, unit: kW.h, stale: 30s}}
      bore: {{address: holding:21, scale: 0.001, unit: mm, stale: 30s}}
  saw:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 100ms
    timeout: 500ms
    tags:
      state: {{address: holding:10, stale: 30s}}
      good: {{address: holding:11, stale: 30s}}
      scrap: {{address: holding:12, stale: 30s}}
  mill:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 100ms
    timeout: 500ms
    tags:
      red: {{address: "holding:30.0", stale: 30s}}
      green: {{address: "holding:30.1", stale: 30s}}
      power: {{address: holding:31, scale: 0.1, stale: 30s, deadband: 2}}
machines:
  press-1:
    state: {{tag: plc.state, map: {{0: IDLE, 1: RUN, 2: FAULT, 3: SETUP}}}}
    counts: {{total: plc.total, scrap: plc.scrap}}
    counter: {{max_rate: 100}}
    job: {{tag: plc.program, products: {{A100: {{ideal_cycle: 1.2s}}, B200: {{ideal_cycle: 2.5s}}}}}}
    micro_stop: 20s
    energy: {{tag: plc.kwh}}
    characteristics:
      bore: {{tag: plc.bore, trigger: plc.total, lsl: 11.9, usl: 12.1, subgroup: 3}}
      bore-a: {{tag: plc.bore, product: A100, lsl: 11.9, usl: 12.1}}
    calendar: hurried
  saw-1:
    state: {{tag: saw.state, map: {{0: IDLE, 1: RUN, 2: FAULT}}, dwell: 15s}}
    counts: {{good: saw.good, scrap: saw.scrap}}
    counter: {{max_rate: 100}}
    ideal_cycle: 0.9s
    unknown: exclude
    calendar: hurried
  mill-1:
    state:
      sources:
        - {{stacklight: {{red: mill.red, green: mill.green, debounce: 4s, dwell: 10s}}}}
        - {{power: {{tag: mill.power, off: 50, run: 150, median: 4500ms, dwell: 20s}}}}
    counts: {{good: saw.good, scrap: saw.scrap}}
    ideal_cycle: 1s
    calendar: hurried
carbon: {{region: cn-east}}
lines: {{flow: {{stations: [saw-1, press-1], calendar: hurried}}}}
calendars:
  hurried:
    shifts:
      first: {{days: daily, start: "05:50", end: "05:55"}}
      second: {{days: daily, start: "05:55", end: "06:02", breaks: [{{start: "05:58", for: 1min}}]}}
      third: {{days: daily, start: "06:02", end: "06:20"}}
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", profile: json, ack_timeout: 3s}}
journal: {{flush: 100ms, segment: 20KB}}
kpi: {{every: 300ms, windows: [shift, hour, day], watermark: 1min}}
"""


class Plant:
    """A press, a saw and a mill on one PLC, which a seeded plan moves."""

    def __init__(self, start: Callable[..., Any], port: int) -> None:
        self._start, self._port = start, port
        self._random = random.Random(4)
        self.total, self.good, self.scrap, self.kwh = 70_000, 65_300, 3, 65_400
        self.registers = {0: 1, 4: 0x4131, 5: 0x3030, 10: 1, 30: 2, 31: 2000}
        self.switch_on()

    def switch_on(self) -> None:
        self._count()
        presets = [f"{address} {value}" for address, value in self.registers.items()]
        script = str(PEERS / "plc.py")
        self._plc = self._start(f"plc-{time.monotonic_ns()}", sys.executable, script, str(self._port), *presets)

    def switch_off(self) -> None:
        self._plc.stop(signal.SIGKILL)

    def _count(self) -> None:
        self.registers |= {1: self.total >> 16, 2: self.total & 0xFFFF, 3: self.scrap}
        self.registers |= {11: self.good & 0xFFFF, 12: self.scrap}
        self.registers |= {20: self.kwh & 0xFFFF, 21: 12_000 + self._random.randrange(-40, 40)}

    def set(self, address: int, *values: int) -> None:
        self.registers |= {address + at: value for at, value in enumerate(values)}
        self._plc.process.stdin.write(f"{address} {' '.join(map(str, values))}\n".encode())
        self._plc.process.stdin.flush()

    def work(self, seconds: float) -> None:
        """Pieces, and now and then another state, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.total += self._random.randrange(4)
            self.good += self._random.randrange(5)
            self.scrap += self._random.random() < 0.2
            self._count()
            self.set(1, *(self.registers[at] for at in (1, 2, 3)))
            self.set(11, self.registers[11], self.registers[12])
            self.kwh += self._random.randrange(20)
            self.set(20, self.registers[20], self.registers[21])
            if self._random.random() < 0.3:
                self.set(0, self._random.choice((0, 1, 1, 2, 3)))
            if self._random.random() < 0.2:
                self.set(10, self._random.choice((0, 1, 1, 2)))
            if self._random.random() < 0.3:
                self.set(30, self._random.choice((0, 0, 1, 2, 2)), self._random.choice((100, 900, 1400, 2000)))
            time.sleep(0.15)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def site(tmp_path: Path, broker: Any, port: int) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(without_api(SITE.format(data=tmp_path / "data", plc=port, broker=broker.port)))
    return path


def loaded(site: Path) -> Site:
    return load(site, registry.drivers(), registry.publishers(), profiles=tuple(registry.profiles()))


def key(record: dict[str, Any]) -> tuple[str, str, str]:
    who = record["machine"] if "machine" in record else record["scope"]
    return who, record["window"]["kind"], record["window"]["start"]


def newest(records: list[dict[str, Any]], *, final: bool) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The latest record of each window of a machine, of their line and of the site."""
    return {key(record): record for record in records if record["final"] is final}


def replayed(site: Site, wanted: Asked) -> dict[tuple[str, str, str], dict[str, Any]]:
    made = replay(site, [Path(site.agent.data_dir)], wanted)
    return {key(record): record for record in (*map(kpi_record, made.reports), *map(rollup_record, made.sums))}


@pytest.mark.timeout(600)
def test_a_replay_of_the_journal_tells_what_the_agent_told(
    site: Path, port: int, broker: Any, listener: Any, start_process: Callable[..., Any]
) -> None:

    def all_told() -> list[dict[str, Any]]:
        return [record for kind in ("shift", "hour", "day") for record in listener.on(f"/kpi/{kind}")]

    def revision_of_all() -> dict[Any, int]:
        return {window: record["rev"] for window, record in newest(all_told(), final=True).items()}

    plant = Plant(start_process, port)
    command = (sys.executable, str(PEERS / "fast_agent.py"), str(ORIGIN), str(FACTOR), str(site))
    agent = start_process("agent", *command)
    wait_for(lambda: listener.on("/saw-1/kpi/hour"), 60, "the first record")
    plant.work(6)
    plant.switch_off()
    wait_for(lambda: listener.on("/press-1/state")[-1]["state"] == "UNKNOWN", 30, "the loss of the PLC")
    time.sleep(1.0)
    plant.switch_on()
    wait_for(lambda: listener.on("/press-1/state")[-1]["state"] != "UNKNOWN", 30, "the PLC again")
    plant.set(4, 0x4232, 0x3030)      # B200
    plant.work(3)
    agent.stop(signal.SIGKILL)
    time.sleep(0.5)
    # What was told of open windows did not wait for its samples to be committed; these were lost.
    last = max(record["as_of"] for record in all_told())
    killed = datetime.fromisoformat(last).timestamp()
    plant.work(1.5)
    agent.start()
    wait_for(lambda: listener.on("/press-1/state")[-1]["state"] != "UNKNOWN", 60, "the agent again")
    plant.work(2)
    plant.total, plant.scrap = 5, 0     # the PLC's counters begin anew
    plant.set(4, 0x4131, 0x3030)
    plant.work(4)
    agent.stop(signal.SIGTERM)
    agent.start()
    wait_for(lambda: newest(listener.on("/kpi/shift"), final=True).keys() >= {
        (who, "shift", "2026-11-23T05:55:00+08:00") for who in ("saw-1", "press-1", "line", "site")
    }, 90, "the second shift's end")  # fmt: skip

    for _ in range(5):
        plant.work(2)
        agent.stop(signal.SIGTERM)
        again = replayed(loaded(site), asked("shift", None, ZONE, ("shift",)))
        again |= replayed(loaded(site), asked("hour", None, ZONE, ("hour",)))
        end = time.monotonic() + 3
        while outdated := [window for window, rev in revision_of_all().items() if again[window]["rev"] > rev]:
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        if not outdated:
            break
        agent.start()   # a busy computer: what it had no time to send waits in the journal
    told = all_told()
    finals = newest(told, final=True)
    assert len(finals) >= 8      # the hour and a shift or two of both machines, of their line and their site
    for window, record in finals.items():
        assert again[window] == record
    assert sum(record["counts"].get("pq", 0) for record in finals.values()) > 100
    assert any(record["time_s"].get("unk_raw") for record in finals.values())
    assert any(record["kpi"].get("kg_co2") for record in finals.values())
    assert any(record.get("spc", {"bore": {"n": 0}})["bore"]["n"] for record in finals.values())

    provisional = [
        record for record in told if key(record)[0] in ("press-1", "line") and not record["final"]
        and not -FACTOR < datetime.fromisoformat(record["as_of"]).timestamp() - killed <= 0
    ]  # fmt: skip
    for record in random.Random(1).sample(provisional, 12):
        kind = record["window"]["kind"]
        then = replayed(loaded(site), asked(kind, record["as_of"], ZONE, (kind,)))
        assert then[key(record)] == record

    # The oldest files of a journal go first; what they led to is in the checkpoint at the head of the next.
    for segment in sorted((site.parent / "data" / "journal").glob("*.seg"))[:4]:
        segment.unlink()
    rest = replayed(loaded(site), asked("shift", None, ZONE, ("shift",)))
    assert {window: rest[window] for window in finals if window in rest} == {
        window: record for window, record in finals.items() if window[1] == "shift"
    }
