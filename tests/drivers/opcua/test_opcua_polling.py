"""Servers that are read again and again instead of being subscribed to."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from pydantic import ValidationError

from edge_agent.api import NotConnected, Reason, bad
from edge_agent_opcua import plugin

CNC = "nsu=http://acme.example/cnc/;s="
NODES = {"state": CNC + "State", "temp": CNC + "Temp", "count": CNC + "Count"}


async def test_each_scan_is_one_row_of_all_tags_with_one_time(server, device):
    server.do("write", "Temp", "Double", 21.5)
    cnc = device(server.url, NODES, poll="50ms")
    session = await cnc.connect()
    assert not session.confirms
    [group] = cnc.driver.groups
    times = []
    for _ in range(3):
        batch = await session.read()
        assert batch.tag is group
        assert len(set(batch.time.tolist())) == 1
        times.append(int(batch.time[0]))
        got = {name: value for name, value, _, _ in cnc.rows(batch)}
        assert got["temp"] == 21.5
        assert isinstance(got["state"], str)
    assert np.diff(times).min() > 40_000_000


async def test_what_changes_is_in_the_next_scan(server, device):
    cnc = device(server.url, NODES, poll="50ms")
    session = await cnc.connect()
    await session.read()
    server.do("write", "Count", "UInt32", 77)
    await session.read()
    assert {name: value for name, value, _, _ in cnc.rows(await session.read())}["count"] == 77.0


async def test_a_node_that_is_not_there_stops_no_other_and_is_picked_up_when_it_comes(start, device):
    peer = start()
    cnc = device(peer.url, {**NODES, "late": CNC + "Late", "path": "/Objects/Late"}, poll="50ms")
    session = await cnc.connect()
    row = {name: (value, quality) for name, value, quality, _ in cnc.rows(await session.read())}
    assert row["late"][1] == row["path"][1] == bad(Reason.REFUSED)
    assert row["temp"] == (20.0, 0)
    assert "BadNodeIdUnknown" in cnc.driver.why(cnc.tag["late"])[0]
    assert "Late" in cnc.driver.why(cnc.tag["path"])[0]
    peer.do("write", "Late", "Double", 1.5)
    async with asyncio.timeout(60):
        while row["late"] != (1.5, 0) or row["path"] != (1.5, 0):
            row = {name: (value, quality) for name, value, quality, _ in cnc.rows(await session.read())}


async def test_a_server_that_dies_ends_the_session(start, device):
    peer = start()
    session = await device(peer.url, NODES, poll="50ms").connect()
    await session.read()
    peer.kill()
    with pytest.raises(NotConnected):
        for _ in range(100):
            await session.read()


async def test_scans_that_come_too_late_are_left_out_and_counted(server, device):
    session = await device(server.url, NODES, poll="50ms").connect()
    await session.read()
    await asyncio.sleep(0.28)
    await session.read()
    await session.read()
    assert 4 <= session.skipped <= 5


def test_events_need_a_subscription():
    with pytest.raises(ValidationError, match="poll: and alarms: exclude each other"):
        plugin.config.model_validate(
            {"driver": "opcua", "url": "opc.tcp://h", "poll": "1s", "alarms": {}, "tags": {}}
        )
