"""Servers that lose, forget or repeat messages, fall silent, tell wrong times or are not who they were."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge_agent.south import reader
from edge_agent.supervise import Backoff
from edge_agent_opcua.security.tools import OpcUaCertificates
from tests.peers.opcua_certificates import DAY, certificate, key_of
from tests.peers.opcua_followed import CNC_IDS, ROUND, Followed, again, following, many, unbroken
from tests.peers.opcua_world import Farm, Server

COUNT = {"node": CNC_IDS + "Count", "queue": 200}
MARGIN_S = 15.0


@pytest.fixture(autouse=True)
def _compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BACKOFF", Backoff(lasted=1.0))


@pytest.fixture
def server(farm: Farm) -> Iterator[Server]:
    one = farm.start(many=100, hz=5)
    yield one
    one.kill()


async def test_lost_messages_are_asked_for_again(server: Server) -> None:
    async with Followed(server.url, {"count": COUNT}, keep=["count"]) as cnc:
        await cnc.live()
        for lost in (1, 3):
            server.fault("lose", lost)
            await again(cnc)
        await asyncio.sleep(0.5)
        missing, _ = unbroken(cnc.kept["count"], server.ask("counted"))
        assert missing == []
        assert server.seen("Republish") >= 4
        assert cnc.opened == 1


async def test_messages_the_server_has_forgotten_leave_a_marked_gap(server: Server) -> None:
    async with Followed(server.url, {"count": COUNT}, keep=["count"]) as cnc:
        await cnc.live()
        await asyncio.sleep(0.5)
        server.fault("forget", True)
        server.fault("lose", 3)
        await again(cnc)
        samples = cnc.kept["count"]
        for before, after in pairwise(samples):
            assert not (before.is_good and after.is_good and after.value > before.value + 1), "an unmarked gap"
        missing, _ = unbroken(samples, server.ask("counted"))
        assert missing
        assert any(not sample.is_good for sample in samples)


async def test_skipped_message_numbers_are_survived(server: Server) -> None:
    async with following(server) as cnc:
        await cnc.live()
        for _ in range(3):
            server.do("skip", 2)
            await again(cnc)


async def test_notifications_in_pieces_are_all_taken(server: Server) -> None:
    server.fault("per_message", 7)
    async with Followed(server.url, {**many(50), "count": COUNT}, keep=["count", "n0", "n49"]) as cnc:
        await cnc.live()
        await asyncio.sleep(2.0)
        for name in ("n0", "n49"):
            rounds = [sample.value // ROUND for sample in cnc.kept[name]][1:]
            assert len(rounds) > 5
            assert rounds == list(np.arange(rounds[0], rounds[-1] + 1))
        missing, _ = unbroken(cnc.kept["count"], server.ask("counted"))
        assert missing == []
        assert cnc.opened == 1


async def test_requests_answered_twice_are_survived(server: Server) -> None:
    async with following(server) as cnc:
        await cnc.live()
        server.fault("twice", 3)
        await again(cnc)


@pytest.mark.parametrize("times", [1, 10])
async def test_too_many_publish_requests_are_fewer_from_then_on(server: Server, times: int) -> None:
    async with following(server) as cnc:
        await cnc.live()
        server.fault("left", {"Publish": times})
        server.fault("fail", {"Publish": "BadTooManyPublishRequests"})
        await again(cnc)
        assert server.seen("Publish") < 200


async def test_a_server_without_keepalives_is_found_out_and_its_data_come_all_the_same(farm: Farm) -> None:
    server = farm.start(many=20)
    try:
        async with following(server) as cnc:
            await cnc.live()
            server.fault("no_keepalive", True)
            before = server.seen("CreateMonitoredItems")
            await cnc.until(lambda: cnc.opened > 1 or server.seen("CreateMonitoredItems") > before, 8, "a fresh start")
            server.fault("no_keepalive", False)
            await cnc.until(lambda: cnc.line.state == "connected", MARGIN_S, "a connection")
            await asyncio.sleep(1.0)
            server.do("change", 20)
            await cnc.live(since=time.monotonic() - 0.5)
    finally:
        server.kill()


async def test_a_server_that_answers_no_publish_request_is_left_and_asked_again(server: Server) -> None:
    async with following(server) as cnc:
        await cnc.live()
        server.fault("ignore", ["Publish"])
        await cnc.until(lambda: cnc.line.state != "connected", 9, "that the silence is noticed")
        server.fault("ignore", [])
        await again(cnc)


async def test_a_server_that_is_silent_in_the_middle_of_subscribing_is_asked_again(server: Server) -> None:
    server.fault("left", {"CreateMonitoredItems": 1})
    server.fault("ignore", ["CreateMonitoredItems"])
    async with following(server, timeout="1s") as cnc:
        await cnc.live()
        assert sum(server.ask("seen")["items"]) == 20


async def test_a_server_frozen_for_three_seconds_loses_nothing(server: Server) -> None:
    async with Followed(server.url, {"count": COUNT}, keep=["count"]) as cnc:
        await cnc.live()
        server.freeze()
        await asyncio.sleep(3.0)
        server.thaw()
        await again(cnc)
        assert cnc.opened == 1
        missing, _ = unbroken(cnc.kept["count"], server.ask("counted"))
        assert missing == []


async def test_a_server_frozen_for_twenty_seconds_is_back_within_seconds(server: Server) -> None:
    async with following(server) as cnc:
        await cnc.live()
        server.freeze()
        try:
            await cnc.until(lambda: cnc.line.state != "connected", 8, "that it is noticed")
            await asyncio.sleep(14.0)
        finally:
            server.thaw()
        await cnc.live(since=time.monotonic())
        await asyncio.sleep(1.0)
        assert len(server.ask("seen")["ids"]) == 1


@pytest.mark.parametrize("clock", ["2000-01-01T00:00:00+00:00", 3600.0, -3600.0], ids=["2000", "ahead", "behind"])
async def test_values_with_impossible_times_get_ours_and_say_so(server: Server, clock: str | float) -> None:
    server.fault("clock", clock)
    async with Followed(server.url, {"count": COUNT}, keep=["count"]) as cnc:
        await cnc.live()
        await asyncio.sleep(1.5)
        samples = cnc.kept["count"]
        assert all(sample.is_good for sample in samples)
        assert not any(sample.has_own_time for sample in samples[1:])
        assert all(abs(sample.time / 1e9 - time.time()) < 10 for sample in samples)
        assert (np.diff([sample.time for sample in samples]) > 0).all()


async def test_a_clock_that_jumps_to_and_fro_leaves_values_in_order_and_is_believed_when_it_is_right(
    server: Server,
) -> None:
    async with Followed(server.url, {"count": COUNT}, keep=["count"]) as cnc:
        await cnc.live()
        for clock in (3600.0, 0.0, -3600.0, 0.0, "2000-01-01T00:00:00+00:00"):
            server.fault("clock", clock)
            await asyncio.sleep(0.6)
        server.fault("clock", 0.0)
        await asyncio.sleep(0.5)
        before = len(cnc.kept["count"])
        await asyncio.sleep(1.0)
        samples = cnc.kept["count"]
        assert all(sample.is_good for sample in samples)
        assert (np.diff([sample.time for sample in samples]) > 0).all()
        assert all(sample.has_own_time for sample in samples[before:])
        assert cnc.opened == 1


async def test_a_server_that_returns_with_a_new_certificate_is_refused_until_it_is_trusted(
    farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BACKOFF", Backoff(denied=0.5, lasted=1.0))
    uri, now = "urn:acme:press-1", datetime.now(UTC)
    pairs = [
        certificate(uri=uri, hosts=("127.0.0.1",), key=key_of(2048, n), begins=now - DAY, ends=now + 365 * DAY)
        for n in (0, 1)
    ]
    files = [pair.write(tmp_path, f"server-{n}") for n, pair in enumerate(pairs)]
    prints = [hashlib.sha256(pair.der).hexdigest() for pair in pairs]
    options = [{"certificate": str(cert), "key": str(key)} for cert, key in files]
    server = farm.start(many=20, hz=5, uri=uri, **options[0])
    pki = tmp_path / "pki"
    try:
        async with following(server, security="auto", pki=pki) as cnc:
            await refused_and_told(cnc, prints[0])
            OpcUaCertificates().trust(pki, prints[0][:16], False, datetime.now(UTC))
            await cnc.live()
            server.kill()
            server.start(**options[1])
            await refused_and_told(cnc, prints[1])
            samples = cnc.samples
            await asyncio.sleep(2.0)
            assert cnc.samples == samples
            assert server.ask("seen")["ids"] == []
            OpcUaCertificates().trust(pki, prints[1][:16], False, datetime.now(UTC))
            await again(cnc)
    finally:
        server.kill()


async def refused_and_told(cnc: Followed, fingerprint: str) -> None:
    """The line is down, and says which certificate it does not trust and how to."""
    def is_told() -> bool:
        told = cnc.line.error.lower().replace(":", "").replace(" ", "")
        return cnc.line.state == "lost" and fingerprint[:16] in told and "certtrust" in told

    await cnc.until(is_told, 10, f"a word about the certificate {fingerprint[:16]}")
