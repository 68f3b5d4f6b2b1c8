"""What a primary host says of itself, and when to believe it (specification, chapters 5.4 and 6.4.30)."""

from __future__ import annotations

from typing import Any

import orjson

from edge_agent.encode.sparkplug.topic import old_state_topic, state_topic

_OLD = {b"ONLINE": True, b"OFFLINE": False}


class Host:
    """One host as one server tells of it.

    Its first word is always taken. From then on an older one, by the host's own clock, says nothing: it may be the
    will of a connection that was lost long ago.
    """

    def __init__(self, host: str, *, old_form: bool = False) -> None:
        """`old_form`: the texts ONLINE and OFFLINE of Sparkplug 2.2 are believed, too; they have no time."""
        self.online: bool | None = None
        """None: it has not said yet"""
        self.is_set_back = False
        """it last said that it is online, at an earlier time than what it had said before"""
        self.topics = (state_topic(host), old_state_topic(host)) if old_form else (state_topic(host),)
        self._time: int | None = None

    def hear(self, topic: str, payload: bytes) -> bool:
        """Take one message; False if it changes nothing because it is older, or no word at all."""
        if topic not in self.topics:
            return False
        if topic == self.topics[0]:
            said = _read(payload)
        else:
            online = _OLD.get(payload.strip().upper())
            said = None if online is None else (online, self._time)
        if said is None:
            return False
        online, time = said
        older = self._time is not None and time is not None and time < self._time
        self.is_set_back = older and online
        if older:
            return False
        self.online, self._time = online, time
        return True


def _read(payload: bytes) -> tuple[bool, int | None] | None:
    try:
        said: Any = orjson.loads(payload)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    online, time = said.get("online"), said.get("timestamp")
    if not isinstance(online, bool) or not isinstance(time, int) or isinstance(time, bool):
        return None
    return online, time
