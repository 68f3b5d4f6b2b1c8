"""The MQTT publisher: knows one broker's configuration and opens links to it.

MQTT 5 where the broker speaks it (it then says why it refuses a message), else 3.1.1; always a
clean start: what is not acknowledged waits in the journal, never in the broker's memory of us.
"""

from __future__ import annotations

import ssl
import time
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.api import AccessDenied, Credentials, Profile, PublisherPlugin
from edge_agent.north.mqtt_config import SECOND, MqttConfig
from edge_agent.north.mqtt_link import MqttLink
from edge_agent.north.mqtt_reason import Unanswered, VersionRefused
from edge_agent.north.mqtt_wire import SelfClosingSocket

PROTOCOLS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
VERSIONS: Final = {"auto": ("5", "3.1.1"), "5": ("5",), "3.1.1": ("3.1.1",)}
PATIENCE_S: Final = 3.0
"""a broker that knows only 3.1.1 may misread a CONNECT of MQTT 5 and wait for the rest of it (amqtt
does); CONNECT goes out after TCP and TLS are up, so even a distant one answers well within this"""


class MqttPublisher:
    """Opens links to one broker; remembers only which version of MQTT it refuses."""

    def __init__(self, config: MqttConfig, agent_id: str, profile: Profile) -> None:
        self._config = config
        self._profile = profile
        self._agent_id = agent_id
        self._versions = VERSIONS[config.version]

    async def connect(self) -> MqttLink:
        """See `api.Publisher.connect`. `AccessDenied`: password, certificate, client id, version."""
        *newer, oldest = self._versions
        patience_s = self._config.ack_timeout / SECOND
        for version in newer:
            try:
                return await self._open(version, min(PATIENCE_S, patience_s))
            except VersionRefused:
                self._versions = (oldest,)
            except Unanswered:
                pass  # perhaps because of the version; not remembered, for so does a broker that restarts
        return await self._open(oldest, patience_s)

    async def _open(self, version: str, patience_s: float) -> MqttLink:
        config = self._config
        who = self._profile.credentials(time.time_ns()) or _credentials(config, self._agent_id)
        client = self._client(version, who)
        place, ack_timeout_s = str(config.endpoint), config.ack_timeout / SECOND
        link = MqttLink(client, place, who.client_id, config.window, ack_timeout_s)
        await link.open(lambda: _connect(client, config), patience_s)
        return link

    def _client(self, version: str, who: Credentials) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            who.client_id,
            protocol=PROTOCOLS[version],
            reconnect_on_failure=False,
        )
        client.on_socket_open = self._set_will
        if who.user is not None:
            client.username_pw_set(who.user, who.password)
        return client


    def _set_will(self, client: Client, data: object, sock: object) -> None:
        """The next packet is CONNECT: a will that is numbered is asked for once for each."""
        if will := self._profile.will():
            client.will_set(will.topic, will.payload, will.qos, will.retain)


def _credentials(config: MqttConfig, agent_id: str) -> Credentials:
    password = config.password.get_secret_value() if config.password else None
    return Credentials(config.client_id or agent_id, config.user, password)


def _connect(client: Client, config: MqttConfig) -> None:
    """Blocks: reads certificates, looks up the name, connects, shakes hands."""
    endpoint = config.endpoint
    if endpoint.tls:
        client.tls_set_context(_context(config))
    client.connect(endpoint.host, endpoint.port, config.keepalive // SECOND)


def _context(config: MqttConfig) -> ssl.SSLContext:
    """Always verifies the broker's name and certificate; there is no option not to."""
    try:
        context = ssl.create_default_context(cafile=config.ca)
    except OSError as error:
        raise AccessDenied(f"ca: {config.ca}: {error}") from error
    context.sslsocket_class = SelfClosingSocket
    if config.cert is None:
        return context
    try:
        # an empty password keeps OpenSSL from asking for one on the terminal
        context.load_cert_chain(config.cert, config.key, password="")
    except OSError as error:
        raise AccessDenied(f"cert: {config.cert}, key: {config.key}: {error}") from error
    return context


def build(destination: str, config: MqttConfig, agent_id: str, profile: Profile) -> MqttPublisher:
    """See `api.PublisherPlugin.build`."""
    return MqttPublisher(config, agent_id, profile)


plugin = PublisherPlugin(
    name="mqtt",
    summary="an MQTT broker: version 5 or 3.1.1, plain or TLS, acknowledged within a window",
    config=MqttConfig,
    build=build,
)
