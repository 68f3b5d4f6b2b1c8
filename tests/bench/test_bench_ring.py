"""What a sample costs on its way through the core, beside a deque of tuples in the same run.

`pytest tests/bench/test_bench_ring.py --benchmark-only`; a round appends 20 000 samples in batches
of the size in the name. `ns_per_sample` is in the table's extra info.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_agent.core.batch import Batch, row
from edge_agent.core.clean import Cleaner
from edge_agent.core.deadband import Deadband
from edge_agent.core.ring import Ring
from edge_agent.core.tags import Tag, TagTable, scan_group

SIZES = [1, 50, 200, 1000]
SAMPLES = 20_000
START = 1_790_000_000_000_000_000
MB = 1_000_000


def table(n: int, **said: Any) -> TagTable:
    return TagTable(Tag(i, "d", f"t{i}", **said) for i in range(n))


def scans(size: int) -> list[Batch]:
    """Rows of one scan group, changing slowly, 20 000 samples together."""
    group, rng = scan_group(table(size)), np.random.default_rng(1)
    return [row(group, START + i * 10**9, rng.normal(size=size)) for i in range(SAMPLES // size)]


def scattered(size: int) -> list[Batch]:
    """Changes of any of 1000 tags, each with its own time, 20 000 samples together."""
    rng = np.random.default_rng(1)
    return [
        Batch(
            rng.integers(0, 1000, size).astype(np.int32),
            START + i * 10**9 + np.arange(size),
            rng.normal(size=size),
            np.zeros(size, np.uint8),
        )
        for i in range(SAMPLES // size)
    ]


def measure(benchmark: Any, feed: Callable[[Batch], Any], batches: list[Batch]) -> None:
    def run() -> None:
        for batch in batches:
            feed(batch)

    benchmark.pedantic(run, rounds=7, warmup_rounds=7)
    if benchmark.stats:
        benchmark.extra_info["ns_per_sample"] = round(benchmark.stats.stats.median / SAMPLES * 1e9, 2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(group="ring append, ns a sample × 20 000")
def test_bench_scan_row_into_the_ring(benchmark: Any, size: int) -> None:
    batches = scans(size)
    measure(benchmark, Ring(size, [batches[0].tag], 2 * MB).append, batches)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(group="ring append, ns a sample × 20 000")
def test_bench_changes_into_the_ring(benchmark: Any, size: int) -> None:
    ring, batches = Ring(1000, [], 2 * MB), scattered(size)
    measure(benchmark, ring.append, batches)
    assert len(ring.window(0, START, START + SAMPLES * 10**9)[0]) > 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(group="ring append, ns a sample × 20 000")
def test_bench_scan_into_a_deque_of_tuples_per_tag(benchmark: Any, size: int) -> None:
    """What the ring replaces: the same batches, a deque per tag."""
    deques = [deque[tuple[int, float, int]](maxlen=1024) for _ in range(size)]

    def append(batch: Batch) -> None:
        columns = (batch.tag.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist())
        for tag, time, value, quality in zip(*columns, strict=True):
            deques[tag].append((time, value, quality))

    measure(benchmark, append, scans(size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(group="clean and deadband, ns a sample × 20 000")
def test_bench_cleaning_a_scan(benchmark: Any, size: int) -> None:
    measure(benchmark, Cleaner(table(size, scale=0.1, low=-40.0, high=400.0)).clean, scans(size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(group="clean and deadband, ns a sample × 20 000")
def test_bench_deadband_of_a_scan(benchmark: Any, size: int) -> None:
    measure(benchmark, Deadband(table(size, deadband=1.0)).filter, scans(size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(group="clean and deadband, ns a sample × 20 000")
def test_bench_deadband_of_changes(benchmark: Any, size: int) -> None:
    measure(benchmark, Deadband(table(1000, deadband=1.0)).filter, scattered(size))
