"""Agent and InfluxDB are both killed with -9 at random: whatever was committed to the journal is there, once."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent_hil.gateway import Gateway
from tests.campaign import source
from tests.campaign.committed import numbers_in
from tests.peers.influx_v1 import INFLUXD, TOKEN, InfluxV1
from tests.peers.opcua_world import Process
from tests.peers.waiting import free_port, wait_for

pytestmark = [pytest.mark.peer, pytest.mark.skipif(INFLUXD is None, reason="influxd is not installed")]

SEED = int(os.environ.get("CAMPAIGN_SEED", "1"))
KILLS = 40 if os.environ.get("CAMPAIGN_ROUNDS") else 5

SITE = """\
agent: {{id: gw-1, timezone: UTC, data_dir: "{data}"}}
devices:
  m1: {{driver: modbus, url: "modbus+tcp://127.0.0.1:{port}?unit=1", poll: 50ms, timeout: 2s, tags: {{{tags}}}}}
publish:
  history: {{type: influxdb, url: "{url}", org: acme, bucket: plant, token: {token}, timeout: 3s, batch_size: 200}}
journal: {{flush: 50ms, segment: 64KB}}
api: {{listen: off}}
"""


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[InfluxV1]:
    (tmp_path / "influx").mkdir()
    with InfluxV1(tmp_path / "influx") as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[int]:
    """The port of a machine that numbers its answers."""
    port = free_port()
    process = Process([sys.executable, source.__file__, str(port), str(tmp_path / "ledger")])
    yield port
    process.kill()


def stored(influx: InfluxV1) -> list[dict[str, Any]]:
    """Rows with at least one number; [] while the server is away."""
    try:
        return influx.rows(f"SELECT {', '.join(f'n{k}' for k in range(source.NUMBERS))} FROM m1")
    except OSError:
        return []


@pytest.mark.timeout(240 if KILLS < 10 else 900)
async def test_what_was_committed_is_in_influxdb_once_whoever_is_killed(
    tmp_path: Path, influx: InfluxV1, machine: int
) -> None:
    dice = random.Random(SEED)
    agent = Gateway(tmp_path / "gw-1")
    agent.site.write_text(SITE.format(
        data=agent.data_dir, port=machine, tags=source.TAGS, url=influx.url, token=TOKEN,
    ))  # fmt: skip
    committed: set[int] = set()
    try:
        agent.start()
        await asyncio.to_thread(wait_for, lambda: stored(influx), 40, "the first numbers")
        for kill in range(KILLS):
            await asyncio.sleep(dice.uniform(0.0, 1.5))
            if kill % 3 == 1:
                influx.kill()
                await asyncio.sleep(dice.uniform(0.0, 2.0))
            agent.kill()
            committed |= {number for _, number in numbers_in(agent.journal)}
            agent.start()
            began = time.monotonic_ns()
            await asyncio.to_thread(
                wait_for, lambda: source.answers(tmp_path / "ledger", 1)[-1].at_ns > began, 40, "an answer"  # noqa: B023
            )
            if kill % 3 == 1:
                await asyncio.to_thread(influx.start)
        numbers = {number for _, number in numbers_in(agent.journal)} | committed
        assert len(numbers) > 50
        await asyncio.to_thread(
            wait_for, lambda: numbers <= {row.get("n0") for row in stored(influx)}, 60, "everything committed"
        )
    finally:
        agent.close()
    rows = stored(influx)
    whole = [row for row in rows if len(row) == source.NUMBERS + 1]
    for row in whole:
        assert [row[f"n{k}"] - k * source.APART for k in range(source.NUMBERS)] == [row["n0"]] * source.NUMBERS
    found = [row["n0"] for row in rows if "n0" in row]
    given = {answer.number for answer in source.answers(tmp_path / "ledger", 1)}
    assert len(found) == len(set(found)), "none is there twice"
    assert found == sorted(found), "their times are in their order"
    assert set(found) <= given | {max(given) + 1}
    assert len(whole) == len(found)
