"""What clients may do, which is read and subscribe, and how much of it.

Sessions, subscriptions, monitored items and their queues are limited; asyncua would take as many of each as
are asked for. What answering may cost is in `connections`.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
from datetime import datetime
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.address_space import AttributeService, NodeManagementService
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.standard_address_space.standard_address_space import fill_address_space
from asyncua.server.subscription_service import SubscriptionService

from edge_agent_opcua.serving.admit import Door

_SUBSCRIPTIONS: Final = 5               # a session, on average
_FASTEST_MS: Final = 100.0              # publishing interval: values come every 100 ms at most
_QUEUE: Final = 100                     # changes of one item that wait for a slow client
_UNACKNOWLEDGED: Final = 50             # messages kept of one subscription, in case they are asked for again
_PENDING: Final = 10_000                # requests of a connection that wait; see `connections` for what is read at all
_ACTIVATE_S: Final = 10.0               # a connection without a session is ended

_O = ua.ObjectIds
_ALLOWED: Final = tuple(ua.NodeId(getattr(_O, f"{name}Request_Encoding_DefaultBinary")) for name in (
    "CreateSession", "ActivateSession", "CloseSession", "CloseSecureChannel", "GetEndpoints", "FindServers",
    "Read", "Write", "Browse", "TranslateBrowsePathsToNodeIds", "RegisterNodes", "UnregisterNodes",
    "CreateSubscription", "ModifySubscription", "DeleteSubscriptions", "TransferSubscriptions", "SetPublishingMode",
    "CreateMonitoredItems", "ModifyMonitoredItems", "DeleteMonitoredItems", "SetMonitoringMode",
    "Publish", "Republish",
))  # fmt: skip
# Write is among them so that a client learns of each node that it is read-only.


class Reader(SimpleRoleRuleset):  # type: ignore[misc]  # asyncua is not typed
    """What a user may ask; everything else, methods and node management, is refused."""

    def check_validity(self, user: User, action_type: Any, body: Any) -> bool:
        """See `asyncua.crypto.permission_rules`."""
        return action_type in _ALLOWED


class ReadOnly(AttributeService):  # type: ignore[misc]  # asyncua is not typed
    """Attributes that no client writes. The server timestamp of a value of ours is when it was last known to be
    true: values are compared all the time and written only when they change."""

    known_at: datetime | None = None
    own: int = -1      # the index of our namespace

    def read(self, params: Any) -> list[Any]:
        """See `AttributeService.read`."""
        results: list[Any] = super().read(params)
        for n, wanted in enumerate(params.NodesToRead):
            is_ours = wanted.NodeId.NamespaceIndex == self.own and wanted.AttributeId == ua.AttributeIds.Value
            if is_ours and self.known_at is not None:
                results[n] = dataclasses.replace(results[n], ServerTimestamp=self.known_at)
        return results

    async def write(self, params: Any, user: User = User(role=UserRole.Admin)) -> list[Any]:  # noqa: B008 (asyncua's)
        """See `AttributeService.write`."""
        if user.role is UserRole.Admin:
            return list(await super().write(params, user))
        return [self._refusal(wanted) for wanted in params.NodesToWrite]

    def _refusal(self, wanted: Any) -> Any:
        there = self._aspace.read_attribute_value(wanted.NodeId, ua.AttributeIds.NodeClass)
        return ua.StatusCode(ua.StatusCodes.BadNotWritable) if there.StatusCode.is_good() else there.StatusCode


class Subscriptions(SubscriptionService):  # type: ignore[misc]  # asyncua is not typed
    """No faster than values come, and no more items than `most_items` in all."""

    most_items = 0

    async def create_subscription(self, params: Any, *rest: Any, **more: Any) -> Any:
        """See `SubscriptionService.create_subscription`."""
        asked = params.RequestedPublishingInterval
        params.RequestedPublishingInterval = asked if asked >= _FASTEST_MS else _FASTEST_MS     # NaN included
        return await super().create_subscription(params, *rest, **more)

    async def create_monitored_items(self, params: Any) -> list[Any]:
        """See `SubscriptionService.create_monitored_items`."""
        held = sum(len(one.monitored_item_srv._monitored_items) for one in self.subscriptions.values())
        if held + len(params.ItemsToCreate) > self.most_items:
            full = ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems)
            return [ua.MonitoredItemCreateResult(StatusCode=full) for _ in params.ItemsToCreate]
        return list(await super().create_monitored_items(params))


    def modify_monitored_items(self, params: Any) -> list[Any]:
        """See `SubscriptionService.modify_monitored_items`."""
        for item in params.ItemsToModify:       # 0 would be a queue without an end
            item.RequestedParameters.QueueSize = min(item.RequestedParameters.QueueSize or _QUEUE, _QUEUE)
        return list(super().modify_monitored_items(params))


class Stopped(Exception):
    """Nobody wants the server any more."""


class _Building(NodeManagementService):  # type: ignore[misc]  # asyncua is not typed
    """Adds nodes until told to stop: all those of OPC UA itself take seconds."""

    stop: threading.Event

    def _add_node(self, *args: Any, **options: Any) -> Any:
        if self.stop.is_set():
            raise Stopped
        return super()._add_node(*args, **options)


class Inside(InternalServer):  # type: ignore[misc]  # asyncua is not typed
    """The server behind its connections, with limits. `stop` ends `init` with `Stopped`."""

    def __init__(self, door: Door, sessions: int, variables: int, stop: threading.Event) -> None:
        super().__init__(user_manager=door)
        self.door, self.most_sessions = door, sessions
        self.supported_tokens = door.tokens
        self.allow_remote_admin = False
        self.max_connections = 2 * sessions         # those that only ask for endpoints are soon gone again
        self.max_pending_activation_seconds = _ACTIVATE_S
        self.max_subscriptions = _SUBSCRIPTIONS * sessions
        self.max_monitored_item_queue_size = _QUEUE
        self.max_unacked_messages_per_subscription = _UNACKNOWLEDGED
        self.max_pending_messages_per_connection = _PENDING
        self.node_mgt_service = _Building(self.aspace)
        self.node_mgt_service.stop = stop
        self.attribute_service = ReadOnly(self.aspace)
        self.subscription_service = Subscriptions(self.aspace, iserver=self)
        self.subscription_service.most_items = sessions * (variables + 100)
        self.isession.subscription_service = self.subscription_service

    async def load_standard_address_space(self, shelf_file: Any = None) -> None:
        """See `InternalServer.load_standard_address_space`. In this thread, which has nothing else to do yet."""
        fill_address_space(self.node_mgt_service)

    def create_session(self, name: Any, user: User = User(), external: bool = False) -> InternalSession:  # noqa: B008 (asyncua's)
        """A new session, in the place of the oldest that was never activated if there are too many (Part 4, 5.7.2)."""
        if external and len(self._external_sessions) >= self.most_sessions:
            idle = next((one for one in self._external_sessions.values() if not one.is_activated()), None)
            if idle is None:
                raise ServiceError(ua.StatusCodes.BadTooManySessions)
            self.unregister_external_session(idle)
        session = super().create_session(name, user, external)
        if external:
            self.unregister_external_session(session)
            session.auth_token = ua.NodeId(secrets.token_bytes(32), 0, ua.NodeIdType.ByteString)    # asyncua counts
            self.register_external_session(session)
        return session

    def decrypt_user_token(self, isession: Any, token: Any) -> tuple[str, str]:
        """See `InternalServer.decrypt_user_token`."""
        self.door.check_password(token)
        name, password = super().decrypt_user_token(isession, token)
        return name, password

    def register_server(self, server: Any, conf: Any = None) -> None:
        """This is no discovery server: what others would leave here has no end."""
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
