"""The OPC UA driver: what a device's configuration means, and fresh sessions for it.

asyncua takes 25 MB and most of a second to import: that is paid when a device is built, by sites
that have one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from edge_agent.api import Clock, ConfigError, Int32s, Mistake, Session, Tag
from edge_agent_opcua import nodeid
from edge_agent_opcua.config import OpcUaDevice, address, queue_size

_ITEMS_PER_CALL = 500


class OpcUaDriver:
    """A `Driver`; see there."""

    groups: Sequence[Int32s] = ()

    def __init__(self, device: str, config: OpcUaDevice, tags: Sequence[Tag], clock: Clock) -> None:
        mistakes = []
        self._names = []
        for tag in tags:
            try:
                self._names.append(nodeid.parse(config.tags[tag.name].node))
            except ValueError as error:
                key = f"devices.{device}.tags.{tag.name}.node"
                mistakes.append(Mistake(key, str(error), config.tags[tag.name].node))
        if mistakes:
            raise ConfigError(*mistakes)
        from edge_agent_opcua.session import OpcUaSession

        self._session = OpcUaSession
        self._config = config
        self._tags = tuple(tags)
        self._clock = clock
        # Newest time of each tag, kept across sessions: see `values.Decoder`.
        self._last = np.zeros(len(tags), np.int64)

    async def connect(self) -> Session:
        """Open a session and subscribe to every tag."""
        session = self._session(self._config, self._names, self._tags, self._last, self._clock)
        try:
            await session.start()
        except BaseException:
            await session.close()
            raise
        return session

    def why(self, _tag: Tag) -> Sequence[str]:
        """Nothing beyond what the line and the quality say. See `Driver.why`."""
        return ()


def build(device: str, config: OpcUaDevice, tags: Sequence[Tag], clock: Clock) -> OpcUaDriver:
    """The driver of one device; ConfigError if the configuration does not hold."""
    return OpcUaDriver(device, config, tags, clock)


def describe(device: str, config: OpcUaDevice, tags: Sequence[Tag]) -> list[str]:
    """What the server is asked for, a line each."""
    who = f"user {config.login.user}" if config.login else "anonymous"
    calls = -(-len(tags) // _ITEMS_PER_CALL)
    lines = [
        f"{device}: one session with {address(config.url)}, {who}, no channel security",
        f"{device}: one subscription, published every {config.publish / 1e6:g} ms",
        f"{device}: {len(tags)} monitored items, created in {calls} call{'s' if calls != 1 else ''}",
    ]
    plans: Counter[tuple[int, int]] = Counter()
    for tag in tags:
        item = config.tags[tag.name]
        sample = item.sample or config.publish
        plans[sample, queue_size(item, sample, config.publish)] += 1
    lines += [
        f"{device}: {n} sampled every {sample / 1e6:g} ms, the server keeping up to {queue} changes each"
        for (sample, queue), n in sorted(plans.items())
    ]
    return lines
