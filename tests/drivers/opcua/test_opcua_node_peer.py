"""Against node-opcua, a server whose authors never saw our library."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest

from edge_agent.api import GOOD, AccessDenied, Kind, Reason, bad
from edge_agent_opcua import feed

pytestmark = pytest.mark.peer
OWN = "ns=1;s="


async def test_values_kinds_and_refusals_agree(node_server, device):
    nodes = {name: OWN + name.capitalize() for name in ("speed", "level", "mode", "ghost")}
    cnc = device(node_server.url, {**nodes, "state": "i=2259"})
    session = await cnc.connect()
    got = await cnc.first()
    assert {name: value for name, (value, quality, _) in got.items() if quality == GOOD} == {
        "speed": 12.5, "level": 3, "mode": "automatic", "state": 0,
    }  # fmt: skip
    assert got["ghost"][1] == bad(Reason.REFUSED)
    assert session.refused == {"ghost": "BadNodeIdUnknown"}
    assert cnc.tag["level"].kind is Kind.INT


async def test_no_change_is_lost_between_two_publishes(node_server, device):
    cnc = device(node_server.url, {"fast": {"node": OWN + "Fast", "sample": "50ms"}}, publish="500ms")
    await cnc.connect()
    samples = await cnc.changes("fast", 25)
    values = [value for value, _, _ in samples]
    assert values == [values[0] + i for i in range(len(values))]
    assert {quality for _, quality, _ in samples} == {GOOD}
    times = [at for _, _, at in samples]
    assert times == sorted(set(times))


async def test_the_servers_limit_of_items_in_a_call_is_kept(node_server, device):
    cnc = device(node_server.url, {f"n{i}": f"{OWN}n{i}" for i in range(120)})
    session = await cnc.connect()
    assert await cnc.values() == {f"n{i}": i for i in range(120)}
    assert session.refused == {}


async def test_a_slow_reader_gets_the_newest_value_and_the_hole_is_marked(node_server, device, monkeypatch):
    monkeypatch.setattr(feed, "LIMIT", 5)
    tag = {"node": OWN + "Fast", "sample": "50ms", "queue": 5}
    cnc = device(node_server.url, {"fast": tag}, publish="100ms")
    session = await cnc.connect()
    [(last, *_)] = (await cnc.first()).values()
    await asyncio.sleep(3.0)
    held = await session.read()
    assert len(held) <= 2 * feed.LIMIT
    assert not held.quality.any()
    samples = await cnc.changes("fast", 10)
    values = [last, *held.value.tolist(), *(value for value, _, _ in samples)]
    quality = [GOOD, *held.quality.tolist(), *(quality for _, quality, _ in samples)]
    hole = quality.index(GOOD | Reason.DEVICE)
    assert values[hole] - values[hole - 1] > 5
    assert [b - a for a, b in pairwise(values)].count(1) == len(values) - 2
    assert GOOD | Reason.CLOCK not in quality


async def test_a_password_travels_encrypted_and_only_the_right_one_opens(node_server, device):
    cnc = device(node_server.url, {"speed": OWN + "Speed"}, login={"user": "edge", "password": "s3cret"})
    await cnc.connect()
    assert (await cnc.first())["speed"][0] == 12.5
    with pytest.raises(AccessDenied, match=node_server.url):
        await device(
            node_server.url, {"speed": OWN + "Speed"}, login={"user": "edge", "password": "wrong"}
        ).connect()


async def test_the_server_reports_only_changes_beyond_its_deadband(node_server, device):
    fast = {"node": "ns=1;s=Fast", "sample": "50ms"}
    cnc = device(node_server.url, {"all": fast, "few": {**fast, "server_deadband": 4.5}})
    await cnc.connect()
    got = await cnc.gather(lambda rows: sum(name == "few" for name, *_ in rows) >= 4)
    values = [value for name, value, *_ in got if name == "few"]
    steps = [later - earlier for earlier, later in pairwise(values)]
    assert min(steps) >= 5
    assert sum(name == "all" for name, *_ in got) > 2 * len(values)
    assert cnc.driver.why(cnc.tag["few"]) == ()


async def test_a_deadband_the_server_cannot_have_is_left_out_and_said(node_server, device):
    cnc = device(node_server.url, {"text": {"node": "ns=1;s=Mode", "server_deadband": "2%"}})
    await cnc.connect()
    assert (await cnc.values())["text"] == "automatic"
    [told] = cnc.driver.why(cnc.tag["text"])
    assert "refuses the deadband of 2 %" in told


async def test_a_new_time_alone_is_a_change_where_the_trigger_says_so(server, device):
    temp = "nsu=http://acme.example/cnc/;s=Temp"
    server.do("write", "Temp", "Double", 20.0)
    cnc = device(server.url, {"value": {"node": temp}, "time": {"node": temp, "trigger": "timestamp"}})
    await cnc.connect()
    await cnc.first()
    for _ in range(3):
        server.do("write", "Temp", "Double", 20.0)
        await cnc.changes("time")
    server.do("write", "Temp", "Double", 21.0)
    got = await cnc.gather(lambda rows: any(name == "value" for name, *_ in rows))
    assert [value for name, value, *_ in got if name == "value"] == [21.0]


@pytest.mark.parametrize(("discard", "marked"), [("oldest", 0), ("newest", 3)])
async def test_a_full_queue_drops_the_end_that_was_asked_for_and_marks_it(node_server, device, discard, marked):
    tag = {"node": OWN + "Fast", "sample": "50ms", "queue": 4, "discard": discard}
    cnc = device(node_server.url, {"fast": tag}, publish="1s")
    session = await cnc.connect()
    full = []
    while len(full) < 2:
        batch = await session.read()
        if len(batch) == 4 and batch.quality.any():
            full.append(batch)
    for batch in full:
        assert np.flatnonzero(batch.quality == GOOD | Reason.DEVICE).tolist() == [marked]
        steps = np.diff(batch.value).tolist()
        assert steps[:2] == [1, 1]
        assert (steps[2] == 1) == (discard == "oldest")
