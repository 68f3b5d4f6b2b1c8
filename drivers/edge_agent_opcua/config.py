"""What the site file says about an OPC UA device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from edge_agent.api import DeviceConfig, Duration, StrictModel, TagConfig
from edge_agent_opcua import nodeid

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
DEFAULT_PORT: Final = 4840

# A server samples and publishes between two of our sessions' beats: two samples of margin keep
# the queue from overflowing when it publishes a little late.
QUEUE_MARGIN: Final = 2


class Security(StrictModel):
    """How the channel is protected; only `None` so far."""

    policy: str = "None"
    mode: str = "None"

    @field_validator("policy", "mode", mode="before")
    @classmethod
    def _only_none(cls, value: object) -> object:
        if value is None or value == "None":
            return "None"
        raise ValueError(
            "is not available yet: this version connects without channel security only; "
            "leave `security` out or write security: {policy: None, mode: None}"
        )


class Login(StrictModel):
    """A user of the server."""

    user: str = Field(min_length=1)
    password: str = Field("", repr=False)
    insecure: bool = False
    """send the password readable for anyone on the network if the server offers no encryption for it"""


class OpcUaTag(TagConfig):
    """A variable of the server."""

    node: str
    """node id: ns=2;i=1002, ns=2;s=State or, safest, nsu=http://acme.example/cnc/;s=State"""
    sample: Duration | None = None
    """how often the server looks at the variable; default the publish interval"""
    queue: int | None = Field(None, ge=1, le=10_000)
    """changes the server keeps between two publishes; default publish ÷ sample and two more"""

    @field_validator("node")
    @classmethod
    def _node_is_readable(cls, value: str) -> str:
        nodeid.parse(value)
        return value

    @field_validator("sample")
    @classmethod
    def _sample_is_sensible(cls, value: int | None) -> int | None:
        if value is not None and not MS <= value <= 86_400 * SECOND:
            raise ValueError("must lie between 1ms and 1d")
        return value


class OpcUaDevice(DeviceConfig):
    """An OPC UA server and the variables wanted from it."""

    url: str
    """opc.tcp://host:4840/path; this host is connected to, whatever name the server gives itself"""
    security: Security = Security()
    login: Login | None = None
    """without it the session is anonymous"""
    publish: Duration = 500 * MS
    """how often the server sends what has changed"""
    timeout: Duration = 4 * SECOND
    """longest wait for the answer to one request"""
    session_timeout: Duration = 60 * SECOND
    """how long the server keeps a session of ours that has vanished; short, for servers allow only a few"""
    tags: Mapping[str, OpcUaTag] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _url_is_opc_tcp(cls, value: str) -> str:
        address(value)
        return value

    @field_validator("publish")
    @classmethod
    def _publish_is_sensible(cls, value: int) -> int:
        if not 10 * MS <= value <= 3600 * SECOND:
            raise ValueError("must lie between 10ms and 1h")
        return value

    @field_validator("timeout")
    @classmethod
    def _timeout_is_sensible(cls, value: int) -> int:
        if not 100 * MS <= value <= 300 * SECOND:
            raise ValueError("must lie between 100ms and 5min")
        return value

    @field_validator("session_timeout")
    @classmethod
    def _session_timeout_is_sensible(cls, value: int) -> int:
        if not 10 * SECOND <= value <= 86_400 * SECOND:
            raise ValueError("must lie between 10s and 1d")
        return value

    def period_ns(self, tag: TagConfig) -> int:
        """The longer of publishing and sampling."""
        sample = tag.sample if isinstance(tag, OpcUaTag) else None
        return max(self.publish, sample or 0)


def address(url: str) -> str:
    """The URL with its port filled in. ValueError says what would be right."""
    right = "write opc.tcp://10.0.0.7:4840"
    parts = urlsplit(url)
    if parts.scheme != "opc.tcp":
        raise ValueError(f"is not an OPC UA address; {right}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user in the address; write login: {user: …, password: …} instead")
    try:
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        raise ValueError(f"has no usable port; {right}") from None
    if not host:
        raise ValueError(f"names no host; {right}")
    place = f"[{host}]" if ":" in host else host
    return f"opc.tcp://{place}:{port}{parts.path}"


def queue_size(tag: OpcUaTag, sample_ns: int, publish_ns: int) -> int:
    """Changes the server is asked to keep: as configured, or all of one publish interval and a margin."""
    return tag.queue or -(-publish_ns // sample_ns) + QUEUE_MARGIN
