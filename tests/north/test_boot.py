"""Gateways that all start in the same second do not all connect in the next."""

from __future__ import annotations

import asyncio

import pytest

from edge_agent.north import boot
from edge_agent.north.boot import FRESH_S, SPREAD_S, wait_after_boot


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waited


async def test_after_a_power_cut_first_connections_are_spread_over_some_seconds(waits: list[float]) -> None:
    for _ in range(1000):
        await wait_after_boot(["mqtts://broker.example:8883", "mqtt://127.0.0.1"], lambda: FRESH_S / 2)
    assert len(waits) == 1000
    assert 0 <= min(waits) < 0.05 * SPREAD_S < 0.95 * SPREAD_S < max(waits) <= SPREAD_S
    assert abs(sum(waits) / 1000 - SPREAD_S / 2) < 0.1 * SPREAD_S


@pytest.mark.parametrize(
    ("addresses", "up_s"),
    [(["mqtts://broker.example"], FRESH_S + 1), (["mqtt://localhost", "mqtt://[::1]:1883"], 10.0)],
)
async def test_a_restart_of_the_agent_or_a_broker_on_this_computer_waits_for_nothing(
    waits: list[float], addresses: list[str], up_s: float
) -> None:
    await wait_after_boot(addresses, lambda: up_s)
    assert waits == []


def test_the_computer_says_since_when_it_is_up() -> None:
    assert boot.up_s() > 0
