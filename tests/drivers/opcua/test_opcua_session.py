"""Connecting, reading, losing and closing, against a real server in another process."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import time

import numpy as np
import pytest
from asyncua import Client

from edge_agent.api import GOOD, AccessDenied, NotConnected, Reason, bad

CNC = "nsu=http://acme.example/cnc/;s="
ROOM = ["http://acme.example/cnc/", "http://acme.example/robot/"]
TEMP = {"temp": CNC + "Temp"}
KEEPALIVE_S = 1.5


def namespaces(*uris):
    return [word for uri in uris for word in ("--namespace", uri)]


async def ended(session, seconds):
    """What `read` raises, and after how long."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        with pytest.raises(NotConnected) as caught:
            while True:
                await session.read()
    return str(caught.value), time.monotonic() - began


async def test_a_change_arrives_within_the_publish_interval(server, device):
    cnc = device(server.url, TEMP, publish="200ms")
    await cnc.connect()
    await cnc.first()
    waits = []
    for _ in range(5):
        server.do("write", "Temp", "Double", time.time())
        began = time.monotonic()
        await cnc.changes("temp")
        waits.append(time.monotonic() - began)
    assert max(waits) < 0.3


async def test_all_that_waits_comes_as_one_batch(server, device):
    cnc = device(server.url, {f"n{i}": f"{CNC}n{i}" for i in range(50)})
    session = await cnc.connect()
    await cnc.first()
    server.do("many", 50)
    await asyncio.sleep(0.3)
    server.do("many", 50)
    await asyncio.sleep(0.3)
    batch = await session.read()
    assert len(batch) == 100
    assert batch.tag.dtype == np.int32
    assert batch.time.dtype == np.int64


async def test_a_quiet_server_is_confirmed_by_empty_batches(server, device):
    cnc = device(server.url, TEMP)
    session = await cnc.connect()
    await cnc.first()
    assert session.confirms
    assert 0 < session.lag_ns < 1_000_000_000
    began = time.monotonic()
    assert len(await session.read()) == 0
    assert time.monotonic() - began < KEEPALIVE_S + 0.5


async def test_a_thousand_variables_are_subscribed_at_once(server, device):
    cnc = device(server.url, {f"n{i}": f"{CNC}n{i}" for i in range(1000)})
    await cnc.connect()
    before = await cnc.values()
    server.do("many", 1000)
    got = await cnc.gather(lambda samples: len(samples) >= 1000)
    assert {name: value for name, value, *_ in got} == {name: value + 1 for name, value in before.items()}


async def test_a_killed_server_ends_the_session_and_a_fresh_one_has_data(start, device, caplog):
    peer = start()
    cnc = device(peer.url, TEMP)
    session = await cnc.connect()
    await cnc.first()
    peer.kill()
    with caplog.at_level(logging.DEBUG):
        text, after = await ended(session, 3)
        await cnc.close()
        gc.collect()                    # would show what nobody has waited for
    assert after < 1
    assert peer.url in text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    with pytest.raises(NotConnected, match=peer.url):
        await cnc.connect()
    start(port=peer.port).do("write", "Temp", "Double", 66.0)
    await cnc.connect()
    assert (await cnc.first())["temp"][:2] == (66.0, GOOD)


async def test_a_frozen_server_ends_the_session_after_three_keepalives(server, device):
    cnc = device(server.url, TEMP)
    session = await cnc.connect()
    await cnc.first()
    server.freeze()
    try:
        text, after = await ended(session, 9)
        assert "neither data nor keep-alive" in text
        assert 3 * KEEPALIVE_S - 0.5 < after < 3 * KEEPALIVE_S + 2      # and a second for an answer
        began = time.monotonic()
        await cnc.close()
        assert time.monotonic() - began < 1.5
    finally:
        server.thaw()
    server.do("write", "Temp", "Double", 0.0)


async def test_a_variable_by_namespace_uri_survives_a_restart_that_renumbers_namespaces(start, device):
    peer = start(*namespaces(*ROOM))
    cnc = device(peer.url, {"named": CNC + "State", "numbered": "ns=2;s=State"})
    await cnc.connect()
    assert await cnc.values() == {"named": "RUN", "numbered": "RUN"}
    peer.kill()
    start(*namespaces(*reversed(ROOM)), port=peer.port)
    await cnc.connect()
    assert await cnc.values() == {"named": "RUN", "numbered": "WRONG ROOM"}


async def test_an_unknown_variable_is_refused_and_the_others_go_on(server, device):
    cnc = device(
        server.url,
        {"ghost": CNC + "Ghost", "temp": CNC + "Temp", "stranger": "nsu=http://nowhere.example/;s=Temp"},
    )
    session = await cnc.connect()
    got = await cnc.first()
    assert got["temp"][1] == GOOD
    for name in ("ghost", "stranger"):
        assert np.isnan(got[name][0])
        assert got[name][1] == bad(Reason.REFUSED)
    assert session.refused["ghost"] == "BadNodeIdUnknown"
    assert "http://nowhere.example/" in session.refused["stranger"]
    server.do("write", "Temp", "Double", time.time())
    await cnc.changes("temp")


