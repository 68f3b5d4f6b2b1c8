"""A machine with an energy meter and a gauge, as users have it: through a roll-over, a lost meter and a restart."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.waiting import free_port, wait_for

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SITE = """
agent: {{id: gw-1, data_dir: "{data}"}}
devices:
  plc:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 100ms
    tags: {{state: "holding:0", total: "holding:1", scrap: "holding:2", bore: "holding:3 x0.001"}}
  meter:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{meter}?unit=1"
    poll: 100ms
    timeout: 500ms
    tags: {{kwh: {{address: "holding:0", scale: 0.01, unit: kW.h}}}}
carbon: {{region: cn-east, year: 2023}}
machines:
  press-1:
    state: {{tag: plc.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: plc.total, scrap: plc.scrap}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 1s
    energy: {{tag: meter.kwh, max_kw: 50000}}       # the test uses in a blink what a press needs a while for
    characteristics: {{bore: {{tag: plc.bore, trigger: plc.total, lsl: 11.9, usl: 12.1, subgroup: 2}}}}
publish: {{platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", ack_timeout: 3s}}}}
journal: {{flush: 100ms}}
kpi: {{every: 300ms, windows: [day]}}
"""


class Registers:
    """A Modbus server under the test's hand."""

    def __init__(self, start: Callable[..., Any], name: str, presets: str) -> None:
        self.port = free_port()
        self.process = start(name, sys.executable, str(PLC), str(self.port), presets)

    def set(self, address: int, *values: int) -> None:
        stdin = self.process.process.stdin
        stdin.write(f"{address} {' '.join(map(str, values))}\n".encode())
        stdin.flush()


@pytest.fixture
def plc(start_process: Callable[..., Any]) -> Registers:
    return Registers(start_process, "plc", "0 1 0 0 12000")


@pytest.fixture
def meter(start_process: Callable[..., Any]) -> Registers:
    return Registers(start_process, "meter", "0 65530")


def record(listener: Any) -> dict[str, Any]:
    records = listener.on("/press-1/kpi/day")
    return records[-1] if records else {}


def energy(listener: Any) -> float | None:
    return record(listener).get("energy_wh", {}).get("e_total")


def test_energy_goes_through_a_roll_over_a_lost_meter_and_a_killed_agent(
    tmp_path: Path, plc: Registers, meter: Registers, broker: Any, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    site = SITE.format(data=tmp_path / "data", plc=plc.port, meter=meter.port, broker=broker.port)
    agent = start_agent(site)
    wait_for(lambda: energy(listener) == 0, 20, "the first reading")
    before = record(listener)["energy_s"]["unmetered"]
    meter.set(0, 4)
    wait_for(lambda: energy(listener) == 100, 10, "a hundred watt-hours, and a register that has gone round")
    told = record(listener)["energy_wh"]
    # What the meter counted before the PLC first told its state is nobody's.
    assert (told["e_total"], told["e_idle"], told["e_off"]) == (100, 0, 0)
    assert told["e_run"] + told["e_other"] == pytest.approx(100)
    assert told["e_run"] > 0
    assert record(listener)["carbon"]["region"] == "cn-east"
    assert record(listener)["kpi"]["kg_co2"] == pytest.approx(0.055)

    agent.stop(signal.SIGKILL)
    meter.set(0, 14)
    plc.set(0, 0)
    agent.start()
    wait_for(lambda: energy(listener) == 200, 30, "what was used while nobody looked")
    assert record(listener)["energy_s"]["unmetered"] == before
    assert record(listener)["energy_wh"]["e_run"] == told["e_run"]

    meter.process.stop(signal.SIGKILL)
    wait_for(lambda: record(listener)["energy_s"]["unmetered"] > before, 30, "a lost meter is told")
    assert energy(listener) == 200
    assert "ENERGY_INCOMPLETE" in record(listener)["flags"]
    meter.process.command = (*meter.process.command[:-1], "0 34")
    meter.process.start()
    wait_for(lambda: energy(listener) == 400, 30, "the meter is back")
    assert record(listener)["energy_s"]["unmetered"] == before
    assert record(listener)["energy_wh"]["e_idle"] > 0


def test_the_capability_of_what_is_measured_of_each_piece_arrives(
    tmp_path: Path, plc: Registers, meter: Registers, broker: Any, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    start_agent(SITE.format(data=tmp_path / "data", plc=plc.port, meter=meter.port, broker=broker.port))
    wait_for(lambda: record(listener).get("counts", {}).get("pq") == 0, 20, "the first record")
    for piece, bore in enumerate((12_010, 12_010, 11_990, 11_990), start=1):
        plc.set(3, bore)
        plc.set(1, piece)
        wait_for(lambda piece=piece: record(listener)["spc"]["bore"]["n"] == piece, 10, f"piece {piece}")
    bore = record(listener)["spc"]["bore"]
    assert (bore["mean"], bore["min"], bore["max"]) == pytest.approx((12.0, 11.99, 12.01))
    assert bore["Pp"] == bore["Cm"] == pytest.approx(0.2 / 6 / (0.01 * (4 / 3) ** 0.5))
    assert (bore["subgroups"], bore["Cp"]) == (2, None)     # alike within each: nobody knows
