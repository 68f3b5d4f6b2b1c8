"""What the agent costs a gateway: from a cold start to the first sample at a broker, and resident memory.

The figures are printed; the bounds are ten times what an idle small computer needs: they catch what has gone wrong.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent_hil.heard_broker import HeardBroker
from tests.peers.waiting import free_port, wait_for

pytestmark = pytest.mark.deploy

SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: data}}
devices:
  toy-1:
    driver: simulated
    url: "simulated://"
    poll: 100ms
    tags:
      state: {{signal: constant, value: 1}}
      total: {{signal: counter, every: 1s}}
      scrap: {{signal: counter, every: 9s}}
  plc: {{driver: modbus, url: "modbus+tcp://127.0.0.1:9?unit=1", tags: {{state: {{address: "holding:0"}}}}}}
  server: {{driver: opcua, url: "opc.tcp://127.0.0.1:9", tags: {{state: {{node: "i=2258"}}}}}}
machines:
  m-1:
    state: {{tag: toy-1.state, map: {{1: RUN}}}}
    counts: {{total: toy-1.total, scrap: toy-1.scrap}}
    ideal_cycle: 1s
publish: {{broker: {{type: mqtt, url: "{broker}"}}}}
api: {{listen: "127.0.0.1:{api}"}}
pages: {{listen: "127.0.0.1:{pages}"}}
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[HeardBroker]:
    held = HeardBroker(tmp_path / "broker")
    yield held
    held.close()


def test_the_first_sample_is_at_the_broker_soon_and_agent_and_pages_stay_small(
    broker: HeardBroker, tmp_path: Path
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(SITE.format(broker=broker.url, api=free_port(), pages=free_port()))
    began = time.monotonic()
    environ = {name: value for name, value in os.environ.items() if name != "EDGE_AGENT_PAGES"}
    command = [sys.executable, "-m", "edge_agent.cli", "run", str(site)]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            broker.wait_for("/toy-1/tags", seconds=100)
            took, worked = time.monotonic() - began, processor_s(process.pid)
            [pages] = wait_for(lambda: children(process.pid), 30, "the pages' process")
            wait_for(lambda: resident(pages) > 40e6, 30, "the pages have been loaded")
            time.sleep(5)       # a figure, not a verdict: what is loaded late is loaded by then
            said = f"{worked:.1f} s of a processor; load of this computer {os.getloadavg()[0]:.0f}"
            print(f"\ncold start to first published sample: {took:.2f} s ({said})")
            print(f"resident: agent {resident(process.pid) / 1e6:.0f} MB, pages {resident(pages) / 1e6:.0f} MB")
            assert took < 60
            assert resident(process.pid) < 400e6
        finally:
            process.terminate()


def children(pid: int) -> list[int]:
    """Processes that this one has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processor_s(pid: int) -> float:
    """What it has had of a processor so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Bytes."""
    [kilobytes] = re.findall(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1024
