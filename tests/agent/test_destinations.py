"""Destinations that are added and taken out: where they begin, and what is told of what waited for them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent import agent, destinations, registry
from edge_agent.api import ConfigError
from edge_agent.config import load
from edge_agent.duties import put_aside
from edge_agent.journal import Record, RecordKind
from edge_agent.journal.ranges import Range
from edge_agent.parts import Parts
from tests.peers.no_api import without_api

SITE = """
agent: {id: gw-1, timezone: Asia/Shanghai, data_dir: data}
devices: {}
publish:
  platform: {type: mqtt, url: "mqtt://127.0.0.1:9"}
"""


async def build(folder: Path, text: str) -> Parts:
    path = folder / "site.yaml"
    path.write_text(without_api(text))
    site = load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
    return await agent.build(site, registry.drivers(), registry.publishers())


async def write(parts: Parts, n: int) -> None:
    for _ in range(n):
        parts.journal.append(RecordKind.STATE, b"{}")
        await asyncio.sleep(0.002)      # each has its own time
    put_aside(parts, alive=False)
    await parts.journal.flush()


def waiting(parts: Parts) -> dict[str, int]:
    return {follower.line.name: follower.places.backlog for follower in parts.followers}


@pytest.mark.parametrize(("start", "gets"), [("", 0), (", from: now", 0), (", from: oldest", 30)])
async def test_a_new_destination_begins_where_it_says(tmp_path: Path, start: str, gets: int) -> None:
    parts = await build(tmp_path, SITE)
    await write(parts, 30)
    await parts.journal.close()
    again = await build(tmp_path, SITE + f'  other: {{type: mqtt, url: "mqtt://127.0.0.1:7"{start}}}\n')
    assert waiting(again) == {"platform": 30, "other": gets}
    await again.journal.close()


async def test_a_new_destination_may_begin_at_an_instant_of_the_plant_s_own_clock(tmp_path: Path) -> None:
    parts = await build(tmp_path, SITE)
    await write(parts, 10)
    await asyncio.sleep(1.1)
    middle = datetime.now(UTC).replace(microsecond=0)
    await asyncio.sleep(0.1)
    await write(parts, 10)
    await parts.journal.close()
    local = (middle + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S")
    again = await build(tmp_path, SITE + f'  other: {{type: mqtt, url: "mqtt://127.0.0.1:7", from: {local}}}\n')
    [_, other] = again.followers
    records = await other.places.events.ranges[0].read()
    assert len(records) == 10
    assert all(record.time >= middle.timestamp() * 1e9 for record in records)
    await again.journal.close()


async def test_what_waited_for_a_destination_that_is_gone_is_told_with_how_to_get_it_after_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.time()
    parts = await build(tmp_path, SITE)
    await write(parts, 30)
    await parts.journal.close()
    without = await build(tmp_path, SITE.replace("platform:", "other:"))
    assert waiting(without) == {"other": 0}
    assert {cursor.name for cursor in without.journal.cursors} == {"other"}
    await without.journal.close()
    hint = datetime.fromtimestamp(began, UTC) + timedelta(hours=8)
    [said] = [r.getMessage() for r in caplog.records if "site file any more" in r.getMessage()]
    assert said.startswith("platform is not in the site file any more: 30 records that waited for it are not sent")
    start = said.rpartition("from: ")[2]
    assert abs((datetime.fromisoformat(start) - hint.replace(tzinfo=None)).total_seconds()) < 120
    back = await build(tmp_path, SITE.replace("9\"}", f"9\", from: {start}}}"))
    assert waiting(back) == {"platform": 30}
    await back.journal.close()


async def test_what_waited_and_is_destroyed_keeps_no_agent_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = await build(tmp_path, SITE)
    await write(parts, 30)
    await parts.journal.close()

    async def never(*_: object) -> list[Record]:
        """As at the end of the journal, where nothing comes before the agent runs."""
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(Range, "read", never)
    monkeypatch.setattr(destinations, "READ_WITHIN_S", 0.05)
    without = await build(tmp_path, SITE.replace("platform:", "other:"))
    assert {cursor.name for cursor in without.journal.cursors} == {"other"}
    await without.journal.close()
    [said] = [r.getMessage() for r in caplog.records if "site file any more" in r.getMessage()]
    assert said.endswith("30 records that waited for it are not sent")


async def test_a_start_that_is_none_is_told_in_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"yaml:5: publish.platform.from: 'yesterday' is no start; write now, oldest"):
        await build(tmp_path, SITE.replace("9\"}", "9\", from: yesterday}"))
