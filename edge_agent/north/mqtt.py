"""The MQTT publisher: knows the brokers of one destination and opens links to them.

MQTT 5 where the broker speaks it (it then says why it refuses a message), else 3.1.1; always a
clean start: what is not acknowledged waits in the journal, never in the broker's memory of us.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from functools import partial
from typing import Final

from edge_agent.api import AccessDenied, ConfigError, Credentials, Mistake, NotConnected, Profile, PublisherPlugin
from edge_agent.errors import EdgeAgentError
from edge_agent.north.mqtt_beside import Extras, fixed_part
from edge_agent.north.mqtt_client import connect, make_client
from edge_agent.north.mqtt_config import SECOND, MqttConfig
from edge_agent.north.mqtt_link import MqttLink
from edge_agent.north.mqtt_reason import Elsewhere, Unanswered, VersionRefused
from edge_agent.north.mqtt_servers import Server, Servers
from edge_agent.north.mqtt_suspect import Suspects
from edge_agent.north.mqtt_terms import Wishes
from edge_agent.north.mqtt_token import Login, read_login
from edge_agent.north.mqtt_url import Endpoint, referred
from edge_agent.supervise import Backoff

log = logging.getLogger(__name__)

VERSIONS: Final = {"auto": ("5", "3.1.1"), "5": ("5",), "3.1.1": ("3.1.1",)}
PATIENCE_S: Final = 3.0
"""a broker that knows only 3.1.1 may misread a CONNECT of MQTT 5 and wait for the rest of it (amqtt
does); CONNECT goes out after TCP and TLS are up, so even a distant one answers well within this"""
NEXT_S: Final = 5.0
"""where another broker stands in: long enough for one that is busy, short enough to lose no patience over"""
BACKOFF: Final = Backoff(first=1.0, longest=60.0)
"""for one of several brokers: the others are asked meanwhile, so this one need not be asked often"""
SHUNNED: Final = Backoff(first=1.0, longest=5.0)
"""for one that is well, but has not on it whom we want to reach: asking costs it little"""


class MqttPublisher:
    """Opens links to the first broker that takes us; remembers how each has fared."""

    def __init__(self, destination: str, config: MqttConfig, agent_id: str, profile: Profile) -> None:
        self._destination = destination
        self._config = config
        self._profile = profile
        self._agent_id = agent_id
        self._suspects = Suspects()
        self._servers = Servers(config.endpoints, VERSIONS[config.version])
        self._extras = Extras(
            tuple(config.properties.items()),
            profile.content_type,
            (config.expiry or 0) // SECOND,
            (config.data_expiry or 0) // SECOND,
            config.topic_alias,
        )
        self._last: tuple[Server, MqttLink] | None = None
        self._said = ""
        self._left_out = False

    async def connect(self) -> MqttLink:
        """See `api.Publisher.connect`. `AccessDenied`: password, certificate, client id, version."""
        loop = asyncio.get_running_loop()
        self._learn(loop.time())
        for server in self._servers.to_ask(loop.time()):
            try:
                link = await self._reach(server)
            except EdgeAgentError as error:
                server.failed(loop.time(), error, BACKOFF)
            else:
                link.alone = len(self._servers) == 1
                self._last = server, link
                self._say_what_is_left_out(link)
                self._say(server, link)
                return link
        raise self._servers.reason()

    def _learn(self, now: float) -> None:
        """How the last link fared says something of its broker."""
        if self._last is None:
            return
        (server, link), self._last = self._last, None
        if isinstance(link.fault, Elsewhere):
            target = referred(link.fault.reference, link.endpoint)
            server.referred = None if target is None or self._config.exposes(target) else target
        if link.shunned:
            server.failed(now, NotConnected(f"{link.place}: {link.shunned}"), SHUNNED)
        elif link.lasted_s >= BACKOFF.lasted:
            server.lasted()
        elif link.fault is not None:
            server.failed(now, link.fault, BACKOFF)

    def _say(self, server: Server, link: MqttLink) -> None:
        """Once for each change: why another broker than the first is used."""
        why = self._servers.before(server)
        if why and why != self._said:
            log.warning("%s: %s is used meanwhile: %s", self._destination, link.place, why)
        self._said = why

    def _say_what_is_left_out(self, link: MqttLink) -> None:
        if (keys := self._config.of_version_5()) and not link.speaks_5 and not self._left_out:
            self._left_out = True
            log.warning("%s: %s speaks MQTT 3.1.1, so without %s", self._destination, link.place, ", ".join(keys))

    async def _reach(self, server: Server) -> MqttLink:
        """A link to this broker, or to the one it sends us to: one step, never two."""
        endpoint, server.referred = server.referred or server.endpoint, None
        try:
            return await self._greet(server, endpoint)
        except Elsewhere as elsewhere:
            target = referred(elsewhere.reference, endpoint)
            if target is None:
                raise
            if self._config.exposes(target):
                why = "not followed, for user and password would cross the network unencrypted"
                raise AccessDenied(f"{elsewhere}; {why}") from elsewhere
            log.info("%s: %s sends us to %s", self._destination, endpoint, target)
        return await self._greet(server, target)

    async def _greet(self, server: Server, endpoint: Endpoint) -> MqttLink:
        """A link in the newest version of MQTT that the broker speaks."""
        patience_s = self._config.ack_timeout / SECOND
        if len(self._servers) > 1 or endpoint != server.endpoint:
            await server.look_up(endpoint, NEXT_S)
            patience_s = min(NEXT_S, patience_s)
        *newer, oldest = server.versions
        for version in newer:
            try:
                return await self._open(endpoint, version, min(PATIENCE_S, patience_s))
            except VersionRefused:
                server.versions = (oldest,)
            except Unanswered:
                pass  # perhaps because of the version; not remembered, for so does a broker that restarts
        return await self._open(endpoint, oldest, patience_s)

    async def _open(self, endpoint: Endpoint, version: str, patience_s: float) -> MqttLink:
        config = self._config
        login = await self._login()
        who = login.who
        beside_will = fixed_part(replace(self._extras, data_expiry_s=0))
        client = make_client(endpoint, version, who, self._profile.will, beside_will)
        link = MqttLink(client, endpoint, self._wishes(who.client_id), self._suspects, login.outdated)
        try:
            await link.open(partial(connect, client, endpoint, config), patience_s)
        except AccessDenied as error:
            raise type(error)(f"{error}{login.hint()}") from error
        return link

    def _wishes(self, client_id: str) -> Wishes:
        config = self._config
        ack_timeout_s = config.ack_timeout / SECOND
        return Wishes(client_id, config.window, ack_timeout_s, self._max_payload(), self._extras, config.compress)

    def _max_payload(self) -> int | None:
        """Bytes, as the site file and the platform want it."""
        limits, wanted = self._profile.limits, self._config.max_payload
        if not limits.firm or not limits.payload:
            return wanted
        return limits.payload if wanted is None else min(wanted, limits.payload)

    async def _login(self) -> Login:
        """Who we are, read anew for each connection: tokens rotate, and platforms compute theirs from the time."""
        config = self._config
        if (said := self._profile.credentials(time.time_ns())) is not None:
            return Login(said)
        password = config.password.get_secret_value() if config.password else None
        who = Credentials(config.client_id or self._agent_id, config.user, password)
        if config.user_file is None and config.password_file is None:
            return Login(who)
        return await asyncio.to_thread(read_login, who, config.user_file, config.password_file)


def build(destination: str, config: MqttConfig, agent_id: str, profile: Profile) -> MqttPublisher:
    """See `api.PublisherPlugin.build`."""
    if config.compress and not profile.may_be_packed:
        hint = f"leave it out: what reads the profile {config.profile} does not unpack"
        raise ConfigError(Mistake(f"publish.{destination}.compress", "has no use here", config.compress, hint))
    return MqttPublisher(destination, config, agent_id, profile)


plugin = PublisherPlugin(
    name="mqtt",
    summary="MQTT brokers: version 5 or 3.1.1, plain, TLS or WebSocket, acknowledged within a window",
    config=MqttConfig,
    build=build,
)
