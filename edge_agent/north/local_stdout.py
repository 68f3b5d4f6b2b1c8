"""The publisher `stdout`: one JSON line a message on standard output, for pipes and first steps.

    {"topic": "edge/acme/gw-01/press-1/state", "retain": true, "payload": {"v": 1, …}}

A payload that is no JSON is a text, one that is no text is in `base64`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from collections.abc import Sequence
from typing import Literal

import orjson

from edge_agent.api import Message, NotConnected, Profile, PublishConfig, PublisherPlugin
from edge_agent.north.local_thread import in_daemon_thread

STDOUT = 1
"""its file descriptor"""

# Lines of two destinations, or of a thread nobody waits for any more, must not mix.
_writing = threading.Lock()


class StdoutConfig(PublishConfig):
    """Standard output."""

    type: Literal["stdout"] = "stdout"


def line(message: Message) -> bytes:
    """The message as a line."""
    said: dict[str, object] = {"topic": message.topic, "retain": message.retain}
    try:
        said["payload"] = orjson.loads(message.payload)
    except ValueError:
        try:
            said["payload"] = message.payload.decode()
        except UnicodeDecodeError:
            said["base64"] = base64.b64encode(message.payload).decode()
    return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)


def _write(data: bytes) -> None:
    with _writing:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(STDOUT, rest) :]


class StdoutLink:
    """There is nothing to open; writing fails once nobody reads any more."""

    async def send(self, messages: Sequence[Message]) -> None:
        """See `api.Link.send`: taken is what whoever reads the pipe has room for."""
        try:
            await in_daemon_thread(lambda: _write(b"".join(map(line, messages))), "stdout")
        except OSError as error:
            raise NotConnected(f"standard output cannot be written: {error.strerror}") from error

    async def closed(self) -> None:
        """See `api.Link.closed`: never by itself."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """See `api.Link.close`."""


class StdoutPublisher:
    """Opens links to standard output."""

    async def connect(self) -> StdoutLink:
        """See `api.Publisher.connect`."""
        return StdoutLink()


def build(destination: str, config: StdoutConfig, agent_id: str, profile: Profile) -> StdoutPublisher:
    """See `api.PublisherPlugin.build`."""
    return StdoutPublisher()


plugin = PublisherPlugin("stdout", "one JSON line a message, for pipes and first steps", StdoutConfig, build)
