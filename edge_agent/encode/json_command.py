"""Commands and replies of the profile `json`.

    {root}/command/{device}    {"id": "c-17", "tag": "setpoint", "value": 23.4}, and, if the sender
                               wants a command that comes late to be refused, "t": ms UTC
    {root}/command/{machine}   {"id": "s-4", "from": ms UTC or ISO 8601, "until": …, "state": "MAINT", "reason": "TOOL",
                               "who": "anna"}: what an operator says of a machine; see `core.overrides`
    {root}/reply/{id}          {"id": "c-17", "ok": true, "error": null, "read_back": 23.4}

The id becomes a level of a topic: letters, digits, - and _ only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from edge_agent.core.command import Outcome
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Asked, Profile

LONGEST: Final = 4096
"""bytes of a payload; a command is a tag and a value"""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NEEDED: Final = ("id", "tag", "value")
_KNOWN: Final = (*_NEEDED, "t")
STATEMENT: Final = ("from", "until", "state", "reason", "clear", "who")
"""What tells a statement about a machine from a command to a device, which names a tag."""


class JsonCommanded(Profile):
    """A profile whose commands and replies these are, below `_root`."""

    _root: str

    def command_topics(self) -> Sequence[str]:
        """The filter of the topics on which commands come: those to all devices."""
        return (f"{self._root}/command/+",)

    def command(self, received: Received) -> Asked:
        """What a message on one of these topics asks for."""
        return read_command(received.topic, received.payload)

    def reply(self, asked: Asked, outcome: Outcome, received: Received) -> Message | None:
        """The answer, to the topic the sender wants where that may be; None if there is nowhere to go."""
        topic = reply_topic(self._root, asked.id, received.answer_to)
        return Message(topic, write_reply(asked.id, outcome), token=received.token) if topic else None


def read_command(topic: str, payload: bytes) -> Asked:
    """What a message asks for; never raises."""
    device = topic.rpartition("/")[2]
    if len(payload) > LONGEST:
        return Asked("", device, error=f"a command has at most {LONGEST} bytes, not {len(payload)}")
    try:
        said = orjson.loads(payload)
    except ValueError:
        return Asked("", device, error="a command is a JSON object; this is no JSON")
    if not isinstance(said, dict):
        return Asked("", device, error='a command is a JSON object such as {"id":"1","tag":"speed","value":5}')
    id, tag, time_ms = said.get("id"), said.get("tag"), said.get("t")
    good_id = id if isinstance(id, str) and _ID.fullmatch(id) else ""
    if "tag" not in said and any(key in said for key in STATEMENT):
        return _statement(device, said, good_id)
    good_tag = tag if isinstance(tag, str) else ""
    return Asked(
        good_id, device, good_tag, said.get("value"), time_ms if type(time_ms) is int else None,
        _mistake(said, good_id, good_tag),
    )  # fmt: skip


def _statement(machine: str, said: dict[str, Any], id: str) -> Asked:
    time_ms = said.get("t")
    error = "" if id else "id must be a text of 1 to 64 letters, digits, - or _"
    if "t" in said and type(time_ms) is not int:
        time_ms, error = None, "t must be the time of sending in whole ms UTC"
    rest = {key: value for key, value in said.items() if key not in ("id", "t")}
    return Asked(id, machine, time_ms=time_ms, error=error, said=rest)


def _mistake(said: dict[str, Any], id: str, tag: str) -> str:
    if missing := [key for key in _NEEDED if key not in said]:
        return f"{missing[0]!r} is missing; a command has id, tag and value"
    if unknown := [key for key in said if key not in _KNOWN]:
        return f"unknown key {unknown[0][:64]!r}; a command has id, tag and value, and may have t"
    if not id:
        return "id must be a text of 1 to 64 letters, digits, - or _"
    if not tag:
        return "tag must be the name of a tag of this device"
    if "t" in said and type(said["t"]) is not int:
        return "t must be the time of sending in whole ms UTC"
    return ""


def reply_topic(root: str, id: str, wanted: str) -> str:
    """Where the answer goes: to the topic the sender names, else below `reply`; '' if there is no id either.

    A topic that is none, or that others would take for words of this agent, is not used.
    """
    usable = wanted and len(wanted) <= 512 and not wanted.startswith("$") and not set("+#\0") & set(wanted)
    ours = wanted == root or wanted.startswith(f"{root}/")
    if usable and (not ours or wanted.startswith(f"{root}/reply/")):
        return wanted
    return f"{root}/reply/{id}" if id else ""


def write_reply(id: str, outcome: Outcome) -> bytes:
    """The payload of an answer."""
    return orjson.dumps(
        {"id": id or None, "ok": outcome.ok, "error": outcome.error or None, "read_back": outcome.read_back}
    )
