"""Which commands of a platform come again, for platforms that number theirs anew each day, with each link, or not at
all: only the same one within two minutes is taken for the same one, and carried out once."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import Final

from edge_agent.encode.message import Received

# Commands are answered, or given up by the platform, within half a minute; the status tells the time every minute.
AGAIN_NS: Final = 120_000_000_000
# More commands than a person, or a rule, makes in that time.
KEPT: Final = 1000


class Repeats:
    """The commands of one destination; remembers which it has heard lately."""

    def __init__(self, destination: str) -> None:
        self.now_ns = 0
        """as told with the latest status"""
        self._destination = destination.encode() + b"\0"
        self._heard: OrderedDict[bytes, tuple[int, str]] = OrderedDict()
        self._count = 0

    def id(self, received: Received) -> str:
        """The same for what is received twice, and for nothing else; letters, digits and -."""
        digest = sha256(self._destination + received.topic.encode() + b"\0" + received.payload).digest()
        known = self._heard.get(digest)
        if known is not None and abs(self.now_ns - known[0]) <= AGAIN_NS:
            return known[1]
        self._count += 1
        id = f"{digest.hex()[:32]}-{self._count}"
        self._heard[digest] = self.now_ns, id
        self._heard.move_to_end(digest)
        if len(self._heard) > KEPT:
            self._heard.popitem(last=False)
        return id

    def forget(self) -> None:
        """A new link, over which nothing of before comes again."""
        self._heard.clear()
