"""One connection to one server, used once, shared by all devices of that server (see `hub`).

`open` either takes up the session of the connection before it or opens a fresh one. Then requests go through
`requests`, subscriptions are created or taken over, and their messages handed out by `Publishing` in a task of the
connection, until it is lost or closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from edge_agent.api import NotConnected, Refused
from edge_agent_opcua import facts as server_facts
from edge_agent_opcua.asking import Requests
from edge_agent_opcua.changes import Published
from edge_agent_opcua.codes import codes
from edge_agent_opcua.config import OpcUaDevice
from edge_agent_opcua.decode import republished
from edge_agent_opcua.facts import Facts
from edge_agent_opcua.failure import Failure, failure, name_of, translator
from edge_agent_opcua.items import Granted, Item, forget, monitor
from edge_agent_opcua.library import LibraryClient, Ticket, silence_library
from edge_agent_opcua.publish import MOST, Publishing
from edge_agent_opcua.quirks import Quirks, quirks_of
from edge_agent_opcua.secure import Identity, secure
from edge_agent_opcua.security.certificate import CertificateTrouble, thumbprint
from edge_agent_opcua.security.explain import dropped
from edge_agent_opcua.stream import Rhythm, Stream

# One response stays small enough to be decoded within some 10 ms of the event loop.
CHANGES_PER_RESPONSE: Final = 10_000
_GONE: Final = codes("BadMessageNotAvailable", "BadSubscriptionIdInvalid", "BadServiceUnsupported")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a connection is opened with, besides who we are: see `OpcUaDevice`."""

    timeout_s: float
    session_timeout_ms: int
    server: str = "auto"
    items_per_call: int = 0
    reads_per_call: int = 0
    items_per_subscription: int = 0
    publish_requests: int = 0


def wishes_of(config: OpcUaDevice) -> Wishes:
    """Those of a device."""
    limits = config.limits
    return Wishes(
        config.timeout / 1e9, config.session_timeout // 1_000_000, config.server, limits.items_per_call or 0,
        limits.reads_per_call or 0, limits.items_per_subscription or 0, limits.publish_requests or 0,
    )  # fmt: skip


