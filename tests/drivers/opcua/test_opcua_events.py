"""Events and alarms as real servers tell them: the filter, the fields, refreshes, refusals."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from asyncua import Client, ua

from edge_agent.api import AlarmChange, AlarmMark
from edge_agent.core.alarms import Alarms
from edge_agent_opcua.asking import Requests
from edge_agent_opcua.events import QUEUE, AlarmWatch
from edge_agent_opcua.options import AlarmsModel
from tests.drivers.opcua.conftest import NODE, PEERS, Peer
from tests.peers.waiting import free_port

S = 1_000_000_000
HANDLE = 7
PRESS = "nsu=http://acme.example/press/;s="
BEGIN, END, LOST = AlarmMark.BEGIN, AlarmMark.END, AlarmMark.LOST
ACTIVE = {"ActiveState/Id": True, "Retain": True, "EnabledState/Id": True, "AckedState/Id": False}
GONE = {"ActiveState/Id": False, "Retain": False, "AckedState/Id": True}


def alarm_server(*options: str) -> Peer:
    port = free_port()
    return Peer([sys.executable, str(PEERS / "opcua_alarm_server.py"), str(port), *options], port)


@pytest.fixture(scope="module")
def server() -> Iterator[Peer]:
    peer = alarm_server()
    yield peer
    peer.kill()


@pytest.fixture
def start() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def run(*options: str) -> Peer:
        peers.append(alarm_server(*options))
        return peers[-1]

    yield run
    for peer in peers:
        peer.kill()


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A node-opcua server with alarms of its own making."""
    if shutil.which("node") is None or not (NODE / "node_modules" / "node-opcua").is_dir():
        pytest.skip("needs node-opcua: run tests/peers/install.sh")
    port = free_port()
    peer = Peer(["node", str(NODE / "alarms.js"), str(port), str(tmp_path_factory.mktemp("pki"))], port)
    yield peer
    peer.kill()


