"""A machine that says nothing itself, over real Modbus: stack light and power meter, heard from the broker."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.waiting import free_port, wait_for

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SITE = """
agent: {{id: gw-1, data_dir: "{folder}/data"}}
devices:
  io:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}"
    poll: 100ms
    tags:
      red: "holding:0.0"
      yellow: "holding:0.1"
      green: "holding:0.2"
      total: "holding:1 uint16"
      scrap: "holding:2 uint16"
  meter:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{meter}"
    poll: 100ms
    tags: {{power: "holding:0 uint16 x0.001"}}
machines:
  saw:
    state:
      sources:
        - {{stacklight: {{red: io.red, yellow: io.yellow, green: io.green}}}}
        - {{power: {{tag: meter.power, off: 0.05, run: 1.5, dwell: 500ms, median: 150ms}}}}
    counts: {{total: io.total, scrap: io.scrap}}
    ideal_cycle: 1s
publish:
  broker: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
journal: {{flush: 100ms}}
"""
RED = 1
BLINKING = "emergency/unacknowledged"


class Box:
    """A Modbus server whose registers are set from here."""

    def __init__(self, preset: str) -> None:
        self.port = free_port()
        command = [sys.executable, str(PLC), str(self.port), preset]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def put(self, value: int) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"0 {value}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait()


@pytest.fixture
def boxes() -> Iterator[tuple[Box, Box]]:
    held = Box("0 4"), Box("0 2200")
    yield held
    for one in held:
        one.stop()


def test_lamps_and_power_tell_the_state_and_power_alone_once_the_lamps_are_silent(
    tmp_path: Path, boxes: tuple[Box, Box], broker: Any, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    io, meter = boxes
    start_agent(SITE.format(folder=tmp_path, plc=io.port, meter=meter.port, broker=broker.port))

    def is_told(state: str, reason: str | None = None) -> None:
        def told() -> bool:
            heard = listener.on("/saw/state")
            return bool(heard) and (heard[-1]["state"], heard[-1]["reason"]) == (state, reason)

        wait_for(told, 25, f"{state} {reason}; heard {[one['state'] for one in listener.on('/saw/state')]}")

    is_told("RUN")
    io.put(RED)
    is_told("FAULT")
    stop = time.monotonic() + 60
    while time.monotonic() < stop and listener.on("/saw/state")[-1]["reason"] != BLINKING:
        for level in (0, RED):
            io.put(level)
            time.sleep(0.4)
    is_told("FAULT", BLINKING)

    io.put(0)
    is_told("IDLE", "all lamps off")
    meter.put(3)
    is_told("OFF", "all lamps off")
    meter.put(600)
    is_told("IDLE", "all lamps off")

    io.stop()
    is_told("IDLE")
    meter.put(3)
    is_told("OFF")
    command = [sys.executable, "-m", "edge_agent.cli", "learn", str(tmp_path / "site.yaml"), "meter.power"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert "meter.power: 0.0 days of readings, 3 are needed" in said.stderr, "it has read the journal"
