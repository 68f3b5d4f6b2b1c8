"""Topics of an edge node: `spBv1.0/{group}/{type}/{node}` and, of a device, `/{device}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "spBv1.0"
_FORBIDDEN: Final = frozenset("+/#\0")


def id_trouble(text: str) -> str:
    """Why `text` cannot be the id of a group, a node, a device or a host; '' if it can."""
    if not text:
        return "is empty"
    if wrong := sorted(_FORBIDDEN & set(text)):
        return f"has {wrong[0]!r}, which is none of a topic's level"
    return ""


@dataclass(frozen=True, slots=True)
class EdgeNode:
    """One edge node; the pair is unique in the whole infrastructure."""

    group: str
    node: str

    def topic(self, kind: str, device: str = "") -> str:
        """`kind` is NBIRTH, NDATA, NDEATH, NCMD, or with a device DBIRTH, DDATA, DDEATH, DCMD."""
        topic = f"{NAMESPACE}/{self.group}/{kind}/{self.node}"
        return f"{topic}/{device}" if device else topic


def kind_and_device(topic: str) -> tuple[str, str]:
    """`DDATA`, `press-1` of a topic; the device of a message of the node is ''."""
    parts = topic.split("/")
    return (parts[2], parts[4] if len(parts) > 4 else "") if len(parts) > 3 else ("", "")


def state_topic(host: str) -> str:
    """Where a host application says whether it is online."""
    return f"{NAMESPACE}/STATE/{host}"


def old_state_topic(host: str) -> str:
    """The same, before version 3.0."""
    return f"STATE/{host}"