async def eventually(what: Callable[[], object], seconds: float = 40) -> None:
    """Return once `what()` is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


class Watching:
    """A session with one event item, asked for as the watch wants it; what it was told, in order."""

    def __init__(self, client: Client, watch: AlarmWatch) -> None:
        self.client, self.watch = client, watch
        self.requests = Requests(client.uaclient.session)
        self.told: list[AlarmChange | AlarmMark] = []
        self.refused: list[int] = []
        self.subscription = 0
        self.events: list[tuple[bytes, bool]] = []      # id of each, and whether it is of a branch

    async def start(self, refresh: bool = True) -> None:
        await self.watch.learn(self.requests)
        params = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=50, RequestedLifetimeCount=600, RequestedMaxKeepAliveCount=20,
            MaxNotificationsPerPublish=0, PublishingEnabled=True, Priority=0,
        )  # fmt: skip
        session = self.client.uaclient.session
        self.subscription = (await session.create_subscription(params, self._published)).SubscriptionId
        request: Any = self.watch.item(HANDLE)
        while request is not None:
            wanted = ua.CreateMonitoredItemsParameters()
            wanted.SubscriptionId, wanted.ItemsToCreate = self.subscription, [request]
            wanted.TimestampsToReturn = ua.TimestampsToReturn.Both
            [result] = await session.create_monitored_items(wanted)
            if result.StatusCode.is_good():
                break
            self.refused.append(result.StatusCode.value)
            request = self.watch.fallback(result.StatusCode.value)
        assert request is not None, self.refused
        if refresh:
            await self.watch.refresh(self.requests, self.subscription)

    async def _published(self, result: Any) -> None:
        for notification in result.NotificationMessage.NotificationData or ():
            if isinstance(notification, ua.EventNotificationList):
                for event in notification.Events:
                    assert event.ClientHandle == HANDLE
                    branch = event.EventFields[9].Value
                    self.events.append((event.EventFields[0].Value, branch is not None and not branch.is_null()))
                    self.told += self.watch.take(event.EventFields)

    async def until(self, enough: Callable[[list[Any]], object], seconds: float = 8) -> list[Any]:
        await eventually(lambda: enough(self.told), seconds)
        told, self.told = self.told, []
        return told

    async def changes(self, n: int = 1) -> list[AlarmChange]:
        """The next `n` changes, marks left out."""
        told = await self.until(lambda told: len([one for one in told if isinstance(one, AlarmChange)]) >= n)
        return [one for one in told if isinstance(one, AlarmChange)]

    async def nothing(self, seconds: float = 0.4) -> None:
        await asyncio.sleep(seconds)
        assert self.told == []


Open = Callable[..., Awaitable[Watching]]


@pytest.fixture
async def watching() -> AsyncIterator[Open]:
    """`await watching(peer, severity=300, …)`: a session that has had its first refresh."""
    clients: list[Client] = []

    async def connect(peer: Peer, refresh: bool = True, **model: Any) -> Watching:
        client = Client(peer.url, timeout=4)
        await client.connect()
        clients.append(client)
        namespaces = await client.get_namespace_array()
        held = Watching(client, AlarmWatch(AlarmsModel(**model), namespaces, time.time_ns))
        await held.start(refresh)
        if refresh and not held.watch.refusal:
            await held.until(lambda told: END in told)
        return held

    yield connect
    for client in clients:
        await client.disconnect()


# -- a server in Python ----------------------------------------------------------------------------


async def test_an_alarm_is_told_with_all_it_says(server: Peer, watching: Open) -> None:
    watch = await watching(server)
    more = {"Severity": 700, "Message": "too hot", "SourceName": "Spindle", "ActiveState/TransitionTime": 90}
    server.do("condition", "full", "AlarmConditionType", {**ACTIVE, **more})
    before = time.time_ns()
    server.do("tell", "full", {}, 60)
    [told] = await watch.changes()
    assert (told.key, told.source, told.type) == (PRESS + "full", "Spindle", "AlarmConditionType")
    assert (told.active, told.acknowledged, told.severity, told.reason) == (True, False, 700, "too hot")
    assert abs(before - 60 * S - told.time_ns) < 5 * S
    assert told.since_ns is not None
    assert abs(before - 90 * S - told.since_ns) < 5 * S
    assert before <= told.received_ns <= time.time_ns()
    server.do("tell", "full", {"AckedState/Id": True, "Comment": "seen", "AckedState/TransitionTime": 5})
    [acked] = await watch.changes()
    assert (acked.acknowledged, acked.comment, acked.active) == (True, "seen", True)
    assert acked.acked_ns is not None
    assert acked.acked_ns < acked.time_ns
    server.do("tell", "full", GONE)
    [gone] = await watch.changes()
    assert (gone.active, gone.key) == (False, told.key)


async def test_a_refresh_tells_what_is_present_between_its_marks(server: Peer, watching: Open) -> None:
    server.do("condition", "still", "PressAlarmType", ACTIVE)
    server.do("tell", "still", {}, 3600)
    watch = await watching(server, refresh=False)
    assert await watch.watch.refresh(watch.requests, watch.subscription)
    told = await watch.until(lambda told: END in told)
    assert (told[0], told[-1]) == (BEGIN, END)
    [still] = [one for one in told if isinstance(one, AlarmChange) and one.key == PRESS + "still"]
    assert (still.type, still.active) == ("PressAlarmType", True)
    assert still.received_ns - still.time_ns > 3590 * S, "as old as it is"
    server.do("tell", "still", GONE)


async def test_without_a_wish_all_conditions_are_told_and_plain_events_are_not(server: Peer, watching: Open) -> None:
    watch = await watching(server)
    server.do("event", {"Message": "door opened", "Severity": 900}, "BaseEventType")
    server.do("condition", "simple", "ConditionType", {"Retain": True})
    server.do("tell", "simple", {})
    [told] = await watch.changes()
    assert (told.key, told.active, told.acknowledged) == (PRESS + "simple", True, None), "it holds while retained"
    server.do("tell", "simple", {"Retain": False})
    assert [one.active for one in await watch.changes()] == [False]


async def test_plain_events_are_told_where_their_type_is_wanted(server: Peer, watching: Open) -> None:
    watch = await watching(server, types=["nsu=http://acme.example/press/;i=1", "i=2041"])
    server.do("event", {"Message": "door opened", "Severity": 900, "SourceName": "Door"}, "PressEventType")
    server.do("event", {"Message": "door opened", "SourceName": "Door"}, "BaseEventType")
    first, second = await watch.changes(2)
    assert (first.active, first.type, first.severity, first.source) == (None, "PressEventType", 900, "Door")
    assert (second.type, second.severity) == ("BaseEventType", 1)
    assert first.key != second.key


async def test_only_wanted_types_and_kinds_of_them_come(server: Peer, watching: Open) -> None:
    watch = await watching(server, types=["i=2915"])
    for name, kind in (("a", "AlarmConditionType"), ("b", "AcknowledgeableConditionType"), ("c", "PressAlarmType")):
        server.do("condition", name, kind, ACTIVE)
        server.do("tell", name, {})
    assert {one.key for one in await watch.changes(2)} == {PRESS + "a", PRESS + "c"}
    await watch.nothing()
    for name in "abc":
        server.do("tell", name, GONE)


async def test_severity_chooses_but_the_end_of_an_alarm_always_comes(server: Peer, watching: Open) -> None:
    watch = await watching(server, severity=300)
    server.do("condition", "low", "AlarmConditionType", {**ACTIVE, "Severity": 299})
    server.do("condition", "high", "AlarmConditionType", {**ACTIVE, "Severity": 300})
    for name in ("low", "high"):
        server.do("tell", name, {})
    assert [one.key for one in await watch.changes()] == [PRESS + "high"]
    server.do("tell", "high", {**GONE, "Severity": 100})
    assert [(one.key, one.active) for one in await watch.changes()] == [(PRESS + "high", False)]


async def test_sources_are_chosen_by_name(server: Peer, watching: Open) -> None:
    watch = await watching(server, source="Spindle*")
    for name, source in (("one", "Spindle1"), ("two", "spindle"), ("three", "Door")):
        server.do("condition", name, "AlarmConditionType", {**ACTIVE, "SourceName": source})
        server.do("tell", name, {})
    assert [one.source for one in await watch.changes()] == ["Spindle1"]
    await watch.nothing()


@pytest.mark.parametrize(
    ("what", "status", "refusals"),
    [
        ("where", "BadFilterOperatorUnsupported", 1), ("where", "BadFilterNotAllowed", 1),
        ("where", "BadEventFilterInvalid", 1), ("types", "BadTypeDefinitionInvalid", 2),
    ],
)  # fmt: skip
async def test_what_a_server_will_not_filter_is_filtered_here(
    server: Peer, watching: Open, what: str, status: str, refusals: int
) -> None:
    server.do("refuse", what, status)
    watch = await watching(server, severity=300, types=["i=2915"])
    server.do("refuse", "", "")
    assert watch.refused == [getattr(ua.StatusCodes, status)] * refusals
    for name, kind, severity in (
        ("low", "AlarmConditionType", 299), ("high", "PressAlarmType", 300),
        ("other", "AcknowledgeableConditionType", 900),
    ):  # fmt: skip
        server.do("condition", name, kind, {**ACTIVE, "Severity": severity})
        server.do("tell", name, {})
    server.do("event", {"Message": "door", "Severity": 900}, "BaseEventType")
    assert [one.key for one in await watch.changes()] == [PRESS + "high"]
    server.do("tell", "high", {"Severity": 100})
    assert [(one.active, one.severity) for one in await watch.changes()] == [(True, 100)], "still the same alarm"
    server.do("tell", "high", GONE)
    assert [one.active for one in await watch.changes()] == [False]
    await watch.nothing()


async def test_a_refusal_that_is_not_about_the_filter_has_no_way_round() -> None:
    watch = AlarmWatch(AlarmsModel(severity=300), [""], time.time_ns)
    watch.item(HANDLE)
    assert watch.fallback(ua.StatusCodes.BadNodeIdUnknown) is None
    assert watch.fallback(ua.StatusCodes.BadEventFilterInvalid) is not None
    assert watch.fallback(ua.StatusCodes.BadEventFilterInvalid) is not None
    assert watch.fallback(ua.StatusCodes.BadEventFilterInvalid) is None


async def test_a_server_that_cannot_refresh_is_watched_all_the_same(
    start: Callable[..., Peer], watching: Open
) -> None:
    server = start("--no-refresh")
    watch = await watching(server)
    assert watch.watch.refusal.startswith("Bad")
    server.do("condition", "hot", "AlarmConditionType", ACTIVE)
    server.do("tell", "hot", {})
    assert [one.active for one in await watch.changes()] == [True]
    server.do("overflow")
    await watch.until(lambda told: LOST in told)
    assert not watch.watch.wants_refresh()


async def test_an_overflow_is_told_and_a_refresh_is_due_but_not_all_the_time(
    server: Peer, watching: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = await watching(server)
    server.do("overflow")
    told = await watch.until(lambda told: len(told) >= 2)
    assert told[0] is LOST
    assert (told[1].active, told[1].type) == (None, "EventQueueOverflowEventType")
    assert not watch.watch.wants_refresh()
    monkeypatch.setattr("edge_agent_opcua.events.REFRESH_EVERY_NS", 0)
    assert watch.watch.wants_refresh()
    assert await watch.watch.refresh(watch.requests, watch.subscription)
    await watch.until(lambda told: END in told)
    assert not watch.watch.wants_refresh()
    server.do("required")
    await eventually(watch.watch.wants_refresh)


async def test_a_condition_keeps_its_name_when_the_servers_namespaces_change_places(
    server: Peer, start: Callable[..., Peer], watching: Open
) -> None:
    for peer in (server, start("--others", "3")):
        watch = await watching(peer, types=["nsu=http://acme.example/press/;i=1", "i=2915"])
        peer.do("condition", "hot", "PressAlarmType", ACTIVE)
        peer.do("tell", "hot", {})
        assert [one.key for one in await watch.changes()] == [PRESS + "hot"]


async def test_conditions_without_a_node_are_told_apart_and_branches_are_of_the_past(
    server: Peer, watching: Open
) -> None:
    watch = await watching(server)
    server.do("condition", "left", "AlarmConditionType", {**ACTIVE, "nameless": True})
    server.do("condition", "right", "AlarmConditionType", {**ACTIVE, "nameless": True})
    server.do("tell", "left", {})
    server.do("tell", "right", {})
    server.do("tell", "right", {"BranchId": "i=5"})
    told = [(one.key, one.past) for one in await watch.changes(3)]
    assert told == [("i=2253/left", False), ("i=2253/right", False), ("i=2253/right", True)]


async def test_times_ahead_or_before_their_forerunner_are_replaced_by_ours(server: Peer, watching: Open) -> None:
    watch = await watching(server)
    server.do("condition", "clock", "AlarmConditionType", {**ACTIVE, "ActiveState/TransitionTime": -3600})
    server.do("tell", "clock", {}, -3600)
    [ahead] = await watch.changes()
    assert (ahead.time_ns, ahead.since_ns) == (ahead.received_ns, None)
    server.do("tell", "clock", GONE, 3600)
    [back] = await watch.changes()
    assert back.time_ns == back.received_ns, "the server's clock was put back in between"


async def test_a_namespace_the_server_does_not_have_is_a_mistake_for_the_node_only() -> None:
    with pytest.raises(ValueError, match="no namespace urn:gone"):
        AlarmWatch(AlarmsModel(node="nsu=urn:gone;s=x"), ["", "urn:x"], time.time_ns)
    watch = AlarmWatch(AlarmsModel(types=["nsu=urn:gone;s=x"]), ["", "urn:x"], time.time_ns)
    assert (watch.missing, watch.take([])) == (("nsu=urn:gone;s=x",), [])


def test_the_queue_is_asked_for_and_the_oldest_go_first() -> None:
    parameters = AlarmWatch(AlarmsModel(), [""], time.time_ns).item(HANDLE).RequestedParameters
    assert (parameters.QueueSize, parameters.DiscardOldest, parameters.ClientHandle) == (QUEUE, True, HANDLE)


# -- a server whose authors never saw our library -------------------------------------------------------

@pytest.mark.peer
async def test_a_limit_alarm_of_node_opcua_comes_is_acknowledged_and_goes(cell: Peer, watching: Open) -> None:
    watch = await watching(cell, severity=100)
    assert watch.refused == []
    cell.do("severity", "Hot", 400)
    cell.do("write", "Temp", 95)
    [hot] = await watch.changes()
    assert hot.key.endswith(";s=Hot")
    assert hot.key.startswith("nsu=")
    assert (hot.source, hot.type, hot.active, hot.acknowledged) == ("1:Temp", "NonExclusiveLimitAlarmType", True, False)
    cell.do("write", "Temp", 100)
    worse = await watch.changes()
    assert {one.active for one in worse} == {True}
    condition = watch.client.get_node(ua.NodeId("Hot", 1))
    await condition.call_method("0:Acknowledge", watch.events[-1][0], ua.LocalizedText("seen"))
    acked = await watch.changes()
    assert (acked[-1].acknowledged, acked[-1].comment) == (True, "seen")
    cell.do("write", "Temp", 50)
    gone = await watch.changes()
    assert (gone[-1].active, gone[-1].key) == (False, hot.key)
    assert gone[-1].acknowledged is True


@pytest.mark.peer
async def test_node_opcua_tells_its_present_conditions_again_and_no_more_of_those_gone(
    cell: Peer, watching: Open
) -> None:
    cell.do("write", "Door", 1)
    watch = await watching(cell, refresh=False)
    assert await watch.watch.refresh(watch.requests, watch.subscription), watch.watch.refusal
    told = await watch.until(lambda told: END in told)
    assert (told[0], told[-1]) == (BEGIN, END)
    [door] = [one for one in told if isinstance(one, AlarmChange) and one.key.endswith("s=DoorOpen")]
    assert (door.active, door.source, door.type) == (True, "1:Door", "OffNormalAlarmType")
    alarms = Alarms()
    alarms.take("cell", told, time.time_ns())
    cell.do("write", "Door", 0)
    alarms.take("cell", await watch.until(lambda told: any(one.active is False for one in told)), time.time_ns())
    [span] = [span for span in alarms.spans(0, 1 << 62) if span.source == "1:Door"]
    assert (span.acknowledged, span.branched) == (False, True), "it ended before anybody had seen it"
    assert span.end is not None
    assert span.end > span.start
    branch = next(event for event, is_branch in reversed(watch.events) if is_branch)
    condition = watch.client.get_node(ua.NodeId("DoorOpen", 1))
    await condition.call_method("0:Acknowledge", branch, ua.LocalizedText("ok"))
    alarms.take("cell", await watch.until(lambda told: any(one.acknowledged for one in told)), time.time_ns())
    [span] = [span for span in alarms.spans(0, 1 << 62) if span.source == "1:Door"]
    assert (span.acknowledged, span.comment) == (True, "ok")
    assert await watch.watch.refresh(watch.requests, watch.subscription)
    told = await watch.until(lambda told: END in told)
    assert not [one for one in told if isinstance(one, AlarmChange) and one.key.endswith("s=DoorOpen")]


@pytest.mark.peer
async def test_node_opcua_filters_by_type_and_severity_as_asked(cell: Peer, watching: Open) -> None:
    watch = await watching(cell, severity=500, types=["i=2041"])
    assert watch.refused == []
    cell.do("event", 499, "quiet")
    cell.do("event", 500, "loud")
    told = await watch.changes()
    assert [(one.reason, one.severity, one.active) for one in told if one.severity < 900] == [("loud", 500, None)]
    limited = await watching(cell, types=["i=2955"])
    cell.do("event", 900, "no limit alarm")
    cell.do("write", "Temp", 5)
    [low] = await limited.changes()
    assert (low.key.endswith("s=Hot"), low.active) == (True, True)
    cell.do("write", "Temp", 50)
    assert (await limited.until(lambda told: any(one.active is False for one in told)))[-1].past is False
