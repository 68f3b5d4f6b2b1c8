"""Publishers: a destination's configuration, its links, and what a publisher package offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Protocol, Self, runtime_checkable

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from edge_agent.api.values import Size, StrictModel
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import MakeProfile, Profile

_ENDS: Final = ("now", "oldest")


def _start(value: object) -> object:
    if value in _ENDS or isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("is no start; write now, oldest, or an instant such as 2026-11-23T06:00") from None


Start = Annotated[
    Literal["now", "oldest"] | datetime, BeforeValidator(_start), WithJsonSchema({"type": "string", "default": "now"})
]
"""Where a new destination begins; an instant without an offset is in the site's zone."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What of the outside only one destination can have; `key` is the one to change, if another has it, too."""

    key: str
    what: str
    hint: str


class PublishConfig(StrictModel):
    """What every destination says; a publisher's own model adds its options."""

    type: str
    """the publisher's name"""
    profile: str = "json"
    """the form of the messages"""
    order: Literal["live-first", "strict"] = "live-first"
    """after an outage: what is new first, and beside it what has waited, marked as history; or all in its order"""
    drain_rate: Annotated[Size, Field(gt=0)] | None = None
    """how fast what has waited goes out at most, bytes a second such as 500kB; never more than half of what the link
    carries; not with `order: strict`"""
    from_: Start = Field(default="now", alias="from")
    """where a destination begins that was never there before: now, oldest (all that the journal still holds), or an
    instant"""

    @model_validator(mode="after")
    def _rate_has_a_use(self) -> Self:
        if self.drain_rate is not None and self.order == "strict":
            raise ValueError("drain_rate has no use with order: strict; leave it out, or write order: live-first")
        return self

    def addresses(self) -> tuple[str, ...]:
        """Every address it may connect to, the preferred one first; what is no URL is on this computer."""
        return (self.type,)

    def claims(self, destination: str, agent: str) -> Sequence[Claim]:
        """What no other destination may have, such as the name that a broker knows it by; `agent`: the agent's id."""
        return ()

    def listens(self) -> bool:
        """Whether commands may come from there; its links are `ListeningLink`s then."""
        return False

    def warnings(self) -> Sequence[str]:
        """What is right but should be known, a sentence each; said by `check` and the log."""
        return ()


class Link(Protocol):
    """One connection north, open until it fails or is closed."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Return once the peer has acknowledged every message, in order.

        `Rejected(positions)`: those the peer refuses for good; all others are acknowledged. Where it takes a part
        of a message, `parts` has the rest.
        `Busy(start)`: those before `start` are acknowledged, the others are to come again later.
        After `NotConnected` any of them may or may not have arrived: the caller sends them again.
        """
        ...

    async def closed(self) -> None:
        """Wait until the peer or the network has ended the link; raises the reason."""
        ...

    async def close(self) -> None:
        """End the link in good manners (no will); never raises."""
        ...


@runtime_checkable
class ListeningLink(Link, Protocol):
    """A link that also brings what others send."""

    async def listen(self, topics: Sequence[str], hear: Callable[[Received], None]) -> None:
        """Return once the peer will bring what is sent to `topics` (filters, + for any one level).

        `hear` is called for each message while the link lasts, in order; it is quick and does not raise.
        `Rejected(positions)`: the filters the peer refuses for good; all others are heard. May be called
        while a `send` is under way, and again for other filters.
        """
        ...


@runtime_checkable
class LimitedLink(Link, Protocol):
    """A link that takes messages up to some size only."""

    @property
    def largest(self) -> int | None:
        """Bytes of payload that a message may have for certain; None if there is no limit."""
        ...


class Publisher(Protocol):
    """Knows one destination's configuration; opens links to it."""

    async def connect(self) -> Link:
        """Open a fresh link."""
        ...


@dataclass(frozen=True, slots=True)
class PublisherPlugin:
    """What a publisher package offers under the entry point group `edge_agent.publishers`."""

    name: str
    summary: str
    config: type[PublishConfig]
    build: Callable[[str, Any, str, Profile], Publisher]
    """`build(destination id, config, agent id, profile)`; raises only `ConfigError`. Of the profile it asks what
    belongs to a connection: will, credentials, limits."""


class ProfileConfig(StrictModel):
    """What a site file may say for a destination because of its profile; a profile's own model adds its keys.

    Its keys stand beside the publisher's, in one section: neither may use a name of the other.
    """


@dataclass(frozen=True, slots=True)
class ProfilePlugin:
    """What a profile package offers under the entry point group `edge_agent.profiles`."""

    name: str
    summary: str
    config: type[ProfileConfig]
    make: MakeProfile
    """`make(config, scene)`; `config` has the publisher's keys, too; raises only `ConfigError`"""
    publishers: tuple[str, ...] = ("mqtt",)
    """the publishers it can be used with"""
