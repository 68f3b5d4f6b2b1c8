"""Messages at whose sight a broker hangs up: found, and refused in its place, lest they are sent for ever.

Brokers of MQTT 3.1.1 have no other way to say that a message is too large or not to their liking, and some of MQTT 5
use it, too. Which message it was is only certain while one is on the way at a time: so after a few hang-ups in a row
that is how the next links send, until the broker has taken more than one sending.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from edge_agent.api import Message

CAREFUL: Final = 3
"""links in a row that the broker ended with messages on the way; networks that break do that too"""
GUILTY: Final = 5
"""of these, over one and the same message, alone on the way and after others had been taken"""
MOST: Final = 1000
"""that are remembered: more than one sending holds, and less than anybody will find"""
CALM: Final = 250
"""messages that a link has delivered: more than the first sending, which is where it would hang up again"""


class Suspects:
    """Of one destination, over all its links."""

    def __init__(self) -> None:
        self._hang_ups = 0
        self._taken = 0
        self._suspect = b""
        self._times = 0
        self._guilty: dict[bytes, None] = {}    # the newest last

    @property
    def careful(self) -> bool:
        """Whether messages go one at a time."""
        return self._hang_ups >= CAREFUL

    def opened(self) -> None:
        """A fresh link begins."""
        self._taken = 0

    def taken(self, message: Message) -> None:
        """The broker has acknowledged or refused it."""
        self._taken += 1
        if self._taken >= CALM:
            self._hang_ups = 0
            self._guilty.clear()
        if self._suspect and self._suspect == _digest(message):
            self._suspect, self._times = b"", 0

    def hung_up(self, message: Message) -> None:
        """The broker has ended the link, and this was the oldest message on the way."""
        alone = self.careful and self._taken > 0
        self._hang_ups += 1
        if not alone:
            return
        digest = _digest(message)
        if self._suspect != digest:
            self._suspect, self._times = digest, 0
        self._times += 1
        if self._times == GUILTY:
            self._guilty[digest] = None
            while len(self._guilty) > MOST:
                del self._guilty[next(iter(self._guilty))]

    def refusal(self, message: Message) -> str:
        """Why it is not sent any more; '' if it is."""
        if not self._guilty or _digest(message) not in self._guilty:
            return ""
        return f"the broker hung up each of the {GUILTY} times it was sent alone"


def _digest(message: Message) -> bytes:
    """Of what makes it the same message when it is sent again; computed only while there is a suspect."""
    return blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=16).digest()
