"""After a day without a broker: how long the backlog takes, and how old live values are when they arrive meanwhile.

The journal of the outage is made at once, with the times it would have had; the agent that takes it up is a real one,
reads as many tags at the same pace, and sends to a real mosquitto. `DRAIN_HOURS=n` for another length than 24.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.core.batch import row
from edge_agent.encode import columns
from edge_agent.journal import Journal, RecordKind
from tests.peers.mosquitto import MOSQUITTO, Mosquitto

HOURS = float(os.environ.get("DRAIN_HOURS", "24"))
DEVICES, TAGS = 10, 100
SECOND = 1_000_000_000
# One commit for so many seconds of the outage: what is on disk is the same.
A_FLUSH = 60
TIME = re.compile(rb'"t":(\d+)')

SITE = """\
agent: {{id: gw-1, timezone: UTC, data_dir: "{data}"}}
devices:
{devices}
publish: {{broker: {{type: mqtt, url: "mqtt://127.0.0.1:{port}", profile: json, order: {order}}}}}
api: {{listen: off}}
"""
DEVICE = "  d{n}: {{driver: simulated, url: 'simulated://?seed={n}', poll: 1s, tags: {{{tags}}}}}"
TAG = "t{n}: {{signal: walk, low: 0, high: 100, step: 0.5}}"


async def make_outage(folder: Path, until: int) -> int:
    """A journal of the hours before `until`, ns UTC, of which nothing was sent; returns its records."""
    seconds = round(HOURS * 3600)
    now = until - seconds * SECOND
    names = [f"t{n}" for n in range(TAGS)]
    tags = np.arange(TAGS, dtype=np.int32)
    values = np.round(np.cumsum(np.random.default_rng(1).normal(0, 0.5, (1000, TAGS)), axis=0), 2)
    journal = await Journal.open(folder, max_bytes=20 << 30, max_age_ns=None, clock=lambda: now)
    journal.cursor("broker", "samples", start="oldest")
    keys = [
        journal.define(f"d{n}", orjson.dumps({"device": f"d{n}", "names": names, "kinds": [0] * TAGS}))
        for n in range(DEVICES)
    ]
    for second in range(seconds):
        body = columns.pack(row(tags, now, values[second % len(values)]), 0, {})
        for key in keys:
            journal.append(RecordKind.SAMPLES, body, key)
        now += SECOND
        if second % A_FLUSH == 0:
            await journal.flush()
    await journal.close()
    return seconds * DEVICES


class Arrivals:
    """Counts what was of the outage, and takes the age of what is live; looks at one time a message, not at values."""

    def __init__(self, port: int, since: int) -> None:
        self.history = 0
        self.last_ns = 0
        self.ages_ms: list[float] = []
        self._since_ms = since // 1_000_000
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("edge/gw-1/+/tags", 0)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(60)

    def _take(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        found = TIME.search(message.payload)
        assert found
        at_ms = int(found[1])
        if at_ms < self._since_ms:
            self.history += 1
            self.last_ns = time.monotonic_ns()
        else:
            self.ages_ms.append(time.time_ns() / 1e6 - at_ms)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("order", ["live-first", "strict"])
@pytest.mark.skipif(not MOSQUITTO, reason="needs mosquitto (apt-get install mosquitto)")
def test_drain_time_of_an_outage_and_the_age_of_live_values_meanwhile(
    benchmark: Any, tmp_path: Path, order: str
) -> None:
    until = time.time_ns()
    records = asyncio.run(make_outage(tmp_path / "data" / "journal", until))
    size = sum(path.stat().st_size for path in (tmp_path / "data").rglob("*.seg"))

    def run() -> dict[str, float]:
        with Mosquitto(tmp_path, "allow_anonymous true", "max_inflight_messages 0") as broker:
            site = tmp_path / "site.yaml"
            tags = ", ".join(TAG.format(n=n) for n in range(TAGS))
            devices = "\n".join(DEVICE.format(n=n, tags=tags) for n in range(DEVICES))
            site.write_text(SITE.format(data=tmp_path / "data", devices=devices, port=broker.port, order=order))
            arrivals = Arrivals(broker.port, until)
            with (tmp_path / "agent.log").open("wb") as log:
                agent = subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", str(site)], stderr=log)
            try:
                while not arrivals.history:
                    time.sleep(0.01)
                    assert agent.poll() is None, (tmp_path / "agent.log").read_text()
                began = time.monotonic_ns()
                while arrivals.history < records:
                    time.sleep(0.5)
                    assert agent.poll() is None, (tmp_path / "agent.log").read_text()
                seconds = (arrivals.last_ns - began) / 1e9
                time.sleep(3.0)
            finally:
                agent.send_signal(signal.SIGTERM)
                agent.wait(30)
                arrivals.close()
        made = arrivals.ages_ms[: round(seconds) * DEVICES]     # what was read while the backlog was sent
        p50, p99 = np.percentile(made, [50, 99]) / 1000
        return {
            "outage h": HOURS,
            "drain s": round(seconds, 1),
            "samples/s": round(records * TAGS / seconds),
            "journal bytes/sample": round(size / (records * TAGS), 2),
            "live age p50 s": round(float(p50), 2),
            "live age p99 s": round(float(p99), 2),
        }

    result = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(result)
    print(f"{DEVICES * TAGS} tags at 1 Hz, {order}", result)
