"""CPU of 1,000 metrics encoded as Sparkplug B, beside the same 1,000 as JSON: 100 tags × 10 scans.

`pytest tests/bench/test_bench_sparkplug.py --benchmark-only`; `us_per_1000` and `bytes` are in the extra info. The
profiles take the same record of the journal; `json` and `orjson` encode the plain values alone, without times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from edge_agent.core.quality import Reason, uncertain
from edge_agent.core.report import Samples
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.encode.profile import Scene
from edge_agent.encode.sparkplug.payload import stamped
from edge_agent.encode.sparkplug.profile import SparkplugProfile
from edge_agent.encode.sparkplug.topic import EdgeNode
from tests.bench.test_bench_encode import TABLE, whole

BATCH = whole()
SAMPLES = Samples(1, "d", tuple(tag.name for tag in TABLE), tuple(tag.kind for tag in TABLE), BATCH)
FLAT = [dict(zip(SAMPLES.names, BATCH.value[n : n + 100].tolist(), strict=True)) for n in range(0, 1000, 100)]


def sparkplug(samples: Samples = SAMPLES, **mode: bool) -> Callable[[], bytes]:
    profile = SparkplugProfile(EdgeNode("acme", "gw-01"), Scene("scada", "gw-01", "0", tags=TABLE), **mode)
    profile.alive.add("d")
    newest = profile.devices["d"]._newest

    def encode() -> bytes:
        newest.fill(0)      # else the same samples would be history the second time
        return b"".join(stamped(message.payload, 0, 1) for message in profile.samples(samples))

    return encode


def doubtful() -> Samples:
    return replace(SAMPLES, batch=replace(BATCH, quality=np.full(1000, uncertain(Reason.STUCK), np.uint8)))


def as_json() -> bytes:
    return b"".join(message.payload for message in JsonProfile("edge/gw-01", "gw-01", "0").samples(SAMPLES))


FORMS: dict[str, Callable[[], bytes]] = {
    "sparkplug, names": sparkplug(),
    "sparkplug, aliases": sparkplug(aliases=True),
    "sparkplug, names, history": sparkplug(replace(SAMPLES, historical=True)),
    "sparkplug, names, none good": sparkplug(doubtful()),
    "profile json": as_json,
    "orjson, plain values": lambda: b"".join(map(orjson.dumps, FLAT)),
    "json, plain values": lambda: "".join(map(json.dumps, FLAT)).encode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.benchmark(group="1,000 metrics", timer=time.process_time, min_time=0.05)
def test_bench_sparkplug(benchmark: Any, form: str) -> None:
    size = len(FORMS[form]())
    assert len(benchmark(FORMS[form])) == size
    if benchmark.stats:
        benchmark.extra_info["us_per_1000"] = round(benchmark.stats.stats.min * 1e6)
        benchmark.extra_info["bytes"] = size
