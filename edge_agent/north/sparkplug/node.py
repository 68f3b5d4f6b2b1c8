"""One destination's edge node over all its links: what outlives a link, and how each is opened."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge_agent.api import Link, NotConnected, Source
from edge_agent.core.report import StateChange, Status
from edge_agent.encode.sparkplug.host import Host
from edge_agent.encode.sparkplug.profile import SparkplugProfile
from edge_agent.encode.sparkplug.wire import IS_SLOW
from edge_agent.health import Health
from edge_agent.north.sparkplug.bdseq import BdSeq
from edge_agent.north.sparkplug.talk import FencedLink, Talk

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sparkplug:
    """`converse` is what a follower is given.

    shown    a machine's state now
    digital  how digital the plant is now: asked for once, so that the first birth names all that will be told
    host     the id of the primary host; '' if births wait for nobody
    """

    name: str
    profile: SparkplugProfile
    source: Source
    status: Callable[[], Status]
    shown: Callable[[str], StateChange]
    digital: Callable[[], dict[str, Any]]
    health: Health
    bdseq: BdSeq
    host: str = ""
    old_host: bool = False
    told: set[str] = field(default_factory=set)     # what is in the log already, and only counted from then on
    _hosts: dict[str, Host] = field(default_factory=dict)
    _primed: bool = False

    def __post_init__(self) -> None:
        self.profile.latest = self.source.latest
        self.profile.now = self.source.now
        self.profile.next_bdseq = self.bdseq.next
        if IS_SLOW:
            log.warning(
                "%s: protobuf has no compiled part here and encodes some fifty times slower: "
                "install a wheel of protobuf made for this machine", self.name,
            )  # fmt: skip

    async def converse(self, link: Link) -> Link:
        """Return once the births are out."""
        if not isinstance(link, FencedLink):
            raise NotConnected("Sparkplug needs MQTT")
        talk = Talk(self, link, self._host_at(link.place))
        await talk.open()
        return talk

    def prepare_birth(self) -> None:
        """Let the profile note what has a value now."""
        if not self._primed:
            self._primed = True
            self.profile.digital(self.digital(), self.source.now())
        self.profile.status(self.status())
        for machine in self.source.machines():
            self.profile.state(self.shown(machine))

    def _host_at(self, place: str) -> Host | None:
        """The host as that server tells of it: clocks are compared with words from there only."""
        if not self.host:
            return None
        return self._hosts.setdefault(place, Host(self.host, old_form=self.old_host))
