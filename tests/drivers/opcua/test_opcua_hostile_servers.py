"""Servers that drop, refuse, allow little or cannot subscribe: what they can give comes, what not is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from edge_agent.api import Reason, bad
from edge_agent.south import reader
from edge_agent.supervise import Backoff
from tests.peers.opcua_followed import CNC_IDS, Followed, again, following, many, unbroken
from tests.peers.opcua_world import Farm, NodeServer, Server

COUNT = {"node": CNC_IDS + "Count", "queue": 200}


@pytest.fixture(autouse=True)
def _compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BACKOFF", Backoff(lasted=1.0))


@pytest.fixture
def server(farm: Farm) -> Iterator[Server]:
    one = farm.start(many=100, hz=5)
    yield one
    one.kill()


@pytest.fixture
def node_server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[NodeServer]:
    if not NodeServer.is_there():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    one = NodeServer(tmp_path_factory.mktemp("pki"), many=100, hz=5, **getattr(request, "param", {}))
    yield one
    one.kill()


@pytest.mark.parametrize("answer", ["", "BadSessionClosed"])
async def test_a_session_the_server_drops_is_replaced(server: Server, answer: str) -> None:
    async with following(server) as cnc:
        await cnc.live()
        server.do("drop_sessions", answer)
        await again(cnc)
        assert len(server.ask("seen")["ids"]) == 1


@pytest.mark.parametrize("command", [
    ("expire", "BadTimeout"), ("drop_subscriptions", "BadNoSubscription"), ("drop_subscriptions", ""),
])  # fmt: skip
async def test_a_subscription_that_ends_with_or_without_a_word_is_replaced(
    server: Server, command: tuple[str, str]
) -> None:
    async with following(server) as cnc:
        await cnc.live()
        server.do(*command)
        await again(cnc)
        assert sum(server.ask("seen")["items"]) == 20


async def test_subscriptions_that_outlive_their_session_are_taken_over_and_nothing_is_lost(server: Server) -> None:
    async with Followed(server.url, {"count": COUNT}, keep=["count"]) as cnc:
        await cnc.live()
        server.do("orphan")
        await again(cnc)
        await asyncio.sleep(0.5)
        assert server.seen("TransferSubscriptions") >= 1
        missing, mistimed = unbroken(cnc.kept["count"], server.ask("counted"))
        assert (missing, mistimed) == ([], [])


@pytest.mark.parametrize("how", ["service", "subscription"])
async def test_a_refused_transfer_makes_fresh_subscriptions(server: Server, how: str) -> None:
    if how == "service":
        server.fault("fail", {"TransferSubscriptions": "BadServiceUnsupported"})
    else:
        server.fault("transfer", "BadNotSupported")
    async with following(server) as cnc:
        await cnc.live()
        server.do("orphan")
        await again(cnc)


@pytest.mark.parametrize("status", ["BadMonitoredItemFilterUnsupported", "BadFilterNotAllowed"])
@pytest.mark.parametrize("more", [{"server_deadband": 0.5}, {"server_deadband": "2%"}, {"trigger": "timestamp"}])
async def test_a_refused_filter_is_left_out(server: Server, status: str, more: dict[str, object]) -> None:
    server.fault("filters", status)
    tags = {**many(10, **more), **{f"p{i}": f"{CNC_IDS}n{i}" for i in range(10)}}
    async with Followed(server.url, tags) as cnc:
        await cnc.live(seconds=5)
        await again(cnc)
        assert cnc.opened == 1


@pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "found out"])
async def test_ten_items_a_call_are_enough(server: Server, is_announced: bool) -> None:
    for limit, service in (("MaxMonitoredItemsPerCall", "CreateMonitoredItems"), ("MaxNodesPerRead", "Read")):
        server.fault("most", {"CreateMonitoredItems": 10, "Read": 10})
        if is_announced:
            server.do("announce", limit, 10)
        assert server.seen(service) == 0
    async with following(server, 95) as cnc:
        await cnc.live()
        if is_announced:
            assert server.seen("CreateMonitoredItems") == 10
        assert server.seen("CreateSubscription") == 1
        assert cnc.opened == 1


async def test_items_that_do_not_fit_into_one_subscription_go_into_others(server: Server) -> None:
    server.fault("items", 30)
    async with following(server, 95) as cnc:
        await cnc.live()
        assert sorted(server.ask("seen")["items"], reverse=True)[:3] == [30, 30, 30]
        assert sum(server.ask("seen")["items"]) == 95
        assert cnc.opened == 1


async def test_what_no_subscription_has_room_for_is_told_and_comes_when_there_is_room(server: Server) -> None:
    server.fault("items", 40)
    server.fault("subscriptions", 2)
    async with following(server, 95) as cnc:
        refused = bad(Reason.REFUSED)
        await cnc.until(lambda: (cnc.good_at > 0).sum() >= 80 and (cnc.quality != 255).all(), 15, "80 of 95 tags")
        # The others are refused, or come another way.
        assert ((cnc.quality == refused) | (cnc.good_at > 0)).all()
        server.fault("subscriptions", 0)
        await cnc.live(since=time.monotonic(), seconds=30)
        assert cnc.wrong == 0


@pytest.mark.parametrize("status", ["BadServiceUnsupported", "BadNotImplemented"])
async def test_a_server_that_cannot_be_subscribed_to_is_polled(server: Server, status: str) -> None:
    server.fault("fail", {"CreateSubscription": status})
    async with following(server) as cnc:
        await cnc.live()
        await again(cnc)
        assert server.seen("RegisterNodes") >= 1
        assert server.seen("CreateMonitoredItems") == 0


async def test_polling_needs_neither_subscriptions_nor_registration(server: Server) -> None:
    server.fault("fail", {"RegisterNodes": "BadServiceUnsupported", "CreateSubscription": "BadServiceUnsupported"})
    async with following(server, poll="200ms") as cnc:
        await cnc.live()
        await again(cnc)
        assert server.seen("CreateSubscription") == 0


async def test_a_server_without_a_free_subscription_is_asked_until_it_has_one(server: Server) -> None:
    server.fault("fail", {"CreateSubscription": "BadTooManySubscriptions"})
    async with following(server) as cnc:
        await asyncio.sleep(3.0)
        server.fault("fail", {})
        await cnc.live(since=time.monotonic())


@pytest.mark.parametrize("status", ["BadNodeIdUnknown", "BadNotReadable", "BadUserAccessDenied", "BadOutOfService"])
async def test_one_bad_node_does_not_stop_the_others_and_is_taken_up_when_it_is_good(
    server: Server, status: str
) -> None:
    server.fault("refuse", {"n3": status})
    async with following(server) as cnc:
        await cnc.live(but=["n3"])
        await cnc.until(lambda: cnc.quality[3] == bad(Reason.REFUSED), 5, "n3 marked as refused")
        assert any(status in sentence for sentence in cnc.driver.why(cnc.tags[3]))
        assert cnc.opened == 1
        server.fault("refuse", {})
        await cnc.live(since=time.monotonic())
        assert cnc.opened == 1


async def test_a_node_that_appears_later_is_picked_up(server: Server) -> None:
    async with Followed(server.url, {"temp": CNC_IDS + "Temp", "n200": CNC_IDS + "n200"}) as cnc:
        await cnc.live(but=["n200"])
        server.do("add", "n200")
        await cnc.live(but=["temp"])
        assert cnc.of("n200") == 200.0
        assert cnc.opened == 1


@pytest.mark.peer
@pytest.mark.parametrize("command", ["drop_sessions", "drop_subscriptions"])
async def test_what_node_opcua_drops_is_replaced(node_server: NodeServer, command: str) -> None:
    async with following(node_server) as cnc:
        await cnc.live()
        node_server.do(command)
        await again(cnc)
        assert len(node_server.ask("seen")["ids"]) == 1


@pytest.mark.peer
@pytest.mark.parametrize("node_server", [{"limits": {
    "maxMonitoredItemsPerSubscription": 30, "maxSubscriptionsPerSession": 4,
    "operationLimits": {"maxMonitoredItemsPerCall": 10, "maxNodesPerRead": 10, "maxNodesPerRegisterNodes": 10},
}}], indirect=True)  # fmt: skip
async def test_the_limits_of_node_opcua_are_kept(node_server: NodeServer) -> None:
    async with following(node_server, 95) as cnc:
        await cnc.live()
        assert node_server.ask("seen")["subscriptions"] == 4
        assert cnc.opened == 1
    async with following(node_server, 95, poll="200ms") as polled:
        await polled.live()


@pytest.mark.peer
@pytest.mark.parametrize("status", ["BadServiceUnsupported", "BadTooManySubscriptions"])
async def test_node_opcua_without_subscriptions_is_polled(node_server: NodeServer, status: str) -> None:
    node_server.do("fail", "CreateSubscription", status, None)
    async with following(node_server) as cnc:
        await cnc.live()
        await again(cnc)
        assert "CreateMonitoredItems" not in node_server.ask("seen")["requests"]


@pytest.mark.peer
async def test_node_opcua_that_answers_some_publish_requests_not_at_all_or_with_faults_goes_on(
    node_server: NodeServer,
) -> None:
    async with following(node_server) as cnc:
        await cnc.live()
        node_server.do("fail", "Publish", "BadTooManyPublishRequests", 3)
        await again(cnc)
        node_server.do("ignore", "Publish", 2)
        await again(cnc)
