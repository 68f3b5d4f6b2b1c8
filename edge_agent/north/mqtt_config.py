"""What an MQTT destination may say in the site file, and every mistake it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from edge_agent.api import Duration, PublishConfig

SECOND: Final = 1_000_000_000
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the broker listens, taken from `mqtt://host:1883` or `mqtts://host:8883`."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        """`mqtts://broker.example:8883`: never holds a password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True for this machine itself, by name or by address."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_url(url: str) -> Endpoint:
    """`mqtt://host` → `Endpoint(host, 1883, tls=False)`. ValueError says what would be right."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("is not an MQTT address; write mqtt://host:1883, or mqtts://host:8883 for TLS")
    if parts.username is not None or parts.password is not None:
        raise ValueError("carries a user or password; write them as user: and password:")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("has something after the port; write mqtt://host:1883 and nothing more")
    if not parts.hostname:
        raise ValueError("names no host; write mqtt://host:1883")
    port = parts.port if parts.port is not None else PORTS[parts.scheme]
    if port == 0:
        raise ValueError("has port 0; MQTT brokers listen on 1883, or 8883 for TLS")
    return Endpoint(parts.hostname, port, parts.scheme == "mqtts")


class MqttConfig(PublishConfig):
    """One MQTT broker."""

    type: Literal["mqtt"] = "mqtt"
    url: str
    """`mqtt://host:1883`, or `mqtts://host:8883` for TLS; the certificate is always verified"""
    user: str | None = None
    """user name, or a platform's access token"""
    password: SecretStr | None = None
    """never shown or logged; write `${NAME}` or `${file:…}`"""
    insecure: bool = False
    """allow user and password to cross the network unencrypted (mqtt:// to another machine)"""
    ca: Path | None = None
    """certificate authorities (PEM) to trust instead of those of the operating system"""
    cert: Path | None = None
    """our client certificate (PEM), for brokers that ask for one"""
    key: Path | None = None
    """its private key (PEM), where `cert` does not hold it"""
    client_id: str | None = Field(default=None, min_length=1, max_length=65535)
    """default: the agent's id; two clients of one id throw each other out"""
    keepalive: Duration = 30 * SECOND
    """longest silence before we ask whether the broker is still there; whole seconds, 1s to 18h"""
    window: int = Field(default=100, ge=1, le=100)
    """messages on the way at once; a broker may ask for fewer (Receive Maximum)"""
    ack_timeout: Duration = 10 * SECOND
    """no acknowledgement for this long while something waits for one ends the link"""
    version: Literal["auto", "5", "3.1.1"] = "auto"
    """auto tries MQTT 5 first and falls back to 3.1.1 when the broker refuses it"""
    commands: bool = False
    """listen on `{root}/command/+` for writes to equipment; who may send them is up to the broker"""

    def listens(self) -> bool:
        """See `PublishConfig.listens`."""
        return self.commands

    @field_validator("url")
    @classmethod
    def _url_is_mqtt(cls, url: str) -> str:
        parse_url(url)
        return url

    @field_validator("keepalive")
    @classmethod
    def _keepalive_fits_the_wire(cls, keepalive: int) -> int:
        if keepalive % SECOND or not 1 <= keepalive // SECOND <= 65535:
            raise ValueError("does not fit MQTT; write whole seconds from 1s to 18h")
        return keepalive

    @field_validator("ack_timeout")
    @classmethod
    def _ack_timeout_is_positive(cls, ack_timeout: int) -> int:
        if ack_timeout <= 0:
            raise ValueError("must be longer than zero; write for example 10s")
        return ack_timeout

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.password is not None and self.user is None:
            raise ValueError("password without user; MQTT carries a password only beside a user name")
        if self.key is not None and self.cert is None:
            raise ValueError("key without cert; name the client certificate it belongs to")
        if self.endpoint.tls:
            return self
        for name in ("ca", "cert"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} has no use with mqtt://; write the url as mqtts://")
        if self.user is not None and not self.endpoint.is_loopback and not self.insecure:
            raise ValueError(
                "user and password would cross the network unencrypted; write the url as mqtts://, "
                "or add insecure: true if this network is trusted"
            )
        return self

    @property
    def endpoint(self) -> Endpoint:
        """The broker's address."""
        return parse_url(self.url)
