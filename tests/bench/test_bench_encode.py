"""What a sample costs on its way to the disk and to the broker: 100 tags × 10 scans.

`pytest tests/bench/test_bench_encode.py --benchmark-only`; half of the tags are floats that change
slowly, half are constant or count. `ns_per_sample` and `bytes_per_sample` are in the extra info.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_agent.core.batch import Batch, concat, row
from edge_agent.core.deadband import Deadband
from edge_agent.core.report import Samples
from edge_agent.core.tags import Kind, Tag, TagTable, scan_group
from edge_agent.encode import columns
from edge_agent.encode.json_profile import JsonProfile

START = 1_790_000_000_123_456_789
TAGS, SCANS = 100, 10
TABLE = TagTable(Tag(i, "d", f"tag-{i}", kind=Kind.FLOAT if i < 50 else Kind.INT) for i in range(TAGS))


def scans() -> list[Batch]:
    """Floats as float32 devices send them, constants, and five counters."""
    rng, group = np.random.default_rng(3), scan_group(TABLE)
    value = np.concatenate((rng.uniform(20, 80, 50), rng.integers(0, 50, 50).astype(float)))
    made = []
    for i in range(SCANS):
        value[:50] += rng.normal(scale=0.02, size=50)
        value[-5:] += i
        made.append(row(group, START + i * 1_000_123_457, value.astype(np.float32).astype(float)))
    return made


def whole() -> Batch:
    """Every sample of every scan."""
    return concat(scans())


def changed() -> Batch:
    """What a deadband lets pass of the same scans."""
    deadband = Deadband(TABLE)
    return concat([deadband.filter(scan) for scan in scans()])


def measure(benchmark: Any, call: Callable[[], Any], samples: int, size: int) -> None:
    assert len(benchmark(call)) > 0
    if benchmark.stats:
        benchmark.extra_info["ns_per_sample"] = round(benchmark.stats.stats.min / samples * 1e9, 1)
        benchmark.extra_info["bytes_per_sample"] = round(size / samples, 2)


@pytest.mark.parametrize("made", [whole, changed])
@pytest.mark.benchmark(group="journal form")
def test_bench_pack(benchmark: Any, made: Callable[[], Batch]) -> None:
    batch = made()
    measure(benchmark, lambda: columns.pack(batch, 0, {}), len(batch), len(columns.pack(batch, 0, {})))


@pytest.mark.parametrize("made", [whole, changed])
@pytest.mark.benchmark(group="journal form")
def test_bench_unpack(benchmark: Any, made: Callable[[], Batch]) -> None:
    batch = made()
    packed = columns.pack(batch, 0, {})
    assert len(columns.unpack(packed)[0]) == len(batch)
    measure(benchmark, lambda: columns.unpack(packed), len(batch), len(packed))


@pytest.mark.parametrize("made", [whole, changed])
@pytest.mark.benchmark(group="profile json")
def test_bench_json_samples(benchmark: Any, made: Callable[[], Batch]) -> None:
    profile, batch = JsonProfile("edge/acme/gw", "gw", "1"), made()
    samples = Samples(1, "d", tuple(t.name for t in TABLE), tuple(t.kind for t in TABLE), batch)
    (message,) = profile.samples(samples)
    measure(benchmark, lambda: profile.samples(samples), len(batch), len(message.payload))
