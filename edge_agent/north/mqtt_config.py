"""What an MQTT destination may say in the site file, and every mistake it can hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from edge_agent.api import Claim, Duration, PublishConfig, Size
from edge_agent.north.given import warnings_of
from edge_agent.north.mqtt_packing import Packing, is_installed
from edge_agent.north.mqtt_url import Endpoint, parse_url

SECOND: Final = 1_000_000_000
LEAST_PAYLOAD: Final = 4096
"""bytes: the KPI record of one window, which cannot be split, takes 2 to 3 kB"""
LEAST_EXPIRY: Final = 120
"""seconds: twice the minute after which the status comes again"""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""the name of an HTTP header (RFC 9110 section 5.6.2)"""
_OURS: Final = ("host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol")


class MqttConfig(PublishConfig):
    """One MQTT broker, or several that stand in for each other."""

    type: Literal["mqtt"] = "mqtt"
    url: str
    """`mqtt://host:1883`, `mqtts://host:8883` (TLS), `ws://host:80/mqtt` or `wss://host:443/mqtt` (WebSocket); a
    certificate is always verified"""
    also: list[str] = Field(default_factory=list, max_length=9)
    """other brokers, asked in this order while those before are away; one connection at a time"""
    user: str | None = None
    """user name, or a platform's access token"""
    password: SecretStr | None = None
    """never shown or logged; write `${NAME}` or `${file:…}`"""
    user_file: Path | None = None
    """a file with the user name, read at each connection"""
    password_file: Path | None = None
    """a file with the password or token, read at each connection; a JWT is traded for its successor in time"""
    insecure: bool = False
    """allow user and password to cross the network unencrypted (mqtt:// or ws:// to another
    machine)"""
    ca: Path | None = None
    """certificate authorities (PEM) to trust instead of those of the operating system"""
    cert: Path | None = None
    """our client certificate (PEM), for brokers that ask for one"""
    key: Path | None = None
    """its private key (PEM), where `cert` does not hold it"""
    headers: dict[str, SecretStr] = Field(default_factory=dict, max_length=20)
    """of the HTTP request that opens a WebSocket"""
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
    max_payload: Size | None = None
    """largest message, where the broker does not say itself what it takes; those that hold more are split"""
    compress: Packing | None = None
    """packs payloads of 512 bytes and more; MQTT 5 says so in the user property `content-encoding`"""
    properties: dict[str, str] = Field(default_factory=dict, max_length=50)
    """user properties of every message (MQTT 5)"""
    expiry: Duration | None = None
    """how long the broker keeps what is only of interest while it is new: status, indices, open windows (MQTT 5)"""
    data_expiry: Duration | None = None
    """the same for all else: samples, states, final records (MQTT 5)"""
    topic_alias: bool = False
    """numbers in the place of topics, as many as the broker takes (MQTT 5)"""
    commands: bool = False
    """listen on `{root}/command/+` for writes to equipment; who may send them is up to the broker"""

    def listens(self) -> bool:
        """See `PublishConfig.listens`."""
        return self.commands

    def addresses(self) -> tuple[str, ...]:
        """See `PublishConfig.addresses`; without what follows the path of a WebSocket: signatures do."""
        return tuple(url.partition("?")[0] for url in (self.url, *self.also))

    def warnings(self) -> Sequence[str]:
        """See `PublishConfig.warnings`."""
        return warnings_of(
            user_file=self.user_file, password_file=self.password_file, ca=self.ca, cert=self.cert, key=self.key,
        )  # fmt: skip

    def claims(self, destination: str, agent: str) -> Sequence[Claim]:
        """See `PublishConfig.claims`: of two clients of one id, brokers throw out the one that was there first."""
        if "client_id" in getattr(self, "computed", ()):
            return ()
        client_id = self.client_id or agent
        hint = f"a broker takes each client id once: write client_id: {agent}-{destination}"
        return [Claim("client_id", f"client id {client_id} at {one}", hint) for one in self.endpoints]

    @field_validator("url")
    @classmethod
    def _url_is_mqtt(cls, url: str) -> str:
        parse_url(url)
        return url

    @field_validator("also")
    @classmethod
    def _others_are_mqtt(cls, also: list[str]) -> list[str]:
        for url in also:
            try:
                parse_url(url)
            except ValueError as error:
                raise ValueError(f"{url.rpartition('@')[2]}: {error}") from error
        return also

    @field_validator("headers")
    @classmethod
    def _headers_are_http(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"{name!r} cannot be the name of a header here")
            said = value.get_secret_value()
            if not all(" " <= character <= "\xff" and character != "\x7f" for character in said):
                raise ValueError(f"the value of {name} has characters that HTTP does not take")
        return headers

    @field_validator("properties")
    @classmethod
    def _properties_fit_the_wire(cls, properties: dict[str, str]) -> dict[str, str]:
        for text in (*properties, *properties.values()):
            if "\0" in text or len(text.encode()) > 65535:
                raise ValueError("has a text that MQTT does not take; no NUL, and 65535 bytes at most")
        return properties

    @field_validator("compress")
    @classmethod
    def _library_is_there(cls, compress: Packing | None) -> Packing | None:
        if compress and not is_installed(compress):
            raise ValueError(f"needs a library: pip install 'edge-agent[{compress}]'; gzip is always there")
        return compress

    @field_validator("max_payload")
    @classmethod
    def _payload_holds_a_record(cls, size: int | None) -> int | None:
        if size is not None and size < LEAST_PAYLOAD:
            raise ValueError(f"is too small for any record; write at least {LEAST_PAYLOAD}B")
        return size

    @field_validator("expiry", "data_expiry")
    @classmethod
    def _expiry_outlives_a_minute(cls, expiry: int | None) -> int | None:
        if expiry is not None and not LEAST_EXPIRY <= expiry // SECOND <= 0xFFFFFFFF:
            raise ValueError(f"does not fit; the status comes once a minute: write at least {LEAST_EXPIRY}s")
        return expiry

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
    def _names_agree(self) -> Self:
        for name in ("user", "password"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"{name} and {name}_file; write one of them")
        if self._has_password and not self._has_user:
            raise ValueError("password without user; MQTT carries a password only beside a user name")
        if self.key is not None and self.cert is None:
            raise ValueError("key without cert; name the client certificate it belongs to")
        return self

    @model_validator(mode="after")
    def _addresses_agree(self) -> Self:
        if self.version == "3.1.1" and (keys := self.of_version_5()):
            raise ValueError(f"{keys[0]} needs MQTT 5; leave it out, or write version: auto")
        if len({str(one) for one in self.endpoints}) < len(self.endpoints):
            raise ValueError("also names a broker twice")
        if self.headers and not any(one.websocket for one in self.endpoints):
            raise ValueError("headers have no use with mqtt://; they are those of ws:// and wss://")
        for name in ("ca", "cert"):
            if getattr(self, name) is not None and not any(one.tls for one in self.endpoints):
                raise ValueError(f"{name} has no use with mqtt://; write the url as mqtts://")
        for endpoint in self.endpoints:
            if self.exposes(endpoint):
                raise ValueError(
                    f"user and password would cross the network unencrypted; write {endpoint} as "
                    f"{'wss' if endpoint.websocket else 'mqtts'}://, or add insecure: true if this network is trusted"
                )
        return self

    def of_version_5(self) -> list[str]:
        """Keys that ask for what only MQTT 5 has."""
        asked = {"properties": self.properties, "expiry": self.expiry, "data_expiry": self.data_expiry}
        return [key for key, value in {**asked, "topic_alias": self.topic_alias}.items() if value]

    def exposes(self, endpoint: Endpoint) -> bool:
        """Whether what is secret would cross a network in the open on the way there."""
        secret = self._has_user or (bool(self.headers) and endpoint.websocket)
        return secret and not (endpoint.tls or endpoint.is_loopback or self.insecure)

    @property
    def _has_user(self) -> bool:
        return self.user is not None or self.user_file is not None

    @property
    def _has_password(self) -> bool:
        return self.password is not None or self.password_file is not None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The brokers' addresses, in order."""
        return tuple(parse_url(url) for url in (self.url, *self.also))
