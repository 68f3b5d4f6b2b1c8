"""What a profile is: how one kind of platform wants to be told what the agent knows; pure.

A profile is made once for a destination and used over all its links. The same input gives the same bytes: what
belongs to a link or to an instant (a will, credentials) is asked for at each. Whatever a platform does not want to
know, a profile leaves as it is here: then nothing is sent of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.command import Outcome
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.core.tags import TagTable
from edge_agent.encode.message import Message, Received

Heeded = Literal["agent", "machines", "plant"]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a profile may know of the plant beside what it is given to encode.

    place     the ISA-95 levels that have a name: enterprise, site, area
    machines  machine → `(area, line)`, '' where it belongs to none
    devices   device → the one machine that draws from it; a device of none or of several is not in it
    writable  ids (`device.tag`) of tags that may be written
    windows   the kinds of windows that have KPIs, such as shift
    zone      the agent's own IANA time zone
    """

    destination: str
    agent: str
    version: str
    place: Mapping[str, str] = field(default_factory=dict)
    tags: TagTable = field(default_factory=lambda: TagTable(()))
    machines: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    writable: frozenset[str] = frozenset()
    windows: tuple[str, ...] = ()
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a platform takes from one client; 0: as much as comes.

    payload     bytes of a message; what cannot be cut so small is sent all the same, unless `firm`
    messages_s  messages a second
    bytes_s     bytes of payload a second
    firm        the platform hangs up on a message that is larger, or drops it without a word: it is refused here
    """

    payload: int = 200_000
    messages_s: float = 0.0
    bytes_s: float = 0.0
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """What CONNECT says who we are, where a platform computes it (see `Profile.credentials`)."""

    client_id: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A platform's own answer to the message whose `answer` is `key`.

    refusal  why it does not take it; '' if it does
    later    it may take it later: not a refusal for good
    anew     nor over this link: a fresh one has to say hello first
    """

    key: str
    refusal: str = ""
    later: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command says. `error`: why it is none, then the other fields are what could be made out.

    time_ms  when it was sent, by the sender's clock; None if it does not say
    said     what an operator says of the machine `device`, by the keys of `json_command.STATEMENT`; None for a command
    """

    id: str
    device: str
    tag: str = ""
    value: Any = None
    time_ms: int | None = None
    error: str = ""
    said: Mapping[str, Any] | None = None


class Profile:
    """How one kind of platform is told."""

    limits = Limits()
    content_type = ""
    """what its payloads are, as MQTT 5 and HTTP name it (RFC 6838); '' where they are of several kinds"""
    may_be_packed = False
    """whether those who read it may be expected to unpack gzip or zstd"""
    heeds: Heeded = "plant"
    """what of the scene it is made of beside the agent: nothing, its machines, or tags, too; where that changes, the
    destination is told anew"""

    _full: Limits | None = None

    def fit(self, payload: int | None) -> None:
        """The link in use takes messages of `payload` bytes at most; None: no link, or one that takes any."""
        own = self._full = self._full or self.limits
        smaller = payload is not None and not 0 < own.payload <= payload
        self.limits = replace(own, payload=payload or 1) if smaller else own

    # -- each link ---------------------------------------------------------------------------

    def will(self) -> Message | None:
        """What the broker says when the agent is gone; asked for at each connection."""
        return None

    def credentials(self, now_ns: int) -> Credentials | None:
        """Who we say we are, at this instant; None: as the destination's own keys say."""
        return None

    def hello(self, status: Status) -> list[Message]:
        """What is sent first over a link, before anything else."""
        return self.status(status)

    def goodbye(self, status: Status) -> list[Message]:
        """What is sent last over a link that ends in good manners: no will is published then."""
        return self.status(replace(status, online=False))

    # -- what the agent knows ----------------------------------------------------------------

    def status(self, status: Status) -> list[Message]:
        """The agent's own status, when it changes and every minute."""
        return []

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples."""
        return []

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        return []

    def report(self, report: Report) -> list[Message]:
        """A machine's KPIs in one window."""
        return []

    def rollup(self, rollup: Rollup) -> list[Message]:
        """The KPIs of a line, an area or the site in one window."""
        return []

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """How digital the plant is."""
        return []

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """One device's alarms that have changed, as they are now; `seq` is that of their journal record."""
        return []

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered."""
        return []

    def numbered(self, seq: int, messages: list[Message]) -> list[Message]:
        """`messages` of the journal record `seq`, where they are to carry its number."""
        return messages

    # -- what is heard -----------------------------------------------------------------------

    def answer_topics(self) -> Sequence[str]:
        """The filters of the topics on which the platform answers (see `Message.answer`)."""
        return ()

    def later_answer_topics(self) -> Sequence[str]:
        """The same of topics that may be heard only once `hello` is taken."""
        return ()

    def answered(self, received: Received) -> Answer | None:
        """What such a message says; None if it answers nothing."""
        return None

    def command_topics(self) -> Sequence[str]:
        """The filters of the topics on which commands come; none: this profile knows no commands."""
        return ()

    def command(self, received: Received) -> Asked | None:
        """What such a message asks for; None if it asks for nothing. Never raises."""
        return None

    def reply(self, asked: Asked, outcome: Outcome, received: Received) -> Message | None:
        """The answer to a command; None if there is nowhere to send it."""
        return None


MakeProfile = Callable[[Any, Scene], Profile]
"""`make(config, scene)`: the profile of one destination; raises only `ConfigError`."""
