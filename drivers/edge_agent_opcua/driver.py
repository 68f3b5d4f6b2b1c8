"""The OPC UA driver: what a device's configuration means, and fresh sessions for it.

asyncua takes 25 MB and most of a second to import: that is paid when a device is built, by sites
that have one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import numpy as np

from edge_agent.api import Clock, Int32s, Session, Tag, scan_group
from edge_agent_opcua.config import OpcUaDevice, address, queue_size

if TYPE_CHECKING:
    from edge_agent_opcua.session import OpcUaSession
    from edge_agent_opcua.watch import Watch

_ITEMS_PER_CALL: Final = 500


class OpcUaDriver:
    """A `Driver`; see there."""

    def __init__(self, device: str, config: OpcUaDevice, tags: Sequence[Tag], clock: Clock) -> None:
        from edge_agent_opcua import client, hub, secure, session

        self._make = session.OpcUaSession
        self._hub_of = hub.hub_of
        places = tuple(map(address, config.addresses()))
        self._key = hub.Key(places, secure.identity_of(config), client.wishes_of(config))
        self._config = config
        self._tags = tuple(tags)
        self._clock = clock
        self._group = scan_group(tag for tag in tags if not config.tags[tag.name].is_method)
        self.groups: Sequence[Int32s] = () if config.poll is None else (self._group,)
        # Newest time of each tag, kept across sessions: see `values.Decoder`.
        self._last = np.zeros(len(tags), np.int64)
        self._session: OpcUaSession | None = None

    async def connect(self) -> Session:
        """Open a session and subscribe to every tag; or go on with what the last one was subscribed to."""
        kept = self._kept()
        session = self._make(
            self._hub_of(self._key), self._config, self._tags, self._group, self._last, self._clock, kept
        )
        self._session = session
        try:
            await session.start()
        except BaseException:
            await session.close()
            raise
        return session

    def _kept(self) -> Watch | None:
        """What the last session was subscribed to, if it ended because the connection was lost."""
        last = self._session
        return last.watch if last is not None and last.is_broken else None

    def why(self, tag: Tag) -> Sequence[str]:
        """See `Driver.why`."""
        from edge_agent_opcua.why import sentences

        if self._session is None or tag not in self._tags:
            return ()
        return sentences(self._session, self._tags.index(tag))


def build(device: str, config: OpcUaDevice, tags: Sequence[Tag], clock: Clock) -> OpcUaDriver:
    """The driver of one device; ConfigError if the configuration does not hold."""
    return OpcUaDriver(device, config, tags, clock)


def describe(device: str, config: OpcUaDevice, tags: Sequence[Tag]) -> list[str]:
    """What the server is asked for, a line each."""
    return [f"{device}: {line}" for line in _described(config, tags)]


def _described(config: OpcUaDevice, tags: Sequence[Tag]) -> Iterator[str]:
    places = " or ".join(map(address, config.addresses()))
    yield f"one session with {places}, {_who(config)}, {_security(config)}"
    variables = [config.tags[tag.name] for tag in tags if not config.tags[tag.name].is_method]
    calls = -(-len(variables) // (config.limits.items_per_call or _ITEMS_PER_CALL))
    if config.poll is not None:
        yield f"{len(variables)} registered node{'s' * (len(variables) != 1)} read every {config.poll / 1e6:g} ms"
        return
    yield f"one subscription, published every {config.publish / 1e6:g} ms"
    yield f"{len(variables)} monitored items, created in {calls} call{'s' if calls != 1 else ''}"
    plans: Counter[tuple[int, int]] = Counter()
    for item in variables:
        sample = item.sample or config.publish
        plans[sample, queue_size(item, sample, config.publish)] += 1
    if config.alarms is not None:
        source = f" of sources {config.alarms.source}" if config.alarms.source else ""
        yield f"events of {config.alarms.node}{source} from severity {config.alarms.severity} on"
    for (sample, queue), n in sorted(plans.items()):
        yield f"{n} sampled every {sample / 1e6:g} ms, the server keeping up to {queue} changes each"


def _who(config: OpcUaDevice) -> str:
    login = config.login
    if login is None:
        return "anonymous"
    return f"user {login.user}" if login.user is not None else f"the user of {login.cert}"


def _security(config: OpcUaDevice) -> str:
    security = config.security
    if security.is_none:
        return "no channel security"
    if (security.policy, security.mode) == ("auto", "auto"):
        return "the strongest channel security the server offers"
    return f"channel security {security.policy} {security.mode}"


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def warnings(config: OpcUaDevice) -> list[str]:
    """See `DriverPlugin.warnings`."""
    from datetime import UTC, datetime

    told = []
    if config.security.is_none and not all(map(_is_here, config.addresses())):
        told.append("no channel security: whoever is on the network can read what passes; write security: auto")
    if config.login is not None and config.login.insecure:
        told.append("login.insecure: the password may cross the network readable")
    if config.login is not None and config.login.cert is not None and config.login.key is not None:
        from edge_agent_opcua.security import glue
        from edge_agent_opcua.security.certificate import CertificateTrouble

        try:
            glue.user_certificate(config.login.cert, config.login.key, config.login.key_password)
        except CertificateTrouble as trouble:
            told.append(str(trouble))
    if config.pki is not None and config.pki.is_dir():
        from edge_agent_opcua.security.pki import Pki

        told += Pki(config.pki).warnings(datetime.now(UTC))
    return told
