"""The one file that knows asyncua: one connection to one server, used once.

asyncua 2.1 is used without its reconnecting (`supervise` does that, with a fresh object), without
its handlers (a task per change) and iterators (drop when full): the publish callback of its
session layer brings each publish response as a whole. Its log is silenced unless someone has set
the level of the logger `asyncua`: what it would say is raised here, and its INFO formats every
response (4 µs a change).

Touched beyond its documented face, all checked against 2.1.0: `session.publish` is wrapped (its loop
would swallow undecodable responses), and the tasks it leaves behind are ended by name.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from asyncua import Client, ua
from asyncua.crypto import security_policies

from edge_agent.api import AccessDenied, NotConnected
from edge_agent_opcua.nodeid import Identifier
from edge_agent_opcua.values import NOT_A_SCALAR, Changes

# The library's own look at the server's state: a slow second of the server's or of ours must not end
# the session.
PROBE_S: Final = 5.0
CLOSE_S: Final = 1.0

# Items in one CreateMonitoredItems call where the server names no smaller limit of its own.
ITEMS_PER_CALL: Final = 500

# One response stays small enough to be decoded within some 50 ms of the event loop.
CHANGES_PER_RESPONSE: Final = 5_000

_NAMESPACE_ARRAY: Final = 2255
_MAX_MONITORED_ITEMS_PER_CALL: Final = 11714
_SEQUENCE_MAX: Final = 0xFFFF_FFFF

_DENIED: Final = frozenset(
    getattr(ua.StatusCodes, name)
    for name in (
        "BadUserAccessDenied", "BadIdentityTokenInvalid", "BadIdentityTokenRejected",
        "BadUserSignatureInvalid", "BadSecurityPolicyRejected", "BadSecurityModeRejected",
        "BadSecurityModeInsufficient", "BadLicenseExpired", "BadLicenseLimitsExceeded",
        "BadLicenseNotAvailable",
    )
)  # fmt: skip

# Policies under which the library can encrypt a password for the server's certificate.
_ENCRYPTING: Final = frozenset(
    policy.URI
    for policy in (
        security_policies.SecurityPolicyAes256Sha256RsaPss,
        security_policies.SecurityPolicyAes128Sha256RsaOaep,
        security_policies.SecurityPolicyBasic256Sha256,
    )
)

Failure = NotConnected | AccessDenied


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server says about itself: its namespace array, and the items it takes in one call."""

    namespaces: Sequence[str]
    items_per_call: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The publishing the server has granted, ns."""

    publish_ns: int
    keepalive_ns: int


@dataclass(frozen=True, slots=True)
class Item:
    """A variable to be monitored; `handle` comes back with each of its changes."""

    handle: int
    namespace: int
    identifier: Identifier
    sample_ns: int
    queue: int


@dataclass(frozen=True, slots=True)
class Granted:
    """The server's answer for one item: `refusal` names its reason, '' if it is monitored."""

    refusal: str
    sample_ns: int


