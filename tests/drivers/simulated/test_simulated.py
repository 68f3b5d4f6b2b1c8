"""The simulated driver: signals that are what they say, on time, the same every time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from edge_agent.api import Kind, NotConnected, Tag
from edge_agent_simulated import plugin
from edge_agent_simulated.signal import value_of

SECOND = 1_000_000_000
T0 = 1_800_000_000 * SECOND  # a multiple of every period used here


def config(tags: dict[str, Any], **keys: Any) -> Any:
    return plugin.config.model_validate({"driver": "simulated", "url": "simulated://", "tags": tags, **keys})


def table(built: Any) -> list[Tag]:
    return [Tag(n, "toy", name, built.tags[name].kind()) for n, name in enumerate(built.tags)]


def signal(seed: int = 0, name: str = "t", **keys: Any) -> tuple[Callable[[float], float], Tag]:
    """The value at so many seconds after T0."""
    built = config({name: keys})
    tag = table(built)[0]
    value = value_of(built.tags[name], tag, seed)
    return lambda seconds: value(T0 + round(seconds * SECOND)), tag


def test_a_sine_swings_between_low_and_high() -> None:
    at, _ = signal(signal="sine", low=10.0, high=30.0, period="8s")
    assert [round(at(s), 6) for s in (0, 2, 4, 6, 8)] == [20, 30, 20, 10, 20]


def test_a_phase_delays_a_wave() -> None:
    at, _ = signal(signal="sine", low=10.0, high=30.0, period="8s", phase="2s")
    assert round(at(4), 6) == 30


def test_a_ramp_rises_and_falls_back() -> None:
    at, _ = signal(signal="ramp", low=0.0, high=100.0, period="10s")
    assert [at(s) for s in (0, 5, 9, 10)] == [0, 50, 90, 0]


def test_a_square_is_high_for_its_duty() -> None:
    at, _ = signal(signal="square", period="10s", duty=0.3)
    assert [at(s) for s in (0, 2.9, 3, 9.9, 10)] == [1, 1, 0, 0, 1]


def test_a_counter_counts_and_overflows_like_a_register() -> None:
    at, tag = signal(signal="counter", every="2s", width=16)
    first = at(0)
    assert [(at(s) - first) % 65_536 for s in (0, 1.9, 2, 7)] == [0, 0, 1, 3]
    assert max(at(2 * n) for n in range(0, 70_000, 7)) < 65_536
    assert tag.kind is Kind.INT
    assert config({"t": {"signal": "counter"}}).tags["t"].bits() == 32


def test_a_walk_takes_small_steps_and_stays_inside() -> None:
    at, _ = signal(signal="walk", low=-1.0, high=1.0, step=0.1)
    values = np.array([at(0) for _ in range(2_000)])
    assert values.min() >= -1
    assert values.max() <= 1
    assert 0.05 < np.diff(values).std() < 0.15
    assert values.std() > 0.2


def test_a_walk_is_the_same_every_time_and_another_for_another_seed_or_tag() -> None:
    def walk(seed: int, name: str) -> list[float]:
        at, _ = signal(seed, name, signal="walk")
        return [at(0) for _ in range(20)]

    assert walk(1, "a") == walk(1, "a")
    assert walk(1, "a") != walk(2, "a")
    assert walk(1, "a") != walk(1, "b")


def test_a_cycle_shows_each_state_for_its_time() -> None:
    at, _ = signal(
        signal="cycle",
        steps=[{"value": 1, "for": "3s"}, {"value": 2, "for": "1s"}, {"value": 0, "for": "4s"}],
    )
    assert [at(s) for s in (0, 2.9, 3, 3.9, 4, 7.9, 8)] == [1, 1, 2, 2, 0, 0, 1]


def test_texts_come_as_codes_of_the_vocabulary() -> None:
    at, tag = signal(signal="cycle", steps=[{"value": "A100", "for": "3s"}, {"value": "B200", "for": "3s"}])
    assert tag.kind is Kind.TEXT
    assert [tag.vocabulary.text(at(s)) for s in (0, 3, 6)] == ["A100", "B200", "A100"]
    at, tag = signal(signal="constant", value="Suzhou")
    assert tag.vocabulary.text(at(0)) == "Suzhou"
    at, tag = signal(signal="constant", value=4.5)
    assert (at(0), tag.kind) == (4.5, Kind.FLOAT)


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ({"url": "simulated://host"}, "simulated://?seed=1"),
        ({"url": "modbus+tcp://host"}, "simulated://?seed=1"),
        ({"url": "simulated://?sed=1"}, "the only one is seed"),
        ({"url": "simulated://?seed=x"}, "one whole number"),
        ({"poll": "0s"}, "1ms"),
        ({"tags": {"t": {"signal": "sin"}}}, "'sine', 'ramp', 'square', 'counter'"),
        ({"tags": {"t": {"signal": "sine", "low": 2.0}}}, "not below high"),
        ({"tags": {"t": {"signal": "sine", "every": "1s"}}}, "Extra inputs"),
        ({"tags": {"t": {"signal": "square", "duty": 1.0}}}, "less than 1"),
        ({"tags": {"t": {"signal": "cycle", "steps": []}}}, "at least 1"),
        (
            {
                "tags": {
                    "t": {
                        "signal": "cycle",
                        "steps": [{"value": 1, "for": "1s"}, {"value": "a", "for": "1s"}],
                    }
                }
            },
            "all of one kind",
        ),
    ],
)
def test_a_mistake_is_told_what_would_be_right(keys: dict[str, Any], right: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**{"tags": {}, **keys})
    assert right in str(caught.value)


def test_the_sample_works_as_it_stands() -> None:
    built = plugin.config.model_validate(yaml.safe_load(plugin.sample))
    tags = table(built)
    assert plugin.describe("toy", built, tags) == [
        "every 0.5s: make up 1 tag",
        "every 1s: make up 6 tags",
        "every 60s: make up 1 tag",
    ]
    assert len(plugin.build("toy", built, tags, time.time_ns).groups) == 3


async def test_rows_come_on_their_grid_and_are_those_of_the_groups() -> None:
    built = config(
        {"fast": {"signal": "sine", "poll": "20ms"}, "slow": {"signal": "counter", "poll": "100ms"}}
    )
    driver = plugin.build("toy", built, table(built), time.time_ns)
    session = await driver.connect()
    began, batches = time.monotonic(), []
    while time.monotonic() - began < 0.25:
        batches.append(await session.read())
    await session.close()
    fast = [batch for batch in batches if batch.tag is driver.groups[0]]
    slow = [batch for batch in batches if batch.tag is driver.groups[1]]
    assert len(slow) == 3
    assert 9 <= len(fast) <= 14
    assert len(fast) + len(slow) == len(batches)
    assert not any(batch.quality.any() for batch in batches)


async def test_a_row_is_the_value_at_its_time() -> None:
    built = config({"t": {"signal": "ramp", "period": "10s", "high": 10.0}})
    session = await plugin.build("toy", built, table(built), lambda: T0 + 3 * SECOND).connect()
    batch = await session.read()
    assert (batch.time[0], batch.value[0]) == (T0 + 3 * SECOND, 3)
    await session.close()


@pytest.mark.parametrize(
    "tags", [{"t": {"signal": "sine", "poll": "1h"}}, {}], ids=["waiting", "without tags"]
)
async def test_close_ends_a_read_that_waits(tags: dict[str, Any]) -> None:
    built = config(tags)
    session = await plugin.build("toy", built, table(built), time.time_ns).connect()
    if tags:
        await session.read()
    reading = asyncio.ensure_future(session.read())
    await asyncio.sleep(0.02)
    await session.close()
    with pytest.raises(NotConnected):
        await asyncio.wait_for(reading, 1)
    with pytest.raises(NotConnected):
        await session.read()