async def test_the_login_decides_who_comes_in(start, device):
    peer = start("--user", "edge:s3cret")
    right = {"user": "edge", "password": "s3cret", "insecure": True}
    cnc = device(peer.url, TEMP, login=right)
    await cnc.connect()
    assert (await cnc.first())["temp"][1] == GOOD
    with pytest.raises(AccessDenied, match=f"{peer.url}: BadUserAccessDenied"):
        await device(peer.url, TEMP, login={**right, "password": "wrong"}).connect()
    with pytest.raises(AccessDenied, match=f"{peer.url}: BadIdentityToken"):
        await device(peer.url, TEMP).connect()
    with pytest.raises(AccessDenied, match="would cross the network readable"):
        await device(peer.url, TEMP, login={**right, "insecure": False}).connect()


async def test_a_login_where_the_server_takes_none_is_refused(server, device):
    login = {"user": "edge", "password": "s3cret", "insecure": True}
    with pytest.raises(AccessDenied, match="takes no user and password"):
        await device(server.url, TEMP, login=login).connect()


async def test_closing_leaves_nothing_on_the_server(server, device):
    before = server.ask("sessions")
    cnc = device(server.url, TEMP)
    await cnc.connect()
    assert server.ask("sessions") == before + 1
    began = time.monotonic()
    await cnc.close()
    assert time.monotonic() - began < 0.5
    assert server.ask("sessions") == before


async def test_close_is_safe_twice_and_without_a_connection(server, device):
    cnc = device(server.url, TEMP)
    session = await cnc.connect()
    await session.close()
    await session.close()
    with pytest.raises(NotConnected, match="closed"):
        while True:
            await session.read()


async def test_a_cancelled_read_loses_nothing(server, device):
    cnc = device(server.url, {"count": {"node": CNC + "Count", "queue": 100}})
    session = await cnc.connect()
    await cnc.first()
    got = []
    for number in range(1, 30):
        server.do("write", "Count", "UInt32", 1000 + number)
        reading = asyncio.create_task(session.read())
        await asyncio.sleep(0.02)
        if reading.done():
            got += reading.result().value.tolist()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    async with asyncio.timeout(3):
        while got[-1:] != [1029]:
            got += (await session.read()).value.tolist()
    assert got == [1000 + number for number in range(1, 30)]


async def test_a_cancelled_connect_leaves_nothing(device):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cnc = device(f"opc.tcp://127.0.0.1:{silent.getsockname()[1]}", TEMP)
        connecting = asyncio.create_task(cnc.connect())
        await asyncio.sleep(0.2)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting


async def test_whoever_does_not_speak_opc_ua_is_not_connected(device):
    async def chatter(_, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(NotConnected, match="no answer in time"):
            await device(f"opc.tcp://127.0.0.1:{silent.getsockname()[1]}", TEMP, timeout="500ms").connect()
        assert time.monotonic() - began < 2.5
    web = await asyncio.start_server(chatter, "127.0.0.1", 0)
    async with web:
        port = web.sockets[0].getsockname()[1]
        with pytest.raises(NotConnected, match=f"127.0.0.1:{port}"):
            await device(f"opc.tcp://127.0.0.1:{port}", TEMP, timeout="500ms").connect()


async def test_an_unknown_host_is_not_connected(device):
    with pytest.raises(NotConnected, match=r"opc.tcp://nowhere.invalid:4840: "):
        await device("opc.tcp://nowhere.invalid", TEMP).connect()


async def test_after_a_restart_nobody_elses_subscription_is_taken_for_ours(start, device):
    peer = start()
    cnc = device(peer.url, TEMP)
    session = await cnc.connect()
    await cnc.first()
    peer.kill()
    with pytest.raises(NotConnected):
        for _ in range(100):
            await session.read()
    again = start(port=peer.port)
    stranger = Client(peer.url)
    async with stranger:
        taken = asyncio.Queue(100)
        theirs = await stranger.create_subscription(50, Noting(taken))
        await theirs.subscribe_data_change(stranger.get_node("ns=2;s=Count"))
        await asyncio.wait_for(taken.get(), 5)
        # What the device knows of its last session: a number that is now somebody else's.
        session.watch.streams[0].subscription = theirs.subscription_id
        await cnc.connect()
        assert (await cnc.values())["temp"] == 20.0
        again.do("write", "Count", "UInt32", 77)
        assert await asyncio.wait_for(taken.get(), 5) == 77
        await cnc.close()


class Noting:
    """A handler that keeps what comes."""

    def __init__(self, queue):
        self._queue = queue

    def datachange_notification(self, _node, value, _data):
        self._queue.put_nowait(value)