class _Client(Client):  # type: ignore[misc]  # asyncua is one third annotated: mypy does not follow it
    """asyncua's client, which asks before a password would go out readable."""

    tokens: Sequence[Any] = ()
    certificate: bytes | None = None
    insecure = False

    async def create_session(self) -> Any:
        result = await super().create_session()
        policy = self.security_policy
        endpoint = Client.find_endpoint(result.ServerEndpoints, policy.Mode, policy.URI)
        self.tokens = endpoint.UserIdentityTokens or ()
        self.certificate = result.ServerCertificate
        return result

    def server_policy(self, token_type: Any) -> Any:
        """The server's first policy for this kind of login, but one with encryption if there is any."""
        for policy in self.tokens if self.certificate else ():
            if policy.TokenType == token_type and policy.SecurityPolicyUri in _ENCRYPTING:
                return policy
        return super().server_policy(token_type)

    async def activate_session(
        self, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> Any:
        if username:
            self._check_login(bool(password))
        return await super().activate_session(username, password, certificate)

    def _check_login(self, has_password: bool) -> None:
        kind = ua.UserTokenType.UserName
        if not any(policy.TokenType == kind for policy in self.tokens):
            raise AccessDenied("the server takes no user and password here; leave `login` out")
        encrypted = self.certificate and self.server_policy(kind).SecurityPolicyUri in _ENCRYPTING
        if has_password and not encrypted and not self.insecure:
            raise AccessDenied(
                "the server offers no encryption for the password, which would cross the network readable; "
                "give the server a certificate, or allow it with login: {insecure: true}"
            )


class Connection:
    """One connection: `open`, `facts`, `subscribe`, `monitor`, `close`, in this order.

    `arrived(changes or None for a keep-alive, more to come)` is awaited for each publish response
    before the next is asked for; `lost(reason)` is called when no more will come.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float,
        session_timeout_ms: int,
        arrived: Callable[[Changes | None, bool], Awaitable[None]],
        lost: Callable[[Failure], None],
    ) -> None:
        log = logging.getLogger("asyncua")
        if log.level == logging.NOTSET:
            log.setLevel(logging.CRITICAL + 1)
        self.url = url
        self._arrived = arrived
        self._lost = lost
        self._sequence = 0
        self._subscription = 0
        self._client = client = _Client(url, timeout=timeout_s, watchdog_intervall=PROBE_S)
        client.name = client.description = "edge-agent"
        client.application_uri = "urn:edge-agent"
        client.session_timeout = session_timeout_ms
        client.connection_lost_callback = self._on_loss
        session = client.uaclient.session
        self._publish: Callable[[Any], Awaitable[Any]] = session.publish
        session.publish = self._watched_publish

    async def open(self, user: str = "", password: str = "", insecure: bool = False) -> None:
        """Connect, create and activate a session."""
        if user:
            self._client.set_user(user)
            self._client.set_password(password)
        self._client.insecure = insecure
        with self._translated():
            await self._client.connect()

    async def facts(self) -> Facts:
        """Read what subscribing needs to know."""
        params = ua.ReadParameters()
        params.NodesToRead = [
            ua.ReadValueId(NodeId=ua.NodeId(number), AttributeId=ua.AttributeIds.Value)
            for number in (_NAMESPACE_ARRAY, _MAX_MONITORED_ITEMS_PER_CALL)
        ]
        with self._translated():
            namespaces, limit = [answer.Value.Value for answer in await self._client.uaclient.read(params)]
        few = limit if isinstance(limit, int) and limit > 0 else ITEMS_PER_CALL
        return Facts(tuple(namespaces or ()), min(few, ITEMS_PER_CALL))

    async def subscribe(self, publish_ns: int, keepalive_count: int, lifetime_count: int) -> Rhythm:
        """Create the subscription."""
        params = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=publish_ns / 1e6,
            RequestedLifetimeCount=lifetime_count,
            RequestedMaxKeepAliveCount=keepalive_count,
            MaxNotificationsPerPublish=CHANGES_PER_RESPONSE,
        )
        with self._translated():
            result = await self._client.uaclient.create_subscription(params, self._on_publish)
        self._subscription = result.SubscriptionId
        publish = _ns(result.RevisedPublishingInterval)
        return Rhythm(publish, publish * max(1, result.RevisedMaxKeepAliveCount))

    async def monitor(self, items: Sequence[Item], per_call: int) -> list[Granted]:
        """Add monitored items; answers in the order of `items`."""
        granted: list[Granted] = []
        for start in range(0, len(items), per_call):
            params = ua.CreateMonitoredItemsParameters()
            params.SubscriptionId = self._subscription
            params.TimestampsToReturn = ua.TimestampsToReturn.Both
            params.ItemsToCreate = [_request(item) for item in items[start : start + per_call]]
            with self._translated():
                results = await self._client.uaclient.create_monitored_items(params)
            granted += [
                Granted("" if r.StatusCode.is_good() else r.StatusCode.name, _ns(r.RevisedSamplingInterval))
                for r in results
            ]
        return granted

    async def close(self) -> None:
        """End session and subscription, within `CLOSE_S` even if the server is silent; never raises."""
        client, uaclient = self._client, self._client.uaclient
        protocol = uaclient.protocol
        tasks = [
            task
            for task in (
                uaclient.session._publish_task,
                client._supervisor_task,
                client._stale_watchdog_task,
                client._renew_channel_task,
            )
            if task is not None
        ]
        try:
            async with asyncio.timeout(CLOSE_S):
                await _ended(tasks)
                await client.disconnect()
        except Exception:  # noqa: S110 — whatever the library stumbles over, the line is let go below
            pass
        finally:
            if protocol is not None and protocol.transport is not None:
                protocol.transport.abort()
            await asyncio.sleep(0)   # the loop closes an aborted transport in its next round

    async def _watched_publish(self, acknowledgements: Any) -> Any:
        try:
            return await self._publish(acknowledgements)
        except ua.uaerrors.BadTimeout:
            raise                     # an idle request has expired; the library sends the next
        except Exception as error:
            self._lost(self._failure(error))
            raise

    async def _on_publish(self, result: Any) -> None:
        try:
            changes = self._changes(result.NotificationMessage)
            await self._arrived(changes, bool(result.MoreNotifications))
        except Exception as error:    # the library would log it and go on as if nothing were missing
            self._lost(self._failure(error))

    def _changes(self, message: Any) -> Changes | None:
        if not message.NotificationData:
            return None
        changes = Changes()
        for notification in message.NotificationData:
            if isinstance(notification, ua.StatusChangeNotification):
                status = notification.Status.name
                raise NotConnected(f"{self.url}: the server ended the subscription: {status}")
            if isinstance(notification, ua.DataChangeNotification):
                _append(changes, notification.MonitoredItems)
        before, self._sequence = self._sequence, message.SequenceNumber
        if self._sequence != before % _SEQUENCE_MAX + 1:
            raise NotConnected(f"{self.url}: the server's message {self._sequence} came after {before}")
        return changes

    async def _on_loss(self, error: Exception) -> None:
        self._lost(self._failure(error))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> Failure:
        """The library's many exceptions, sorted by what the caller should do."""
        if isinstance(error, AccessDenied):
            return AccessDenied(f"{self.url}: {error}")
        if isinstance(error, NotConnected):
            return error
        if isinstance(error, ua.UaStatusCodeError):
            status = ua.StatusCode(error.code)
            text = f"{self.url}: {status.name}: {status.doc}"
            return AccessDenied(text) if error.code in _DENIED else NotConnected(text)
        if "No matching endpoints" in str(error):
            return AccessDenied(f"{self.url}: the server has no endpoint without channel security")
        if isinstance(error, TimeoutError):
            return NotConnected(f"{self.url}: no answer in time")
        if isinstance(error, OSError):
            return NotConnected(f"{self.url}: {error.strerror or error}")
        return NotConnected(f"{self.url}: {type(error).__name__}: {error}")


async def _ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended, whatever with."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _ns(ms: float) -> int:
    return max(0, round(ms * 1e6))


def _request(item: Item) -> Any:
    parameters = ua.MonitoringParameters(
        ClientHandle=item.handle,
        SamplingInterval=item.sample_ns / 1e6,
        QueueSize=item.queue,
        DiscardOldest=True,
    )
    node = ua.NodeId(item.identifier, item.namespace)
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=parameters,
    )


def _append(changes: Changes, items: Sequence[Any]) -> None:
    """Add notifications to the columns; the only code that runs once per change."""
    handle, types, value = changes.handle.append, changes.type.append, changes.value.append
    status, time = changes.status.append, changes.time.append
    for item in items:
        data = item.Value
        variant = data.Value
        kind = variant.VariantType if variant is not None else 0
        scalar = isinstance(kind, int) and not variant.is_array if variant is not None else True
        handle(item.ClientHandle)
        types(kind if scalar else NOT_A_SCALAR)
        value(variant.Value if variant is not None else None)
        status(data.StatusCode.value if data.StatusCode is not None else 0)
        stamp = data.SourceTimestamp or data.ServerTimestamp
        time(stamp.timestamp() if stamp is not None else math.nan)
