"""A plant with a clock that moves when told, so that every test knows the instant it asks about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_agent_hil.expand import expand
from edge_agent_hil.plant_file import PlantFile
from tests.hil.watched import HandClock, WatchedPlant

START = 1_764_547_200_000_000_000  # 2025-12-01T00:00:00Z
SECOND = 1_000_000_000

EVERY_LOSS: dict[str, Any] = {
    "products": {"A": {"code": 1, "ideal_cycle": "200ms"}, "B": {"code": 2, "ideal_cycle": "0.35s"}},
    "jobs": [{"product": "A", "pieces": 40}, {"product": "B", "pieces": 25}],
    "setup": ["2s", "4s"],
    "speed_loss": 0.1,
    "spread": 0.05,
    "micro_stops": {"every": "6s", "for": ["500ms", "3s"]},
    "faults": {"every": "20s", "for": "4s"},
    "scrap": 0.1,
    "power": {"RUN": 10.0, "IDLE": 2.0, "SETUP": 3.0, "FAULT": 1.0},
}
MODBUS: dict[str, Any] = {"tags": {"state": {"address": "holding:0"}, "total": {"address": "holding:1"}}}


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def plant_of(clock: HandClock) -> Callable[..., WatchedPlant]:
    """`plant_of({"m": {...}}, seed=1)`: every loss there is, unless the machine says otherwise."""

    def build(machines: dict[str, dict[str, Any]], seed: int = 1, start: int = START, **head: Any) -> WatchedPlant:
        full = {
            name: {**EVERY_LOSS, **({} if "opcua" in said else {"modbus": MODBUS}), **said}
            for name, said in machines.items()
        }
        clock.now = start
        return WatchedPlant(expand(PlantFile.model_validate({"machines": full, **head})), seed, start, clock)

    return build
