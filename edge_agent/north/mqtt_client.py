"""One paho client for one connection: who we are, the will, and the way to the broker: TCP, TLS, WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.api import Credentials, Message
from edge_agent.north.mqtt_beside import Packed
from edge_agent.north.mqtt_config import SECOND, MqttConfig
from edge_agent.north.mqtt_url import Endpoint
from edge_agent.north.mqtt_websocket import WebSocket
from edge_agent.north.mqtt_wire import SelfClosingSocket
from edge_agent.north.tls import client_context

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

PROTOCOLS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


class WebSocketClient(Client):
    """A client whose packets travel in a WebSocket."""

    def ask_for(self, host: str, path: str, headers: Mapping[str, str]) -> None:
        """What the HTTP request says; before `connect`."""
        self._asked = host, path, headers

    def _create_socket(self) -> SocketLike:
        """The only one of paho's private names that is used; TCP and TLS are as it makes them."""
        sock = super()._create_socket()
        try:
            return WebSocket(sock, *self._asked, self.connect_timeout)  # type: ignore[arg-type]  # a real socket
        except BaseException:
            sock.close()
            raise


def make_client(
    endpoint: Endpoint, version: str, who: Credentials, will: Callable[[], Message | None], beside_will: bytes = b""
) -> Client:
    """A fresh client; nothing is opened yet.

    `will` is asked once for each CONNECT, just before: some are numbered. `beside_will`: its properties in MQTT 5.
    """

    def set_will(client: Client, data: object, sock: object) -> None:
        if said := will():
            properties = Packed(beside_will) if beside_will and version == "5" else None
            client.will_set(said.topic, said.payload, said.qos, said.retain, properties)

    client = (WebSocketClient if endpoint.websocket else Client)(
        CallbackAPIVersion.VERSION2, who.client_id, protocol=PROTOCOLS[version], reconnect_on_failure=False
    )
    client.on_socket_open = set_will
    if who.user is not None:
        client.username_pw_set(who.user, who.password)
    return client


def connect(client: Client, endpoint: Endpoint, config: MqttConfig) -> None:
    """Blocks: reads certificates, looks up the name, connects, shakes hands."""
    if endpoint.tls:
        context = client_context(config.ca, config.cert, config.key)
        context.sslsocket_class = SelfClosingSocket
        client.tls_set_context(context)
    if isinstance(client, WebSocketClient):
        headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        client.ask_for(endpoint.http_host, endpoint.path, headers)
    client.connect(endpoint.host, endpoint.port, config.keepalive // SECOND)
