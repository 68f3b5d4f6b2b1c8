"""What is only of interest while it is new: the newest message of each topic and what it is about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge_agent.api import Message


class Latest:
    """Every link gets all of them once and then what changes; bounded by the number of topics and what they tell."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str], Message] = {}
        self._whole: dict[str, set[tuple[str, str]]] = {}
        self._new: set[tuple[str, str]] = set()
        self.changed = asyncio.Event()

    def put(self, messages: Sequence[Message], whole: str = "") -> None:
        """Replace what their topics had; what else was said of what they are the `whole` of is forgotten."""
        if whole:
            said = {(message.topic, message.about) for message in messages}
            for key in self._whole.get(whole, set()) - said:
                self._messages.pop(key, None)
                self._new.discard(key)
            self._whole[whole] = said
        for message in messages:
            self._messages[message.topic, message.about] = replace(message, passing=True)
            self._new.add((message.topic, message.about))
            self.changed.set()

    def drop(self, messages: Iterable[Message]) -> None:
        """Forget these topics: something durable now says more."""
        for message in messages:
            self._messages.pop((message.topic, message.about), None)
            self._new.discard((message.topic, message.about))

    def renew(self) -> None:
        """A new link has seen none of them."""
        self._new = set(self._messages)
        self.changed.set()

    def take(self) -> list[Message]:
        """What has changed since the last call."""
        new, self._new = self._new, set()
        self.changed.clear()
        return [self._messages[key] for key in sorted(new)]