class Connection:
    """`lost(connection, reason)` is called once, when nothing more will come and it was not closed by us."""

    def __init__(
        self, url: str, identity: Identity, wishes: Wishes, lost: Callable[[Connection, Failure], None]
    ) -> None:
        silence_library()
        self.url = url
        self.facts = Facts()
        self.quirks = Quirks()
        self.translated = translator(url)
        self.heard_s = 0.0
        """when the server last said anything, by the loop's time"""
        self._identity = identity
        self._wishes = wishes
        self._lost = lost
        self._over = False
        self._for_good = False
        self._client = client = LibraryClient(url, wishes.timeout_s, wishes.session_timeout_ms)
        client.connection_lost_callback = self._on_loss
        self.session = client.uaclient.session
        self.requests = Requests(self.session, self.facts.limits, self.translated)
        self.publishing = Publishing(self._send_publish)
        self._task: asyncio.Task[None] | None = None

    @property
    def resumed(self) -> bool:
        """Whether it goes on with the session of the connection before it."""
        return self._client.resumed

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._task is not None and not self._over

    @property
    def session_timeout_s(self) -> float:
        """How long the server keeps the session without hearing from us."""
        return float(self._client.session_timeout) / 1e3

    async def open(self, ticket: Ticket | None = None) -> None:
        """Connect, secure the channel, take up the session of `ticket` or open one, and learn what the server is."""
        client = self._client
        client.ticket = ticket
        with self.translated():
            own = await secure(client, self.url, self._identity)
        if own is not None:
            self.translated = translator(self.url, thumbprint(own.certificate))
        with self.translated():
            try:
                await client.connect()
            except ConnectionError as error:
                if own is None or error.errno is not None:
                    raise
                raise CertificateTrouble(dropped(thumbprint(own.certificate))) from error
        self.requests = Requests(self.session, self.facts.limits, self.translated)
        self.facts = await server_facts.ask(self.requests)
        self._set_limits()
        self.heard_s = asyncio.get_running_loop().time()
        self.publishing = Publishing(self._send_publish, self._wishes.publish_requests or self._most_requests())
        self._task = asyncio.create_task(self._publish(), name=f"publish {self.url}")

    def _set_limits(self) -> None:
        wishes, limits = self._wishes, self.facts.limits
        self.quirks = quirks_of(wishes.server, self.facts.said)
        self.quirks.lower(limits)
        asked = Quirks(
            items_per_call=wishes.items_per_call,
            reads_per_call=wishes.reads_per_call,
            items_per_subscription=wishes.items_per_subscription,
        )
        asked.lower(limits)

    def _most_requests(self) -> int:
        return self.quirks.publish_requests or MOST

    async def subscribe(
        self,
        publish_ns: int,
        keepalive_count: int,
        lifetime_count: int,
        put: Callable[[Published], Awaitable[None]],
        end: Callable[[NotConnected], None],
    ) -> Stream:
        """Create a subscription whose messages go to `put`. Refused: the server has no room for one, or none at all."""
        params = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=publish_ns / 1e6,
            RequestedLifetimeCount=lifetime_count,
            RequestedMaxKeepAliveCount=keepalive_count,
            MaxNotificationsPerPublish=CHANGES_PER_RESPONSE,
        )
        request = ua.CreateSubscriptionRequest()
        request.Parameters = params
        result = (await self._asked(request, ua.CreateSubscriptionResponse, _CANNOT_SUBSCRIBE)).Parameters
        publish = max(0, round(result.RevisedPublishingInterval * 1e6))
        rhythm = Rhythm(publish, publish * max(1, result.RevisedMaxKeepAliveCount))
        stream = Stream(result.SubscriptionId, rhythm, put, end)
        self._claim(stream)
        return stream

    async def take_over(self, streams: Sequence[Stream], may_transfer: bool) -> bool:
        """Go on with the subscriptions of an earlier connection; False if the server has not kept all of them.

        What was lost on the way is asked for again. `may_transfer`: also out of a session that is gone, for it is
        known that their numbers are still ours.
        """
        if not self.resumed and not (may_transfer and await self._transferred(streams)):
            return False
        for stream in streams:
            self._claim(stream)
        return True

    async def _transferred(self, streams: Sequence[Stream]) -> bool:
        """Have the subscriptions of a session that is gone moved into this one (Part 4, 5.14.7)."""
        if not self.quirks.transfer:
            return False
        params = ua.TransferSubscriptionsParameters([stream.subscription for stream in streams], False)
        with self.translated():
            try:
                results = await self.session.transfer_subscriptions(params)
            except ua.UaStatusCodeError as refusal:
                if refusal.code in _LINE:
                    raise
                return False
        return len(results) == len(streams) and all(result.StatusCode.is_good() for result in results)

    def _claim(self, stream: Stream) -> None:
        stream.again = self._again
        stream.alive()
        self.publishing.claim(stream.subscription, stream.take, stream.end)

    async def monitor(self, stream: Stream, items: Sequence[Item]) -> list[Granted]:
        """Add items to a subscription; answers in the order of `items`."""
        granted = await monitor(
            self.requests, self.session.create_monitored_items, stream.subscription, items, filters=self.quirks.filters
        )
        stream.items |= {item.handle: one.id for item, one in zip(items, granted, strict=True) if one.id}
        return granted

    async def monitor_one(self, stream: Stream, request: Any) -> tuple[int, int]:
        """Add one item as `request` says; its id, or the StatusCode with which it is refused."""
        params = ua.CreateMonitoredItemsParameters(
            SubscriptionId=stream.subscription, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=[request]
        )
        with self.translated():
            [answer] = await self.session.create_monitored_items(params)
        good = answer.StatusCode.is_good()
        return (int(answer.MonitoredItemId), 0) if good else (0, int(answer.StatusCode.value))

    async def unmonitor(self, stream: Stream, handles: Sequence[int]) -> None:
        """Take items out again."""
        ids = [stream.items.pop(handle) for handle in handles if handle in stream.items]
        if ids:
            await forget(self.session, self.requests, stream.subscription, ids)

    async def unsubscribe(self, streams: Sequence[Stream]) -> None:
        """Delete subscriptions; ones the server does not know any more are none."""
        for stream in streams:
            self.publishing.disclaim(stream.subscription)
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [stream.subscription for stream in streams]
        with self.translated():
            await self.session._send_request(request)

    async def ping(self) -> None:
        """Return once the server has answered something."""
        await server_facts.namespaces(self.requests)

    async def close(self, keep_session: bool = False) -> Ticket | None:
        """Close it, within about a second. With `keep_session`, the server keeps the session for whoever has the
        ticket that is returned."""
        self._over = True
        keep_session = keep_session and not self._for_good
        ticket = self._client.leave_ticket() if keep_session else None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.leave(keep_session)
        return ticket

    def fail(self, reason: Failure, for_good: bool = False) -> None:
        """Nothing more will come of it; `for_good`: nor is its session wanted any more."""
        if not self._over:
            self._over, self._for_good = True, for_good
            self._lost(self, reason)

    # -- inside ----------------------------------------------------------------------------------

    async def _publish(self) -> None:
        try:
            await self.publishing.run()
        except Exception as error:
            self.fail(failure(self.url, error))

    def _send_publish(self, request: Any) -> asyncio.Future[Any]:
        protocol = self._client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("the connection was closed")
        self.heard_s = asyncio.get_running_loop().time()
        return protocol._send_request(request, 0)  # type: ignore[no-any-return]  # asyncua is not typed

    async def _again(self, subscription: int, number: int) -> Published:
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = subscription
        request.Parameters.RetransmitSequenceNumber = number
        with self.translated():
            try:
                return republished(await self.session._send_request(request), subscription)
            except ua.UaStatusCodeError as refusal:
                if refusal.code in _GONE:
                    raise Refused(name_of(refusal.code)) from refusal
                raise

    async def _asked(self, request: Any, response: Any, refusals: frozenset[int]) -> Any:
        from asyncua.ua.ua_binary import struct_from_binary

        with self.translated():
            try:
                answer = struct_from_binary(response, await self.session._send_request(request))
                answer.ResponseHeader.ServiceResult.check()
            except ua.UaStatusCodeError as refusal:
                if refusal.code in refusals:
                    raise Refused(name_of(refusal.code)) from refusal
                raise
        return answer

    async def _on_loss(self, error: Exception) -> None:
        self.fail(failure(self.url, error))


_CANNOT_SUBSCRIBE: Final = codes(
    "BadServiceUnsupported", "BadTooManySubscriptions", "BadNotImplemented", "BadNotSupported",
    "BadRequestTypeInvalid",
)  # fmt: skip
_LINE: Final = codes(
    "BadSessionIdInvalid", "BadSessionClosed", "BadSessionNotActivated", "BadSecureChannelIdInvalid",
    "BadSecureChannelClosed", "BadConnectionClosed", "BadCommunicationError", "BadTimeout", "BadShutdown",
)  # fmt: skip
