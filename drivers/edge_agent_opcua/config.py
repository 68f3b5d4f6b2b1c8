"""What the site file says about an OPC UA device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails

from edge_agent.api import DeviceConfig, Duration, Home, TagConfig
from edge_agent_opcua.options import NO_LIMITS, NO_SECURITY, AlarmsModel, LimitsModel, Login, Security
from edge_agent_opcua.tag import MS, SECOND, OpcUaTag, spread

__all__ = ["Login", "OpcUaDevice", "OpcUaTag", "Security", "address", "queue_size"]

DEFAULT_PORT: Final = 4840

# A server samples and publishes between two of our sessions' beats: two samples of margin keep
# the queue from overflowing when it publishes a little late.
QUEUE_MARGIN: Final = 2


def _url(value: str) -> str:
    address(value)
    return value


class OpcUaDevice(DeviceConfig):
    """An OPC UA server and what is wanted from it."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["url"]}, {"required": ["urls"]}]})

    url: Annotated[str, AfterValidator(_url)] = ""
    """opc.tcp://host:4840/path; this host is connected to, whatever name the server gives itself"""
    urls: tuple[Annotated[str, AfterValidator(_url)], ...] = ()
    """instead of url: the servers of a redundant set, the preferred one first"""
    security: Security = NO_SECURITY
    """none, auto, or policy and mode"""
    login: Login | None = None
    """without it the session is anonymous"""
    pki: Path | None = None
    """folder of our certificate and of those we trust; default pki in the agent's data_dir"""
    publish: Duration = 500 * MS
    """how often the server sends what has changed"""
    poll: Duration | None = None
    """read everything so often instead of subscribing; for servers that cannot be subscribed to"""
    timeout: Duration = 4 * SECOND
    """longest wait for the answer to one request"""
    session_timeout: Duration = 60 * SECOND
    """how long the server keeps a session of ours that has vanished; short, for servers allow only a few"""
    server: Literal["auto", "generic", "s7-1200", "s7-1500", "kepware", "ignition", "prosys"] = "auto"
    """whose peculiarities to allow for; default recognised by what the server says it is"""
    limits: LimitsModel = NO_LIMITS
    """what the server takes"""
    alarms: AlarmsModel | None = None
    """events and alarms that are wanted; {} is all conditions"""
    tags: Mapping[str, OpcUaTag] = Field(default_factory=dict)
    _agent: str = PrivateAttr("")

    @property
    def agent(self) -> str:
        """The id of the agent whose device it is; "" where nobody has said."""
        return self._agent

    @field_validator("urls")
    @classmethod
    def _urls_are_several(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no server; write urls: [opc.tcp://10.0.0.7, opc.tcp://10.0.0.8]")
        places = [address(url) for url in value]
        if len(set(places)) < len(places):
            raise ValueError("names a server twice; leave one out")
        return value

    @field_validator("publish")
    @classmethod
    def _publish_is_sensible(cls, value: int) -> int:
        if not 10 * MS <= value <= 3600 * SECOND:
            raise ValueError("must lie between 10ms and 1h")
        return value

    @field_validator("poll")
    @classmethod
    def _poll_is_sensible(cls, value: int | None) -> int | None:
        if value is not None and not 10 * MS <= value <= 86_400 * SECOND:
            raise ValueError("must lie between 10ms and 1d")
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

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if bool(self.url) == bool(self.urls):
            raise ValueError("has url and urls; write one of them" if self.url else "has no url; write opc.tcp://10.0.0.7")
        if self.poll is not None and self.alarms is not None:
            raise ValueError("poll: and alarms: exclude each other; events only come by subscription")
        tags, wrong = spread(self.tags)
        if wrong:
            at_tags = [InitErrorDetails(**{**one, "loc": ("tags", *one["loc"])}) for one in wrong]
            raise ValidationError.from_exception_data(type(self).__name__, at_tags)
        return self.model_copy(update={"tags": tags, "url": self.url or self.urls[0]})

    def period_ns(self, tag: TagConfig) -> int:
        """The longer of publishing and sampling; the poll period where nothing is subscribed to."""
        if self.poll is not None:
            return self.poll
        sample = tag.sample if isinstance(tag, OpcUaTag) else None
        return max(self.publish, sample or 0)

    def addresses(self) -> Sequence[str]:
        """See `DeviceConfig.addresses`."""
        return self.urls or (self.url,)

    def tells_alarms(self) -> bool:
        """See `DeviceConfig.tells_alarms`."""
        return self.alarms is not None

    def at_home(self, home: Home) -> Self:
        """See `DeviceConfig.at_home`."""
        settled = self.model_copy(update={"pki": self.pki or home.data_dir / "pki"})
        settled._agent = home.agent
        return settled


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
