"""Nothing that was acquired is lost, whatever fails: the campaign, short; `make campaign` is its long form.

`CAMPAIGN_SEED=n` gives the faults of that seed again; `CAMPAIGN_ROUNDS=n` is how often the long form goes through its
plans, each time with the next seed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.run import run
from tests.campaign.stage import Plan
from tests.campaign.verdict import row, table
from tests.peers.mosquitto import MOSQUITTO

pytestmark = [pytest.mark.peer, pytest.mark.skipif(not MOSQUITTO, reason="needs mosquitto (apt-get install mosquitto)")]

SEED = int(os.environ.get("CAMPAIGN_SEED", "1"))
ROUNDS = int(os.environ.get("CAMPAIGN_ROUNDS", "0"))

SHORT = (
    Plan("killed", kills=14, steps=True, outage_s=(0.5, 2.0), pause_s=(0.2, 1.5)),
    Plan("killed and damaged", kills=7, damage=1.0, north=("cut", "restart"), outage_s=(2.0, 4.0)),
    Plan(
        "no room on disk", seconds=10.0, north=("cut", "hang", "slow"), disk_full_s=(0.5, 2.0), disk_mb=8, twin=True,
    ),
)
MINUTES = (2.0, 100.0)
LONG = (
    Plan("killed", kills=90, steps=True),
    Plan("killed, long outages", kills=60, steps=True, outage_s=MINUTES, pause_s=(1.0, 20.0)),
    Plan("killed and damaged", kills=40, damage=0.5, outage_s=(2.0, 8.0)),
    Plan("killed, no room on disk", kills=30, disk_full_s=(0.5, 10.0), disk_mb=8),
    Plan("no room on disk", seconds=120.0, disk_full_s=(0.5, 10.0), disk_mb=8, twin=True),
    Plan("no room in files", seconds=60.0, disk_full_s=(0.5, 10.0)),
    Plan("long outages", seconds=400.0, outage_s=MINUTES, pause_s=(1.0, 20.0), twin=True),
    Plan(
        "too long an outage", seconds=150.0, north=("cut",), outage_s=(125.0, 140.0), pause_s=(10.0, 11.0),
        journal=", max_size: 400KB",
    ),
    Plan("the clock is set", seconds=90.0, steps=True),
)
RUNS = [(plan, SEED + n) for n in range(ROUNDS) for plan in LONG] if ROUNDS else [(plan, SEED) for plan in SHORT]


@pytest.fixture(scope="module")
def rows() -> Iterator[list[tuple[str, ...]]]:
    """What came out of each run, shown at the end."""
    found: list[tuple[str, ...]] = []
    yield found
    print("", table(found), sep="\n")


@pytest.mark.timeout(3600 if ROUNDS else 600)
@pytest.mark.parametrize(("plan", "seed"), RUNS, ids=[f"{plan.name}, seed {seed}" for plan, seed in RUNS])
def test_whatever_fails_nothing_is_lost_nor_out_of_order_nor_counted_twice(
    plan: Plan, seed: int, tmp_path: Path, rows: list[tuple[str, ...]]
) -> None:
    began = time.monotonic()
    verdict = asyncio.run(run(tmp_path, plan, seed))
    rows.append(row(plan.name, seed, time.monotonic() - began, verdict))
    assert not verdict.faults, f"CAMPAIGN_SEED={seed}\n{table(rows[-1:])}\n" + "\n".join(verdict.faults)
