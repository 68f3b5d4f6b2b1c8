"""The agent's background parts, in this process: what they do when something is wrong."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest

from edge_agent import agent, registry, telling
from edge_agent.api import ConfigError, Profile, ProfileConfig, ProfilePlugin, row
from edge_agent.config import Site, load
from edge_agent.core.states import MachineState
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.encode.message import Message
from edge_agent.journal import Journal, RecordKind
from tests.peers.no_api import without_api

S = 1_000_000_000
SITE = """
agent: {id: gw-1, timezone: UTC, data_dir: data}
devices:
  plc: {driver: modbus, url: "modbus+tcp://127.0.0.1:9?unit=1", poll: 100ms,
        tags: {state: {address: holding:0}, total: {address: holding:1}, scrap: {address: holding:2}}}
machines:
  m: {state: {tag: plc.state, map: {0: IDLE, 1: RUN}}, counts: {total: plc.total, scrap: plc.scrap}, ideal_cycle: 1s}
publish: {}
journal: {flush: 20ms}
kpi: {every: 50ms, windows: [day]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    path = tmp_path / "site.yaml"
    path.write_text(without_api(SITE))
    return load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())


async def build(site: Site) -> agent.Parts:
    return await agent.build(site, registry.drivers(), registry.publishers())


def scan(parts: agent.Parts, t: int, state: int, total: int) -> None:
    tags = parts.engine.table.device_tags("plc")
    column = np.array([tag.position for tag in tags], np.int32)
    parts.engine.seen[column] = t
    parts.engine.feed("plc", row(column, t, np.array([state, total, 0], float)))


async def running(parts: agent.Parts, while_: Callable[[], Any]) -> None:
    """Run the agent during `while_()`, then stop it in good order."""
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(parts, stop))
    try:
        await while_()
    finally:
        stop.set()
        await task


