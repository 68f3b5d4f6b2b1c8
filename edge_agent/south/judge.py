"""Whether a command may be carried out, now: the rules, in their order. Knows nothing of queues and audit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.api import DeviceConfig, Refused, Tag, TagConfig, Value, WritableSession, WriteConfig
from edge_agent.core.command import Command
from edge_agent.core.tags import TagTable
from edge_agent.core.writing import checked, permit, shown, unscaled
from edge_agent.south.reader import Reader


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a command comes down to: write `raw` to `tag`, within `writing`."""

    tag: Tag
    raw: Value
    writing: WriteConfig


class Judge:
    """Knows what may be written, what can be reached, and when which tag was last written.

    Everything here raises `Refused` with a sentence for whoever asked.
    """

    def __init__(self, devices: Mapping[str, DeviceConfig], table: TagTable, readers: Mapping[str, Reader]) -> None:
        self._devices = devices
        self._table = table
        self._readers = readers
        self._accepted: dict[str, float] = {}       # tag id → when a write of it was last accepted, by the loop's time
        self._sent: dict[str, float] = {}           # and when one was last sent
        self._last_sent: dict[str, float] = {}      # and the time before that

    def allow(self, command: Command) -> Allowed:
        """What is to be written, if the command is allowed and possible now."""
        tag, config = self._find(command)
        writing = _writing(command, tag, config)
        try:
            value = checked(command.value, tag.kind)
            permit(value, tag.kind, writing.min, writing.max, writing.values)
            _not_too_often(tag, writing, self._accepted, self._sent)
            self.session(command.device)
            raw = unscaled(value, tag, config.whole())
        except ValueError as error:
            raise Refused(f"{tag.id} {error}") from None
        return Allowed(tag, raw, writing)

    def session(self, device: str) -> WritableSession:
        """The session to write with."""
        reader = self._readers[device]
        session = reader.session
        if session is None:
            raise Refused(f"{device} is not connected: {reader.line.error or reader.line.state}")
        if not isinstance(session, WritableSession):
            raise Refused(f"{device} cannot be written: its driver only reads")
        return session

    def accepted(self, tag: Tag) -> None:
        """It is going to be written: from now on it counts against `every`."""
        self._accepted[tag.id] = asyncio.get_running_loop().time()

    def withdrawn(self, tag: Tag) -> None:
        """It was not written after all."""
        self._accepted.pop(tag.id, None)

    def sending(self, allowed: Allowed) -> None:
        """It is written now, unless the one before it had to wait and is too close."""
        _not_too_often(allowed.tag, allowed.writing, self._sent)
        if (before := self._sent.get(allowed.tag.id)) is not None:
            self._last_sent[allowed.tag.id] = before
        self._sent[allowed.tag.id] = asyncio.get_running_loop().time()

    def unsent(self, tag: Tag) -> None:
        """What was just `sending` found out that it could not be sent."""
        if tag.id in self._last_sent:
            self._sent[tag.id] = self._last_sent.pop(tag.id)
        else:
            self._sent.pop(tag.id, None)

    def _find(self, command: Command) -> tuple[Tag, TagConfig]:
        device = self._devices.get(command.device)
        if device is None:
            raise Refused(f"there is no device {shown(command.device)}")
        config = device.tags.get(command.tag)
        if config is None:
            raise Refused(f"{command.device} has no tag {shown(command.tag)}")
        return self._table[self._table.position(f"{command.device}.{command.tag}")], config


def _writing(command: Command, tag: Tag, config: TagConfig) -> WriteConfig:
    writing = config.writing()
    if writing is None:
        raise Refused(f"writing to {tag.id} is not allowed: its tag has no write: in the site file")
    if command.through not in writing.through:
        ways = ", ".join(writing.through) or "none"
        raise Refused(f"writing to {tag.id} through {command.through} is not allowed; allowed: {ways}")
    return writing


def _not_too_often(tag: Tag, writing: WriteConfig, *before: Mapping[str, float]) -> None:
    every_s = writing.every / 1e9
    last = max(times.get(tag.id, float("-inf")) for times in before)
    wait = last + every_s - asyncio.get_running_loop().time()
    if wait > 0:
        raise Refused(f"{tag.id} may be written once in {every_s:g} s; wait {max(wait, 0.1):.1f} s")
