"""What line protocol costs: a minute of a device, ours against a `Point` a source time of influxdb-client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from influxdb_client import Point

from edge_agent.core.batch import Batch
from edge_agent.core.report import Samples
from edge_agent.core.tags import Kind
from edge_agent.encode.line_protocol import LineProtocolProfile
from edge_agent.encode.profile import Scene
from tests.encode.line_protocol_reader import read

T0 = 1_795_384_800_000_000_000
S = 1_000_000_000
TEXTS = {0.0: "A100", 1.0: "B 200"}
PROFILE = LineProtocolProfile("edge/gw-01", Scene("db", "gw-01", "0.1.0"))


def seconds(function: Callable[[], object]) -> float:
    """Time of one call: the best of seven, as the rest is what others did meanwhile."""
    runs = []
    for _ in range(7):
        began = time.perf_counter()
        function()
        runs.append(time.perf_counter() - began)
    return min(runs)


def minute(tags: int, kinds: tuple[Kind, ...]) -> Samples:
    """Sixty scans of `tags` tags, a second apart."""
    rng = np.random.default_rng(7)
    kind = np.array(kinds)
    value = rng.normal(50, 20, (60, tags)).round(2)
    value[:, kind == Kind.INT] = value[:, kind == Kind.INT].round()
    value[:, kind >= Kind.BOOL] = value[:, kind >= Kind.BOOL] > 50
    tag = np.tile(np.arange(tags, dtype=np.int32), 60)
    batch = Batch(tag, (T0 + np.arange(60) * S).repeat(tags), value.ravel(), np.zeros(60 * tags, np.uint8))
    names = tuple(f"tag-{number}" for number in range(tags))
    texts = {number: TEXTS for number in range(tags) if kinds[number] is Kind.TEXT}
    return Samples(1, "press-1", names, kinds, batch, texts)  # type: ignore[arg-type]


def by_points(samples: Samples) -> bytes:
    """As one does it with the client: a Point for each source time, a field for each tag."""
    plain: dict[Kind, Callable[[float], Any]] = {
        Kind.FLOAT: float, Kind.INT: int, Kind.BOOL: bool, Kind.TEXT: TEXTS.__getitem__,
    }  # fmt: skip
    make = [(name, plain[kind]) for name, kind in zip(samples.names, samples.kinds, strict=True)]
    lines = []
    value = samples.batch.value.reshape(60, -1).tolist()
    for at, row in zip(samples.batch.time[:: len(make)].tolist(), value, strict=True):
        point = Point("press-1").tag("agent", "gw-01").tag("device", "press-1").time(at)
        for (name, made), one in zip(make, row, strict=True):
            point.field(name, made(one))
        lines.append(point.to_line_protocol())
    return "\n".join(lines).encode()


MIXED = (Kind.FLOAT,) * 6 + (Kind.INT,) * 2 + (Kind.BOOL, Kind.TEXT)


@pytest.mark.parametrize(
    ("tags", "kinds"), [(1, (Kind.FLOAT,)), (10, MIXED), (100, MIXED * 10), (100, (Kind.FLOAT,) * 100)],
    ids=["1", "10-mixed", "100-mixed", "100-floats"],
)  # fmt: skip
def test_a_minute_of_a_device_is_encoded_faster_than_point_by_point(
    benchmark: Any, tags: int, kinds: tuple[Kind, ...]
) -> None:
    samples = minute(tags, kinds)
    (message,) = PROFILE.samples(samples)
    assert read(message.payload) == read(by_points(samples))
    fast, slow = seconds(lambda: PROFILE.samples(samples)), seconds(lambda: by_points(samples))
    count = len(samples.batch)
    benchmark.extra_info |= {
        "samples_a_second": count / fast, "lines_a_second": 60 / fast, "bytes_a_sample": len(message.payload) / count,
        "samples_a_second_of_the_client": count / slow, "times_faster": slow / fast,
    }  # fmt: skip
    benchmark(PROFILE.samples, samples)
    assert slow / fast > (4 if count > 1000 else 2)