async def until(what: Callable[[], object], meanwhile: Callable[[], object] = lambda: None) -> None:
    end = time.monotonic() + 60
    while not what():
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        meanwhile()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("method", ["confirm", "take_events", "reports_of"])
async def test_a_fault_in_one_part_ends_the_agent_says_so_and_lets_the_journal_go(
    site: Site, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parts = await build(site)

    def fault(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(parts.engine, method, fault)
    with pytest.raises(ValueError, match="a bug") as caught:
        async with asyncio.timeout(60):
            await agent.run(parts, asyncio.Event())
    if method == "confirm":
        assert "in the part 'put-aside'" in caught.value.__notes__
    assert parts.journal.closed
    assert [r.levelname for r in caplog.records if "failed, so it ends" in r.getMessage()] == ["CRITICAL"]


async def test_a_disk_that_hangs_is_told_of_and_fills_only_the_journals_bounded_memory(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "COMMIT_IS_STUCK_S", 0.1)
    parts = await build(site)
    free = asyncio.Event()
    flush = parts.journal.flush

    async def hang() -> None:
        await free.wait()
        await flush()

    monkeypatch.setattr(parts.journal, "flush", hang)

    pieces = iter(range(100_000))

    async def meanwhile() -> None:
        try:
            await until(
                lambda: parts.journal.pending_records > 10 and "has not answered" in telling.status(parts).journal,
                lambda: scan(parts, time.time_ns(), 1, next(pieces)),
            )
            # What is put aside into the journal's memory does not stay in the core's, too.
            await until(lambda: not parts.engine.take_samples())
        finally:
            free.set()
        await until(lambda: not telling.status(parts).journal and not parts.journal.pending_records)

    await running(parts, meanwhile)


async def test_a_clock_behind_the_journal_goes_on_from_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hour = 3600 * S
    real = time.time_ns
    monkeypatch.setattr(agent, "SteadyClock", lambda: _clock(lambda: real() + hour))
    parts = await build(site)
    scan(parts, parts.clock(), 1, 100)
    await running(parts, lambda: asyncio.sleep(0.2))
    ended = real() + hour

    monkeypatch.setattr(agent, "SteadyClock", lambda: _clock(real))     # as after a boot without network
    parts = await build(site)
    assert ended - S < parts.clock() < ended + S
    assert parts.engine.machines["m"].current.reason == "AGENT_DOWN"
    scan(parts, parts.clock(), 1, 102)
    assert parts.engine.machines["m"].current.state is MachineState.RUN
    assert parts.engine.machines["m"].ledger.cell(0, 2 * ended).pq == 2
    told = re.compile("clock is (3600|359)")
    await running(parts, lambda: until(lambda: any(told.search(r.getMessage()) for r in caplog.records)))


def _clock(wall: Callable[[], int]) -> Any:
    from edge_agent.clock import SteadyClock

    return SteadyClock(wall)


async def test_records_that_cannot_be_understood_do_not_keep_the_agent_from_starting(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    parts = await build(site)
    scan(parts, parts.clock(), 1, 100)
    scan(parts, parts.clock() + S, 1, 105)
    await running(parts, lambda: asyncio.sleep(0.1))
    folder = site.agent.data_dir / "journal"
    async with await Journal.open(
        folder, max_bytes=10**9, max_age_ns=None, clock=time.time_ns, checkpoint=lambda: b"\x63of a later version"
    ) as journal:
        journal.append(RecordKind.EVENT, b"{}")
        journal.append(RecordKind.EVENT, b"\xff")
        journal.append(RecordKind.REPORT, b'{"v": 99}')
        await journal.flush()
    parts = await build(site)
    assert parts.engine.machines["m"].ledger.cell(0, 2 * time.time_ns()).pq == 5
    await parts.journal.checkpoint_now()
    await parts.journal.close()
    assert sum("is passed over" in r.getMessage() for r in caplog.records) == 3
    async with await Journal.open(
        folder, max_bytes=10**9, max_age_ns=None, clock=time.time_ns, checkpoint=lambda: b"\x63of a later version"
    ) as journal:
        await journal.checkpoint_now()
    parts = await build(site)       # nothing left but a checkpoint of a later version
    assert parts.engine.machines["m"].current.since == 0
    await parts.journal.close()


async def test_what_the_journal_reports_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    parts = await build(site)
    parts.journal.reports.append("segment 7 is damaged")
    await running(parts, lambda: asyncio.sleep(0.05))
    assert sum("segment 7 is damaged" in record.getMessage() for record in caplog.records) == 1


async def test_the_newest_checkpoint_is_enough_to_go_on(site: Site) -> None:
    parts = await build(site)
    begin = parts.clock()
    for n in range(700):
        scan(parts, begin + n * 1_000_000, n % 2, n)
    machine = parts.engine.machines["m"]
    await running(parts, lambda: until(lambda: len(machine.checkpoint()[0]["facts"]) < 300))
    parts = await build(site)
    await parts.journal.checkpoint_now()
    await parts.journal.close()
    parts = await build(site)
    [checkpoint, *_] = await parts.journal.tail()
    assert checkpoint.kind == RecordKind.CHECKPOINT
    assert parts.engine.machines["m"].ledger.cell(0, 2 * begin).pq == 699
    await parts.journal.close()
    orjson.dumps(parts.engine.machines["m"].checkpoint()[0])


async def test_the_evidence_of_how_digital_a_device_is_survives_a_restart(site: Site) -> None:
    parts = await build(site)
    parts.health.devices["plc"].state = "connected"
    start = parts.clock()

    async def a_minute() -> None:
        for second in range(60):
            scan(parts, start + second * S, 1, second)
            parts.engine.observe(start + second * S, {"plc": True}, True)

    await running(parts, a_minute)
    again = await build(site)
    [device] = again.engine.evidence.summary(start + 60 * S)["devices"].values()
    assert device["last_good"] is not None
    assert device["connected"]
    assert device["online_ratio"] > 0.9
    await again.journal.close()


async def test_how_digital_the_plant_is_is_told_as_the_contract_says(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "DIGITAL_FIRST_S", 0.02)
    parts = await build(site)
    told: list[Message] = []
    profile = JsonProfile("edge/gw-1", "gw-1", "0")
    follower = SimpleNamespace(profile=profile, tell=lambda make, *what, **_: told.extend(make(*what)))
    parts.followers = [follower]    # type: ignore[list-item]
    task = asyncio.create_task(telling.keep_telling_digital(parts))
    await until(lambda: told)
    task.cancel()
    await parts.journal.close()
    payload = orjson.loads(told[0].payload)
    assert (told[0].topic, told[0].retain) == ("edge/gw-1/digital", True)
    assert payload["devices"]["plc"]["level"] == 0
    assert payload["indices"]["device_digital_rate"] == 0


async def test_commands_from_a_destination_whose_messages_know_none_are_a_mistake_in_the_site_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "site.yaml"
    destination = '{platform: {type: mqtt, url: "mqtt://127.0.0.1:9", commands: true}}'
    path.write_text(SITE.replace("publish: {}", f"publish: {destination}"))
    site = load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
    mute = ProfilePlugin("json", "", ProfileConfig, lambda config, scene: Profile())
    monkeypatch.setattr(registry, "profiles", lambda: {"json": mute})
    with pytest.raises(ConfigError, match=r"publish\.platform\.profile: 'json' knows no commands; leave out commands"):
        agent.prepare(site, registry.drivers(), registry.publishers())
