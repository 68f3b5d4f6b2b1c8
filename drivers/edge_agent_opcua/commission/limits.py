"""What a server can take: what it says, and what it does when it is tried.

Tried with the given variables, over and over: reading them in larger and larger calls, and monitoring them in a
subscription that nothing is ever published on and that is deleted again. Nothing is written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from asyncua import ua

from edge_agent.api import Inquiry, Measured, NotConnected, Refused
from edge_agent_opcua.changes import Published
from edge_agent_opcua.commission.asker import Asked, Asker, Enough
from edge_agent_opcua.commission.probe import Place, find, where_of
from edge_agent_opcua.commission.spelling import node_of
from edge_agent_opcua.commission.target import Target, target_of
from edge_agent_opcua.limits import DEFAULT, NODES

OPTIONS: Final = ("reads", "every")
_READS: Final = 20
_READS_MOST: Final = 1_000
# So many in one call are tried: what the agent puts into one at most.
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)
# The fastest rhythms that are asked for: what the server makes of them is its own fastest; ms.
_PUBLISH_NS: Final = 10_000_000
_SAMPLE_MS: Final = 10.0
# The subscription says every so many publish intervals that it is there, and ends by itself after so many.
_KEEPALIVES: Final = 100
_LIFETIME: Final = 300
# What is kept of the driver's own default, ms.
_DEFAULT_PUBLISH_MS: Final = 500.0
# A timeout: so many times what the slowest of the answers took, and not less than this; s.
_SAFETY: Final = 4
_TIMEOUTS_S: Final = (1.0, 2.0, 4.0, 10.0, 20.0, 30.0)


async def limits(url: str, addresses: Sequence[str], inquiry: Inquiry) -> list[Measured]:
    """See `Tools.limits`. Any number of variables, one is enough."""
    inquiry.check(OPTIONS, "an OPC UA server")
    target = target_of(url, inquiry.keys)
    reads = inquiry.whole("reads", _READS, _READS_MOST)
    every_s = inquiry.seconds("every", 0.0)
    places = [Place(where_of(one)) for one in addresses]
    async with Asker(target, inquiry) as asker:
        study = _Study(target, inquiry, reads, every_s)
        try:
            await asker.ask(lambda asked: study.begin(asked, places))
            await asker.ask(study.run)
        except Enough:
            inquiry.tell("ended before everything was measured")
        return study.found


class _Study:
    """The experiments, one after the other; `found` is right at any time."""

    def __init__(self, target: Target, inquiry: Inquiry, reads: int, every_s: float) -> None:
        self.found: list[Measured] = []
        self._target = target
        self._inquiry = inquiry
        self._reads = reads
        self._every_s = every_s
        self._ids: list[str] = []
        self._sizes: dict[str, int] = {}

    async def begin(self, asked: Asked, places: Sequence[Place]) -> None:
        """Find the variables to measure with. Refused if there is none of them."""
        await find(asked, places)
        for place in places:
            if place.refusal:
                self._inquiry.tell(f"{place.where.text}: {place.refusal}")
        self._ids = [place.id for place in places if place.id]
        if not self._ids:
            raise Refused(f"{self._target.url}: {places[0].where.text} cannot be read: {places[0].refusal}", sent=False)

    async def run(self, asked: Asked) -> None:
        """All experiments over one session, from the beginning."""
        self.found.clear()
        self._said(asked)
        await self._answer_time(asked)
        await self._read_call(asked)
        await self._subscription(asked)
        value = ", ".join(f"{key}: {most}" for key, most in self._sizes.items())
        why = "more was refused in one call" if value else f"up to {_SIZES[-1]} in one call nothing was refused"
        self._note("limits", f"{{{value}}}" if value else "", why)

    def _note(self, key: str, value: str, why: str) -> None:
        self.found.append(Measured(key, value, why))
        self._inquiry.tell(f"{key}: {value or 'not known'}; {why}")

    def _nodes(self, asked: Asked, count: int) -> list[Any]:
        nodes = [node_of(id_, asked.namespaces) for id_ in self._ids]
        return [nodes[n % len(nodes)] for n in range(count)]

    def _check(self) -> None:
        if self._inquiry.enough():
            raise Enough

    # -- what it says ------------------------------------------------------------------------

    def _said(self, asked: Asked) -> None:
        own = asked.requests.limits
        most = {operation: own.per_call.get(operation, DEFAULT) for operation in NODES}
        said = [f"{number} {operation} a call" for operation, number in most.items() if number < DEFAULT]
        said += [f"{own.subscriptions} subscriptions a session"] * bool(own.subscriptions)
        said += [f"{own.items_per_subscription} items a subscription"] * bool(own.items_per_subscription)
        told = f"it says that it takes {', '.join(said)}" if said else f"it names no limit below {DEFAULT} a call"
        self._note("server", "", f"{asked.facts}; {told}")

    # -- what it does ------------------------------------------------------------------------

    async def _answer_time(self, asked: Asked) -> None:
        times = []
        for _ in range(self._reads):
            self._check()
            began = time.perf_counter()
            await asked.requests.attributes(self._nodes(asked, 1))
            times.append(time.perf_counter() - began)
            await asyncio.sleep(self._every_s)
        times.sort()
        wanted = next((t for t in _TIMEOUTS_S if t >= _SAFETY * times[-1]), _TIMEOUTS_S[-1])
        median = times[len(times) // 2]
        why = f"{len(times)} reads of one value took {_ms(median)} (median), {_ms(times[-1])} at most"
        self._note("timeout", f"{wanted:g}s", why)

    async def _read_call(self, asked: Asked) -> None:
        async def read(count: int) -> str:
            what = [ua.ReadValueId(NodeId=node, AttributeId=13) for node in self._nodes(asked, count)]
            answers = await asked.connection.session.read(ua.ReadParameters(NodesToRead=what))
            return "" if len(answers) == count else f"{len(answers)} answers to {count} questions"

        most, why = await self._largest(read)
        self._called("reads_per_call", most, why, "values", "read")

    def _called(self, key: str, most: int, why: str, what: str, done: str) -> None:
        if why and most:
            self._sizes[key] = most
            self._inquiry.tell(f"{key}: {most} {what} were {done} in one call, more were not: {why}")
        elif why:
            self._note(key, "", f"not even one of the {what} could be {done}: {why}")
        else:
            self._inquiry.tell(f"{key}: {most} {what} were {done} in one call; more are not tried")

    async def _largest(self, attempt: Callable[[int], Awaitable[str]]) -> tuple[int, str]:
        """The largest number that goes, and why more do not ('' where the largest tried did)."""
        good, refused, why = 0, 0, ""
        for size in _SIZES:
            if why := await self._tried(attempt, size):
                refused = size
                break
            good = size
        while refused - good > 1:
            middle = (good + refused) // 2
            if told := await self._tried(attempt, middle):
                refused, why = middle, told
            else:
                good = middle
        return good, why

    async def _tried(self, attempt: Callable[[int], Awaitable[str]], size: int) -> str:
        self._check()
        try:
            return await attempt(size)
        except ua.UaStatusCodeError as error:
            return str(ua.StatusCode(error.code).name)
        except (OSError, TimeoutError) as error:
            raise NotConnected(f"{self._target.url}: lost at {size} in one call: {error or 'no answer'}") from error

    async def _subscription(self, asked: Asked) -> None:
        async def put(_message: Published) -> None:
            """Nothing is monitored that could send any."""

        try:
            stream = await asked.connection.subscribe(_PUBLISH_NS, _KEEPALIVES, _LIFETIME, put, lambda _end: None)
        except Refused as refusal:
            self._note("poll", "1s", f"it cannot be subscribed to: {refusal}; read it instead")
            return
        fastest_ms = stream.rhythm.publish_ns / 1e6
        self._note(
            "publish", f"{max(fastest_ms, _DEFAULT_PUBLISH_MS):g}ms",
            f"asked for {_PUBLISH_NS / 1e6:g} ms, the server grants {fastest_ms:g} ms at the fastest",
        )  # fmt: skip
        try:
            await self._monitoring(asked, stream.subscription)
        finally:
            await asked.connection.unsubscribe([stream])

    async def _monitoring(self, asked: Asked, subscription: int) -> None:
        sampled: list[float] = []

        async def monitor(count: int) -> str:
            results = await asked.connection.session.create_monitored_items(
                _items(subscription, self._nodes(asked, count))
            )
            made = [one.MonitoredItemId for one in results if one.StatusCode.is_good()]
            sampled.extend(one.RevisedSamplingInterval for one in results if one.StatusCode.is_good())
            if made:
                await _delete_items(asked, subscription, made)
            bad = next((one.StatusCode.name for one in results if not one.StatusCode.is_good()), "")
            return str(bad)

        most, why = await self._largest(monitor)
        self._called("items_per_call", most, why, "items", "monitored")
        if sampled:
            fastest = max(sampled)
            why = f"of a tag: asked for {_SAMPLE_MS:g} ms, the server looks at it every {fastest:g} ms"
            self._note("sample", "", why)


def _items(subscription: int, nodes: Sequence[Any]) -> Any:
    parameters = ua.CreateMonitoredItemsParameters()
    parameters.SubscriptionId = subscription
    parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
    parameters.ItemsToCreate = [
        ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Disabled,
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=n, SamplingInterval=_SAMPLE_MS, QueueSize=1, DiscardOldest=True
            ),
        )
        for n, node in enumerate(nodes)
    ]
    return parameters


async def _delete_items(asked: Asked, subscription: int, items: Sequence[int]) -> None:
    """Again, a few at a time: what may be created in one call may well be deleted in one."""
    for start in range(0, len(items), DEFAULT):
        part = list(items[start : start + DEFAULT])
        await asked.connection.session.delete_monitored_items(
            ua.DeleteMonitoredItemsParameters(SubscriptionId=subscription, MonitoredItemIds=part)
        )


def _ms(seconds: float) -> str:
    return f"{seconds * 1_000:.3g} ms"
