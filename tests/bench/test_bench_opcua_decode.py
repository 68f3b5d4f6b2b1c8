"""What a data change costs to decode: whole publish responses, ours against asyncua's decoding of the same bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from asyncua import ua

from edge_agent_opcua.decode import published
from tests.drivers.opcua.decode_reference import NOON, agrees, asked, encoded

DOUBLE = ua.Variant(21.5, ua.VariantType.Double)
COUNTER = ua.Variant(1_700_000_000, ua.VariantType.UInt32)
SWITCH = ua.Variant(True, ua.VariantType.Boolean)


def response(kind: str, count: int) -> bytes:
    """A publish response of `count` changes with source and server time."""
    made: Callable[[int], Any] = {
        "doubles": lambda n: DOUBLE,
        "mixed numbers": lambda n: (DOUBLE, COUNTER, SWITCH)[n % 3],
        "a text in fifty": lambda n: DOUBLE if n % 50 else ua.Variant(f"program {n}"),
        "texts": lambda n: ua.Variant(f"program {n}"),
    }[kind]
    values = [ua.DataValue(made(n), SourceTimestamp=NOON, ServerTimestamp=NOON) for n in range(count)]
    items = [ua.MonitoredItemNotification(n, value) for n, value in enumerate(values)]
    return encoded(ua.DataChangeNotification(items))


def seconds(function: Callable[[], object], times: int) -> float:
    """CPU time of one call: the best of nine runs, as the rest is what others did meanwhile."""
    runs = []
    for _ in range(9):
        began = time.thread_time()
        for _ in range(times):
            function()
        runs.append((time.thread_time() - began) / times)
    return min(runs)


@pytest.mark.parametrize("count", [1_000, 5_000])
@pytest.mark.parametrize(
    ("kind", "times_faster"), [("doubles", 30), ("mixed numbers", 6), ("a text in fifty", 6), ("texts", 2)]
)
def test_a_change_is_decoded_many_times_faster_than_by_asyncua(
    benchmark: Any, kind: str, times_faster: float, count: int
) -> None:
    raw = response(kind, count)
    assert agrees(published(raw), asked(raw))
    fast = seconds(lambda: published(raw), 10_000 // count)
    slow = seconds(lambda: asked(raw), 1)
    per_change, theirs = fast / count * 1e6, slow / count * 1e6
    benchmark.extra_info |= {"us_a_change": per_change, "asyncua_us": theirs, "times_faster": slow / fast}
    benchmark(published, raw)
    print(f"\n{count} {kind}: {per_change:.3f} us a change, asyncua {theirs:.1f} us, {slow / fast:.0f} times faster")
    assert slow / fast > times_faster
