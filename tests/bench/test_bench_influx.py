"""What crosses to a real VictoriaMetrics a second, and how long the loop stands still meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS

from edge_agent.api import Message
from edge_agent.config.destination import with_profile
from edge_agent.core.batch import Batch
from edge_agent.core.report import Samples
from edge_agent.core.tags import Kind
from edge_agent.encode.line_protocol import LineProtocolProfile
from edge_agent.encode.profile import Scene
from edge_agent.north.influx import plugin
from edge_agent.platforms import line_protocol
from tests.peers.victoria_metrics import VICTORIA, VictoriaMetrics

pytestmark = [pytest.mark.peer, pytest.mark.skipif(VICTORIA is None, reason="victoria-metrics is not installed")]

TAGS, SCANS = 10, 10_000
NAMES = tuple(f"tag-{number}" for number in range(TAGS))
NOW = time.time_ns()


def value() -> Any:
    return np.random.default_rng(7).normal(50, 20, (SCANS, TAGS)).round(2)


def messages(profile: LineProtocolProfile) -> list[Message]:
    """A device's scans, a second apart, in records of a minute."""
    found: list[Message] = []
    values = value()
    for first in range(0, SCANS, 60):
        part = values[first : first + 60]
        at = NOW - (SCANS - first - np.arange(len(part))) * 1_000_000_000
        tag = np.tile(np.arange(TAGS, dtype=np.int32), len(part))
        batch = Batch(tag, at.repeat(TAGS), part.ravel(), np.zeros(part.size, np.uint8))
        found += profile.samples(Samples(1, "press-1", NAMES, (Kind.FLOAT,) * TAGS, batch))
    return found


async def ours(url: str, gzip: bool) -> tuple[float, float]:
    """Seconds, and the longest time the loop did nothing else."""
    said = {"type": "influxdb", "url": url, "bucket": "plant", "gzip": gzip}
    config = with_profile(plugin, line_protocol.plugin).model_validate(said)
    profile = LineProtocolProfile("edge/gw", Scene("db", "gw", "0"))
    link = await plugin.build("history", config, "gw", profile).connect()
    gaps: list[float] = []

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - last)
            last += gaps[-1]

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    told = iter(messages(profile))
    while some := list(itertools.islice(told, 50)):
        await link.send(some)
    took = time.perf_counter() - began
    watching.cancel()
    await link.close()
    return took, max(gaps[1:])


def theirs(url: str) -> float:
    """As one does it with the client: a Point for each source time, 5,000 in a call."""
    began = time.perf_counter()
    with InfluxDBClient(url, "", org="", enable_gzip=True) as client, client.write_api(SYNCHRONOUS) as api:
        points = []
        for n, row in enumerate(value().tolist()):
            point = Point("press-1").tag("agent", "gw").tag("device", "press-1")
            for name, one in zip(NAMES, row, strict=True):
                point.field(name, one)
            points.append(point.time(NOW - (SCANS - n) * 1_000_000_000, WritePrecision.NS))
            if len(points) == 5_000:
                api.write("plant", record=points)
                points = []
    return time.perf_counter() - began


@pytest.mark.parametrize("gzip", [True, False], ids=["gzip", "plain"])
def test_samples_cross_to_a_server_much_faster_than_by_points(benchmark: Any, tmp_path: Path, gzip: bool) -> None:
    with VictoriaMetrics(tmp_path) as server:
        asyncio.run(ours(server.url, gzip))     # imports, series
        slow = theirs(server.url)
        took, gap = min(asyncio.run(ours(server.url, gzip)) for _ in range(3))
        found = server.samples('{__name__=~"press-1_.*"}')
        assert {name: len(values) for name, values in found.items()} == {f"press-1_{tag}": SCANS for tag in NAMES}
        benchmark.extra_info |= {
            "samples_a_second": SCANS * TAGS / took, "lines_a_second": SCANS / took,
            "samples_a_second_of_the_client": SCANS * TAGS / slow, "longest_gap_ms": gap * 1000,
        }  # fmt: skip
        benchmark.pedantic(lambda: asyncio.run(ours(server.url, gzip)), rounds=1)
    assert slow / took > 2
